import dataclasses
from functools import cache

import numpy as np
import pytest
import torch

from dataeff_al.errors import DataError
from dataeff_al.samples.pools.shapes import drawn_shapes
from labelers.deep_labelling import DeepLabeller, DeepLabellingSettings, changes
from labelers.deep_labelling.annotated import annotated_set, view_stack
from labelers.deep_labelling.confidence import calibrated, dice_at, risk_coverage
from labelers.deep_labelling.consensus import FEATURES, Traced, region_of, seen
from labelers.deep_labelling.detector import Candidates
from labelers.deep_labelling.dynamics import velocity
from labelers.deep_labelling.pairs import drawn_places, form_for, in_image, in_patch, read_patches
from labelers.deep_labelling.policies import Starts, make_policy
from labelers.deep_labelling.settings import POLICIES
from labelers.deep_labelling.training import folds
from labelers.deep_labelling.walking import walk

TINY = DeepLabellingSettings(steps=45, detector_steps=60, members=2, batch=8)
MANY, HELD = 10, 12


def shapes(count, seed):
    return drawn_shapes(count, 64, np.random.default_rng(seed))


@cache
def model(policy):
    images, masks = shapes(MANY, 0)
    settings = dataclasses.replace(TINY, policy=policy, members=2 if policy == "hybrid" else 1)
    return DeepLabeller.train(images, masks, settings, rng=np.random.default_rng(0))


def overlap(one, other):
    return 2 * (one & other).sum((1, 2)) / (one.sum((1, 2)) + other.sum((1, 2)))


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_learns_to_walk_the_boundary_from_a_few_images(policy):
    images, masks = shapes(HELD, 1)
    found = model(policy).segment(images)
    assert found.masks.shape == masks.shape
    assert found.masks.dtype == bool
    assert found.converged.mean() > 0.8
    assert np.median(overlap(found.masks, masks)) > 0.8


@pytest.mark.parametrize(("name", "most"), [("steps", 2), ("detector_steps", 3)])
def test_steps_that_are_not_given_are_more_for_many_images(name, most):
    def steps(settings, images):
        return getattr(settings, f"{name}_for")(images)

    usual, given = DeepLabellingSettings(), DeepLabellingSettings(**{name: 9})
    few, many = steps(usual, 1), steps(usual, 10_000)
    assert steps(usual, 100) == few
    assert few < steps(usual, 200) < many == most * few
    assert steps(given, 1) == steps(given, 10_000) == 9


def test_contours_are_sub_pixel_and_belong_to_their_masks():
    found = model("hybrid").segment(shapes(HELD, 1)[0])
    for contour, mask, converged in zip(found.contours, found.masks, found.converged, strict=True):
        assert contour.shape[1] == 2
        assert (len(contour) > 0) == converged == mask.any()
        assert not converged or not np.allclose(contour, contour.round())


def test_the_same_scenes_with_other_pixels_are_found_as_well():
    images, masks = (each.repeat(4, axis=1).repeat(4, axis=2) for each in shapes(6, 1))
    stack = view_stack(images)
    found = model("hybrid").detector.find(stack)
    true = annotated_set(images, masks)
    gap = (found.centres - true.centres[:, None]).norm(dim=-1) / true.radii[:, None]
    size = found.radii / true.radii[:, None]
    assert bool(((gap < 0.5) & (size > 0.5) & (size < 2)).any(dim=1).float().mean() > 0.8)
    assert np.median(overlap(model("hybrid").segment(images).masks, masks)) > 0.8


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("policy", POLICIES)
def test_one_grey_level_has_no_contour(policy, level):
    found = model(policy).segment(np.full((2, 64, 64), level, np.float32))
    assert not found.converged.any()
    assert not found.masks.any()
    assert not found.confidence.any()
    assert all(found.reasons)


def test_a_contour_where_nothing_is_to_be_seen_is_no_answer():
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    contour = 30 + 8 * np.stack([np.cos(turn), np.sin(turn)], 1)
    answer = Traced(contour, region_of(contour, (96, 96)), np.ones(len(FEATURES)), "", ())
    image = np.full((96, 96), 0.3, np.float32)
    image[70:] = 0.9
    assert "one grey level" in seen(answer, image).reason
    image[30, 30] = 0.4
    assert seen(answer, image) is answer


def test_training_twice_from_the_same_numbers_gives_the_same_answers():
    images, masks = shapes(6, 0)
    short = dataclasses.replace(TINY, steps=3, detector_steps=3)
    seen = shapes(3, 1)[0]
    answers = []
    for _ in range(2):
        trained = DeepLabeller.train(images, masks, short, rng=np.random.default_rng(0))
        answers.append(trained.segment(seen).masks)
        torch.rand(7)
    assert np.array_equal(*answers)


def test_a_saved_model_answers_as_before(tmp_path):
    path = tmp_path / "model.safetensors"
    model("hybrid").save(path)
    seen = shapes(3, 1)[0]
    loaded = DeepLabeller.load(path)
    assert loaded.settings == TINY
    assert np.array_equal(loaded.segment(seen).masks, model("hybrid").segment(seen).masks)
    assert np.array_equal(loaded.segment(seen).confidence, model("hybrid").segment(seen).confidence)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"not a model")
    with pytest.raises(DataError, match="whole safetensors file"):
        DeepLabeller.load(path)
    with pytest.raises(DataError, match="whole safetensors file"):
        DeepLabeller.load(tmp_path / "missing.safetensors")


def test_images_of_another_size_and_no_images_are_answered():
    images = np.pad(shapes(2, 1)[0], ((0, 0), (0, 24), (8, 0)), mode="edge")
    assert model("hybrid").segment(images).masks.shape == (2, 88, 72)
    assert model("hybrid").segment(images[:0]).masks.shape == (0, 88, 72)


def test_given_starts_are_used():
    images, masks = shapes(4, 1)
    known = annotated_set(images, masks)
    traced = model("hybrid").traced(images, Starts(known.centres, known.radii))
    assert np.median(overlap(np.stack([one.mask for one in traced]), masks)) > 0.8


class Misled:
    """A detector that is surest of a corner, then of a second place."""

    def __init__(self, known, second):
        self._known, self._second = known, second

    def find(self, stack):
        corner = torch.full((len(stack), 2), 1.0)
        second = self._known.centres if self._second == "truth" else corner
        radii = torch.stack([torch.full((len(stack),), 1.5), self._known.radii], dim=1)
        sure = torch.tensor([[1.0, 0.001]]).expand(len(stack), -1)
        return Candidates(torch.stack([corner, second], dim=1), radii, sure)


def walked_from(second, images, masks):
    known, trained = annotated_set(images, masks), model("published")
    return trained, walk(trained.policy, Misled(known, second), images, trained.settings)


def test_agents_that_close_no_orbit_start_again_from_the_next_likeliest_place():
    images, masks = shapes(4, 1)
    trained, answers = walked_from("truth", images, masks)
    from_corner = trained.traced(images, Starts(torch.full((4, 2), 1.0), torch.full((4,), 1.5)))
    failed = [row for row, one in enumerate(from_corner) if one.contour is None]
    assert failed
    assert np.median([overlap(answers[row].mask[None], masks[row][None])[0] for row in failed]) > 0.8
    assert all(answers[row].features[FEATURES.index("found")] < 0.1 for row in failed)


def test_where_no_place_has_an_orbit_the_answer_is_why_the_likeliest_failed():
    images, masks = shapes(4, 1)
    _, answers = walked_from("corner", images, masks)
    failed = [answer for answer in answers if answer.contour is None]
    assert failed
    assert all(answer.reason and answer.start == (1.0, 1.0, 1.5) for answer in failed)


def test_an_answer_tells_where_its_agents_began():
    images, masks = shapes(4, 1)
    trained, answers = walked_from("truth", images, masks)
    for image, answer in zip(images, answers, strict=True):
        x, y, radius = answer.start
        (again,) = trained.traced(image[None], Starts(torch.tensor([[x, y]]), torch.tensor([radius])))
        assert (again.mask == answer.mask).all()


def test_what_training_left_out_and_held_back_is_reported():
    images, masks = shapes(8, 2)
    masks[3] = False
    trained = DeepLabeller.train(
        images, masks, dataclasses.replace(TINY, steps=3, detector_steps=3), rng=np.random.default_rng(0)
    )
    assert [left.row for left in trained.report.left_out] == [3]
    assert sorted(trained.report.held_back_dice) == [0, 1, 2, 4, 5, 6, 7]
    assert len(trained.report.losses["member 1"]) == 3


def test_groups_are_never_split_between_folds():
    for cases, parts in ((2, 2), (3, 3), (7, 4), (8, 2)):
        groups = np.repeat(np.arange(cases), 3)
        found = folds(len(groups), groups, np.random.default_rng(0))
        assert found is not None
        assert all(len(set(found[groups == group])) == 1 for group in range(cases))
        assert set(found) == set(range(parts))


def test_nothing_of_a_single_case_is_held_back():
    rng = np.random.default_rng(0)
    assert folds(20, np.zeros(20), rng) is None
    assert folds(4, None, rng) is None


def test_without_groups_runs_of_neighbours_are_held_back():
    rng = np.random.default_rng(0)
    assert np.array_equal(folds(6, None, rng), [0, 0, 0, 1, 1, 1])
    assert np.array_equal(folds(12, None, rng), np.repeat(range(4), 3))
    assert np.array_equal(folds(100, None, rng), np.repeat(range(2), 50))


def test_pairs_carry_the_displacement_of_the_true_field_in_the_patchs_frame():
    known = annotated_set(*shapes(3, 0))
    places = drawn_places(known, 500, 5.0, 180.0, torch.Generator().manual_seed(0))
    truth = velocity(places.distance, places.gradient, 5.0)
    assert torch.allclose(in_image(in_patch(truth, places.headings), places.headings), truth, atol=1e-5)
    assert places.headings.norm(dim=-1).numpy() == pytest.approx(np.ones(500), abs=1e-2)
    assert places.distance.abs().median() > 1
    patches = read_patches(known, places, form_for(10.0), torch.Generator().manual_seed(0))
    assert patches.shape == (500, 32, 32)
    assert bool(torch.isfinite(patches).all())


def test_surroundings_are_set_apart_and_the_boundary_stays_where_it_is():
    centres, radius, direction = torch.tensor([[20.0, 30.0]] * 2), 10.0, torch.tensor([0.6, 0.8])
    reach = radius * torch.linspace(0.2, 3.0, 29)
    points = centres[:, None, None] + reach[:, None] * direction
    outside = (reach - radius).clamp_min(0).expand(2, 1, -1)
    moved = changes.apart(points, centres, outside, torch.tensor([0.5, 2.0])) - centres[:, None, None]
    for row, share in enumerate((0.5, 2.0)):
        expected = torch.where(reach > radius, radius + share * (reach - radius), reach)
        assert torch.allclose(moved[row, 0] @ direction, expected, atol=1e-4)


def test_spots_lie_about_the_rim_and_in_half_of_all_views():
    x, y = torch.meshgrid(torch.arange(60.0), torch.arange(60.0), indexing="xy")
    points, middle = torch.stack([x, y], dim=-1).expand(400, -1, -1, -1), torch.tensor([[30.0, 30.0]] * 400)
    covered = changes.spots(points, middle, torch.full((400,), 20.0), torch.Generator().manual_seed(0))
    assert 0 <= covered.min() <= covered.max() <= 1
    assert 0.4 < (covered.flatten(1).max(dim=1).values > 0.3).float().mean() < 0.6
    assert covered[:, 30, 30].max() < 0.1
    assert covered[:, 30, 46].max() > 0.5


def test_a_mirrored_agent_sees_and_moves_mirrored():
    policy = make_policy(dataclasses.replace(TINY, policy="published"), {"radius_px": 10.0})
    stack = torch.from_numpy(shapes(1, 0)[0])
    where, way = torch.tensor([[31.5, 31.5]]), torch.tensor([[1.0, 0.0]])
    policy.networks.eval()
    rows = torch.zeros(1, dtype=torch.long)
    forward = _guide(policy, stack, rows, False).velocity(where, way)
    mirrored = _guide(policy, stack.flip(1), rows, True).velocity(where, way)
    assert mirrored[0].numpy() == pytest.approx((forward[0] * torch.tensor([1.0, -1.0])).detach().numpy(), abs=1e-4)


def _guide(policy, stack, rows, other):
    from labelers.deep_labelling.patch_policies import PatchGuide

    return PatchGuide(policy, stack, rows, torch.tensor([other]))


def test_calibrated_confidence_is_the_mean_dice_and_ranks():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.4, 0.99, 80)
    features = np.column_stack([truth + rng.normal(0, 0.05, 80), rng.uniform(0, 1, (80, 5))])
    fitted = calibrated(features, truth)
    sure = fitted.confidence(features)
    assert sure.mean() == pytest.approx(truth.mean(), abs=0.01)
    assert np.corrcoef(sure, truth)[0, 1] > 0.9
    coverage, means = risk_coverage(sure, truth)
    assert coverage[-1] == 1
    assert means[-1] == pytest.approx(truth.mean())
    assert dice_at(sure, truth, 0.5) > truth.mean() + 0.05
