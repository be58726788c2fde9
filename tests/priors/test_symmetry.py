import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataeff_al.errors import CapabilityError
from dataeff_al.learners.protocol import TargetBatch
from dataeff_al.priors.protocol import Prior
from dataeff_al.priors.spec import SymmetryParams
from dataeff_al.priors.symmetry import GROUPS, Symmetry

SIZES = {"mirror": 2, "mirrors": 4, "rotations": 4, "rotation_mirror": 8}


def images(n=2, c=3, size=5):
    return torch.from_numpy(np.random.default_rng(0).standard_normal((n, c, size, size)).astype(np.float32))


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_an_orbit_holds_every_member_of_the_group_once(group):
    x = images()
    orbit = Symmetry(SymmetryParams(group=group)).orbit(x, TargetBatch(torch.zeros(2, dtype=torch.int64)))
    assert len(orbit) == SIZES[group]
    assert torch.equal(orbit[0].x, x)
    assert len({pair.x.numpy().tobytes() for pair in orbit}) == SIZES[group]


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(GROUPS)), st.integers(1, 7))
def test_the_way_back_undoes_every_symmetry(group, size):
    x = images(size=size)
    for pair in Symmetry(SymmetryParams(group=group)).orbit(x, TargetBatch(x)):
        assert torch.equal(pair.back(pair.x), x)
        assert torch.equal(pair.y.y, pair.x)


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_a_group_is_closed(group):
    x = images(n=1)
    symmetry = Symmetry(SymmetryParams(group=group))
    members = {pair.x.numpy().tobytes() for pair in symmetry.orbit(x, TargetBatch(x))}
    twice = {
        again.x.numpy().tobytes()
        for pair in symmetry.orbit(x, TargetBatch(x))
        for again in symmetry.orbit(pair.x, TargetBatch(pair.x))
    }
    assert twice == members


def test_validity_moves_with_the_answer_and_classes_stay():
    x = images()
    valid = x[:, :1] > 0
    for pair in Symmetry(SymmetryParams()).orbit(x, TargetBatch(x, valid)):
        assert torch.equal(pair.y.valid, pair.x[:, :1] > 0)
    y = torch.tensor([1, 0])
    assert all(torch.equal(pair.y.y, y) for pair in Symmetry(SymmetryParams()).orbit(x, TargetBatch(y)))


def test_weights_of_samples_survive():
    x, weight = images(), torch.tensor([1.0, 2.0])
    assert all(pair.y.weight is weight for pair in Symmetry(SymmetryParams()).orbit(x, TargetBatch(x, None, weight)))


@pytest.mark.parametrize(
    ("group", "shape", "rule"),
    [("mirror", (2, 5), "must have images"), ("rotations", (2, 1, 4, 6), "must have a square image")],
)
def test_what_has_no_such_symmetry_is_refused(group, shape, rule):
    x = torch.zeros(shape)
    with pytest.raises(CapabilityError, match=rule):
        Symmetry(SymmetryParams(group=group)).orbit(x, TargetBatch(torch.zeros(2)))


def test_a_symmetry_is_a_prior_without_an_answer_of_its_own():
    symmetry = Symmetry(SymmetryParams())
    assert isinstance(symmetry, Prior)
    assert symmetry.baseline(images()) is None
