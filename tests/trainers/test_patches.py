import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataeff_al.errors import TrainingError
from dataeff_al.learners.grid_learner import frozen
from dataeff_al.learners.protocol import TargetBatch
from dataeff_al.trainers.blockwise_labels import REDUCTIONS, reduced
from dataeff_al.trainers.descent import Descent
from dataeff_al.trainers.patches import PatchSource, changed


def numbered(shape=(2, 6, 8, 10)):
    """Volumes whose only channel says where each voxel lies, and targets that say the same."""
    at = torch.arange(torch.Size(shape).numel()).reshape(shape)
    return at[:, None].float(), TargetBatch(at)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.tuples(st.integers(1, 6), st.integers(4, 8), st.integers(4, 10)))
def test_a_patch_and_its_target_lie_in_the_same_place(seed, patch):
    x, targets = numbered()
    drawn, found = PatchSource(x, targets, patch, 1).draw(3, torch.Generator().manual_seed(seed))
    assert tuple(found.y.shape) == (3, *patch)
    assert torch.equal(drawn[:, 0].long(), found.y)


@given(st.integers(0, 10**6))
def test_a_slice_comes_with_its_neighbours_repeated_at_the_ends(seed):
    x, targets = numbered()
    drawn, found = PatchSource(x, targets, (1, 8, 10), 1, context=2).draw(2, torch.Generator().manual_seed(seed))
    assert torch.equal(drawn[:, 0, 2].long(), found.y[:, 0])
    depth = (found.y[:, 0, 0, 0] // 80) % 6
    below = torch.clamp(depth - 2, min=0) - depth
    assert torch.equal(drawn[:, 0, 0, 0, 0].long() - found.y[:, 0, 0, 0], 80 * below)


def test_patches_are_drawn_around_structures():
    y = torch.zeros(1, 12, 24, 24, dtype=torch.int64)
    y[0, 9:11, 20:23, 1:4] = 1
    source = PatchSource(torch.zeros(1, 1, 12, 24, 24), TargetBatch(y), (4, 8, 8), 1)
    generator = torch.Generator().manual_seed(0)
    near, anywhere = (
        sum(bool(source.draw(1, generator, around=share)[1].y.any()) for _ in range(50)) for share in (1.0, 0.0)
    )
    assert near == 50
    assert anywhere < 25


def test_changes_move_image_target_and_validity_together_and_places_not_at_all():
    generator = torch.Generator().manual_seed(3)
    inside = torch.zeros(4, 16, 16, dtype=torch.int64)
    inside[:, 4:9, 5:12] = 1
    x = torch.cat([inside[:, None].float(), torch.rand(4, 2, 16, 16)], 1)
    moved, targets = changed(x, TargetBatch(inside, inside > 0), 1, generator, mirrors=False)
    assert torch.equal(moved[:, 1:], x[:, 1:])
    assert torch.equal(targets.y > 0, targets.valid)
    agree = ((moved[:, 0] > 0.5) == (targets.y > 0)).float().mean()
    assert agree > 0.97
    assert not torch.equal(targets.y, inside)


def test_the_mirror_takes_places_along():
    x = torch.arange(8.0).expand(64, 2, 8, 8).clone()
    moved, _ = changed(x, TargetBatch(torch.zeros(64, 8, 8, dtype=torch.int64)), 1, torch.Generator(), mirrors=True)
    flipped = (moved[:, 1, 0, 0] == 7).float().mean()
    assert 0.3 < flipped < 0.7


@pytest.mark.parametrize("across", [0, 1, 2])
def test_the_mirror_exchanges_left_and_right_whichever_way_a_volume_is_laid(across):
    side = 6
    shape = [side if axis == across else 1 for axis in range(3)]
    at_x = torch.linspace(0, 1, side).reshape(shape).expand(side, side, side)
    x = torch.stack([torch.rand(side, side, side), at_x]).expand(32, 2, side, side, side).contiguous()
    y = (at_x > 0.5).long().expand(32, side, side, side).contiguous()
    moved, targets = changed(x, TargetBatch(y), 1, torch.Generator().manual_seed(0), mirrors=True)
    mirrored = (moved[:, 1] == at_x.flip(across)).flatten(1).all(1)
    assert 5 < int(mirrored.sum()) < 27
    assert torch.equal(moved[~mirrored, 1], x[~mirrored, 1])
    first, last = (targets.y.float().movedim(across + 1, 1)[:, end].mean((1, 2)) for end in (0, -1))
    assert torch.equal(first > last, mirrored)


def test_slices_across_left_and_right_have_no_mirror():
    x = torch.stack([torch.arange(8.0).expand(8, 8), torch.full((8, 8), 0.3)]).expand(16, 2, 8, 8).clone()
    y = torch.arange(8).expand(16, 8, 8).clone()
    _, targets = changed(x, TargetBatch(y), 1, torch.Generator().manual_seed(0), mirrors=True)
    assert bool((targets.y[:, :, 0] < targets.y[:, :, -1]).all())


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 5), st.integers(5, 11), st.integers(0, 1000), st.sampled_from(sorted(REDUCTIONS)))
def test_labels_of_a_block_fit_its_resolution(factor, side, seed, how):
    y = torch.randint(3, (2, side, side + 1), generator=torch.Generator().manual_seed(seed))
    found = reduced(TargetBatch(y), factor, 3, how)
    grid = (-(-side // factor), -(-(side + 1) // factor))
    assert tuple(found.y.shape) == ((2, 3, *grid) if how == "soft" else (2, *grid))
    if how == "soft":
        assert torch.allclose(found.y.sum(1), torch.ones(2, *grid))
    for code in range(3):
        whole = torch.full((1, side, side), code)
        same = reduced(TargetBatch(whole), factor, 3, how).y
        assert bool((same.argmax(1) == code).all() if how == "soft" else (same == code).all())


def test_what_is_small_survives_as_any_and_as_shares_but_not_as_majority():
    y = torch.zeros(1, 8, 8, dtype=torch.int64)
    y[0, 3, 3] = 2
    assert bool((reduced(TargetBatch(y), 4, 3, "any").y == 2).any())
    assert float(reduced(TargetBatch(y), 4, 3, "soft").y[0, 2].sum()) == pytest.approx(1 / 16)
    assert not reduced(TargetBatch(y), 4, 3, "majority").y.any()


def test_shares_are_of_what_is_valid():
    y = torch.ones(1, 4, 4, dtype=torch.int64)
    valid = torch.zeros(1, 4, 4, dtype=torch.bool)
    valid[0, 0, 0] = True
    y[0, 1:] = 0
    found = reduced(TargetBatch(y, valid), 2, 2, "soft")
    assert found.valid.tolist() == [[[True, False], [False, False]]]
    assert found.y[0, :, 0, 0].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("how", sorted(REDUCTIONS))
def test_a_code_that_is_not_valid_never_reaches_a_coarser_block(how):
    y = torch.zeros(1, 4, 4, dtype=torch.int64)
    valid = torch.ones(1, 4, 4, dtype=torch.bool)
    # What is not valid is right in the middle of its place, and carries a code that must not be learnt.
    y[0, 1:4:2, 1:4:2], valid[0, 1:4:2, 1:4:2] = 2, False
    found = reduced(TargetBatch(y, valid), 2, 3, how)
    codes = found.y.argmax(1) if how == "soft" else found.y
    assert not codes[found.valid].any()
    assert bool(found.valid.any()) == (how != "nearest")


def test_a_descent_refuses_a_loss_that_is_not_finite():
    layer = torch.nn.Linear(2, 1)
    descend = Descent(1e-2, 0.0, "float32")
    with pytest.raises(TrainingError, match="nan at step 0"):
        descend([layer], 3, lambda _: layer(torch.ones(1, 2)).sum() * torch.nan)
    assert descend([layer], 50, lambda _: layer(torch.ones(1, 2)).square().sum()) < 0.1


def test_a_frozen_module_keeps_weights_and_statistics_and_comes_back():
    frozen_part, free = torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1)
    before = {name: value.clone() for name, value in frozen_part.state_dict().items()}
    with frozen([frozen_part]):
        Descent(1e-1, 0.1, "float32")([free], 3, lambda _: free(frozen_part(torch.randn(4, 2))).square().sum())
    assert all(torch.equal(value, before[name]) for name, value in frozen_part.state_dict().items())
    assert frozen_part.training
    assert all(each.requires_grad for each in frozen_part.parameters())
