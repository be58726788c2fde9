from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dataeff_al.errors import CapabilityError
from dataeff_al.learners.protocol import LearnerContext
from dataeff_al.learners.region_loss import region_loss, shares
from dataeff_al.learners.sides import SidedTask, merged_sides
from dataeff_al.learners.slabs import slabs, stacked
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import TargetSpec
from dataeff_al.testing.learners import check_learner
from dataeff_al.testing.views import built, labelled, toy_view

TWO = {"blocks": [{"coarser": 2, "width": 6, "layers": 2}, {"coarser": 1, "width": 6, "layers": 3, "levels": 2}]}
SMALL = {"channels": [4, 6]}


def heads(**params):
    shape = {"cases": 4, "shape": [24, 24, 16], "plane": "coronal"}
    return built("pools", "heads", PoolContext(Path(), None, 0), **{**shape, **params})


def learner_of(pool, name, priors=(), seed=0, **params):
    torch.manual_seed(seed)
    return built("learners", name, LearnerContext(pool.codec().tensor, pool.target, pool.spec, priors), **params)


def view_of(pool, name, priors=(), **params):
    base = toy_view("mask", "unet")
    return replace(
        base,
        pool=pool,
        codec=pool.codec(),
        target=pool.target,
        new_learner=lambda seed: learner_of(pool, name, priors, seed, **params),
        labelled=labelled(pool, pool.ids()[:4]),
    )


@pytest.mark.parametrize(
    ("pool", "name", "params"),
    [
        ({}, "segmenter", {**SMALL, "dims": 2, "context": 1}),
        ({"places": False}, "segmenter", {**SMALL, "patch": [8, 16, 16]}),
        ({"unit": "slice", "context": 1}, "segmenter", SMALL),
        ({"anatomy": "tumour"}, "cascade", {**TWO, "dims": 2}),
        ({"anatomy": "tumour", "places": False}, "cascade", {**TWO, "patch": [16, 16, 16]}),
        ({"unit": "slice"}, "cascade", TWO),
    ],
)
@pytest.mark.parametrize("prior", ["atlas", "none"])
def test_learners_of_scans_keep_the_contract(pool, name, params, prior):
    if prior == "atlas" and pool.get("places") is False:
        pytest.skip("an atlas needs places")
    priors = (built("priors", "atlas", None, cells=8),) if prior == "atlas" else ()
    made = heads(**pool)
    check_learner(lambda seed: learner_of(made, name, priors, seed, **params), view_of(made, name, priors, **params))


@pytest.mark.parametrize(
    ("pool", "name", "params", "rule"),
    [
        ({}, "segmenter", {"patch": [32, 8, 8]}, "a patch must fit the sample"),
        ({}, "segmenter", {"patch": [8, 8]}, "3 axes"),
        ({}, "segmenter", {"context": 1}, "context and dims"),
        ({"unit": "slice"}, "cascade", {"dims": 3}, "context and dims"),
        ({"places": False}, "segmenter", {"merge_sides": True}, "merged sides"),
        ({}, "segmenter", {"channels": [4] * 6}, "6 levels"),
        ({}, "cascade", {"blocks": [{"coarser": 16, "levels": 4}, {"coarser": 1}]}, "4 levels"),
    ],
)
def test_networks_that_do_not_fit_the_scans_are_refused(pool, name, params, rule):
    with pytest.raises(CapabilityError, match=rule):
        learner_of(heads(**pool), name, **params)


def test_an_atlas_without_places_is_refused():
    with pytest.raises(CapabilityError, match="where voxels lie"):
        learner_of(heads(places=False), "segmenter", (built("priors", "atlas", None),), **SMALL)


def test_sides_merge_where_both_are_named():
    found = merged_sides(["background", "Left Caudate", "Right Caudate", "Brain Stem", "Left Cyst"], True)
    assert found.names == ("background", "Caudate", "Brain Stem", "Left Cyst")
    assert found.merged == (0, 1, 1, 2, 3)
    assert found.side == (0, -1, 1, 0, -1)
    letters = merged_sides(["background", "L 5", "r_lung", "l-lung"], True)
    assert letters.names == ("background", "L 5", "lung")
    assert letters.side == (0, 0, 1, -1)
    apart = merged_sides(["background", "Left Caudate", "Right Caudate"], False)
    assert apart.names == ("background", "Left Caudate", "Right Caudate")
    assert not any(apart.side)


def test_merged_sides_are_told_apart_by_place():
    task = SidedTask(TargetSpec("mask", "mask", (4,), ("background", "Left A", "Right A", "B")), True)
    merged = torch.tensor([0.1, 0.6, 0.3])[None, :, None].expand(1, 3, 4)
    found = task.told_apart(merged, torch.tensor([[0.1, 0.49, 0.5, 0.9]]))
    assert torch.allclose(found.sum(1), torch.ones(1, 4))
    assert found.argmax(1).tolist() == [[1, 1, 2, 2]]


def test_a_structure_of_one_side_is_never_answered_on_the_other():
    task = SidedTask(TargetSpec("mask", "mask", (2,), ("background", "Left Cyst", "B")), True)
    merged = torch.tensor([0.1, 0.6, 0.3])[None, :, None].expand(1, 3, 2)
    found = task.told_apart(merged, torch.tensor([[0.1, 0.9]]))
    assert torch.allclose(found.sum(1), torch.ones(1, 2))
    assert found.argmax(1).tolist() == [[1, 2]]
    assert torch.allclose(found[0, :, 1], torch.tensor([0.25, 0.0, 0.75]))


def test_a_mirrored_head_is_the_same_to_a_network_of_merged_sides():
    pool = heads()
    learner = learner_of(pool, "segmenter", **SMALL, dims=2, context=1)
    x = pool.codec().soften(pool.read(pool.ids()[:1]))
    assert learner.mirrors
    mirrored = x.flip(-1)
    mirrored[:, -3] = 1.0 - mirrored[:, -3]
    # Convolutions are not symmetric, but nothing else may tell left from right.
    seen, other = learner.seen(x)[0], learner.seen(mirrored)[0]
    assert torch.allclose(seen, other.flip(-1), atol=1e-5)
    assert not learner_of(pool, "segmenter", **SMALL, dims=2, merge_sides=False).mirrors


def test_slices_with_neighbours_come_back_as_a_volume():
    x = torch.randn(2, 3, 5, 4, 6)
    alone = slabs(x, 0, padded=False)
    assert torch.equal(stacked(alone, 2), x)
    near = stacked(slabs(x, 1, padded=False), 2)
    assert torch.equal(near[:, 1::3], x)
    assert torch.equal(near[:, ::3, 1:], x[:, :, :-1])
    assert torch.equal(near[:, ::3, 0], x[:, :, 0])
    assert torch.equal(slabs(x, 1, padded=True), slabs(x, 1, padded=False).unflatten(0, (2, 5))[:, 1:-1].flatten(0, 1))


def test_a_preferred_source_answers_its_structures_and_no_others():
    pool = heads()
    learner = learner_of(pool, "segmenter", **SMALL, dims=2)
    x = pool.codec().soften(pool.read(pool.ids()[:1]))
    plain, own = learner.predict(x), learner.source_probabilities("deep", x)
    learner.prefer("deep", ["Left Caudate"])
    mixed, code = learner.predict(x), pool.target.classes.index("Left Caudate")
    assert torch.allclose(mixed[:, code], own[:, learner.sources["deep"].index("Left Caudate") + 1], atol=1e-5)
    assert torch.allclose(mixed.sum(1), torch.ones_like(mixed[:, 0]), atol=1e-5)
    others = [place for place in range(len(pool.target.classes)) if place != code]
    ratio = mixed[:, others] / plain[:, others]
    known = plain[:, others] > 1e-6
    assert torch.allclose(ratio[known], ratio[:, :1].expand_as(ratio)[known], rtol=1e-3)
    again = learner_of(pool, "segmenter", seed=5, **SMALL, dims=2)
    again.load(learner.state())
    assert again.preferred("deep") == ["Left Caudate"]
    assert torch.equal(again.predict(x), mixed)


def test_every_decoder_of_a_network_of_volumes_slides_over_them():
    pool = heads()
    learner = learner_of(pool, "segmenter", **SMALL, patch=[8, 16, 16])
    x, sides = pool.codec().soften(pool.read(pool.ids()[:1])), set()
    learner.encoder.register_forward_hook(lambda module, given, found: sides.add(tuple(given[0].shape[2:])))
    learner.prefer("deep", ["Left Caudate"])
    assert tuple(learner.predict(x).shape[2:]) == pool.target.shape
    assert tuple(learner.source_probabilities("deep", x).shape[2:]) == pool.target.shape
    assert sides == {(8, 16, 16)}


def test_stages_are_whole_masks_in_the_campaigns_codes():
    for pool, name, params in (
        (heads(), "segmenter", {**SMALL, "dims": 2}),
        (heads(anatomy="tumour"), "cascade", {**TWO, "dims": 2}),
        (heads(anatomy="tumour", unit="slice"), "cascade", TWO),
    ):
        learner = learner_of(pool, name, **params)
        x = pool.codec().soften(pool.read(pool.ids()[-2:]))
        stages = learner.stages(x)
        assert len(stages) == 2
        assert torch.equal(list(stages.values())[-1], learner.predict(x).argmax(1))
        for codes in stages.values():
            assert tuple(codes.shape) == (len(x), *pool.target.shape)
            assert int(codes.max()) < len(pool.target.classes)


def test_the_loss_of_a_batch_counts_what_is_valid_and_prefers_the_truth():
    y = torch.tensor([[0, 1, 2, 2]]).expand(2, 4).reshape(2, 2, 2)
    right = 8.0 * shares(y, 3)
    wrong = 8.0 * shares((y + 1) % 3, 3)
    assert region_loss(right, y, None) < 0.5 < 5 < region_loss(wrong, y, None)
    assert region_loss(right, shares(y, 3), None) == pytest.approx(float(region_loss(right, y, None)), rel=1e-5)
    valid = torch.zeros(2, 2, 2, dtype=torch.bool)
    assert float(region_loss(wrong, y, valid)) == 0.0
    valid[0] = True
    spoilt = right.clone()
    spoilt[1] = wrong[1]
    assert region_loss(spoilt, y, valid) == pytest.approx(float(region_loss(right[:1], y[:1], None)), rel=1e-4)
    assert np.isfinite(float(region_loss(right, torch.zeros_like(y), None)))
