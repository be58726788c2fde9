import numpy as np
import pytest
import torch

from dataeff_al.errors import DataError
from labelers.deep_labelling.annotated import annotated_set
from labelers.deep_labelling.labeller import DeepLabeller
from labelers.deep_labelling.settings import DeepLabellingSettings
from labelers.deep_labelling.training import fit

Y, X = np.mgrid[:40, :40]
GOOD = np.hypot(X - 20, Y - 20) < 8
IMAGES = np.random.default_rng(0).uniform(0, 1, (3, 40, 40)).astype(np.float32)


def masks(second):
    return np.stack([GOOD, second, GOOD])


def one_pixel():
    mask = np.zeros_like(GOOD)
    mask[20, 20] = True
    return mask


BROKEN = {
    "no region": (np.zeros_like(GOOD), "must hold a region"),
    "two regions": (GOOD | (np.hypot(X - 34, Y - 5) < 3), "must hold one region, but got 2"),
    "a region at the border": (np.hypot(X, Y - 20) < 8, "must not touch the image's border"),
    "one pixel": (one_pixel(), "must have at least 4 pixels, but got 1"),
    "a ring": (GOOD & (np.hypot(X - 20, Y - 20) > 5), "must be filled, but got a ring"),
}


@pytest.mark.parametrize(("mask", "rule"), BROKEN.values(), ids=BROKEN.keys())
def test_an_unusable_annotation_is_left_out_and_named(mask, rule):
    found = annotated_set(IMAGES, masks(mask))
    assert found.rows.tolist() == [0, 2]
    assert [left.row for left in found.left_out] == [1]
    assert rule in found.left_out[0].reason
    with pytest.raises(DataError, match="at least one annotated image must be usable"):
        annotated_set(IMAGES[1:2], mask[None])


def with_nan():
    images = IMAGES.copy()
    images[1, 3, 3] = np.nan
    return images


REFUSED = {
    "nan": (with_nan(), masks(GOOD), "finite, but got NaN or infinity in image 1"),
    "whole numbers": ((IMAGES * 255).astype(np.uint8), masks(GOOD), "must be .n, h, w. float32"),
    "beyond the range": (IMAGES * 255, masks(GOOD), "within 0 and 1"),
    "codes for masks": (IMAGES, masks(GOOD).astype(np.uint8), "masks must be bool"),
    "other shapes": (IMAGES, masks(GOOD)[:2], "the images' shape"),
    "nothing": (IMAGES[:0], masks(GOOD)[:0], "at least one annotated image"),
    "too small": (IMAGES[:, :20], masks(GOOD)[:, :20], "at least 32 pixels"),
    "one image alone": (IMAGES[0], GOOD, "must be .n, h, w. float32"),
}


@pytest.mark.parametrize(("images", "regions", "rule"), REFUSED.values(), ids=REFUSED.keys())
def test_arrays_of_a_wrong_form_are_refused_with_the_rule(images, regions, rule):
    with pytest.raises(DataError, match=rule):
        DeepLabeller.train(images, regions, DeepLabellingSettings(), rng=np.random.default_rng(0))


def test_a_speck_within_a_region_is_no_ring():
    speckled = GOOD.copy()
    speckled[20, 18:20] = False
    assert not annotated_set(IMAGES, masks(speckled)).left_out


def test_random_numbers_and_cases_of_a_wrong_form_are_refused():
    with pytest.raises(DataError, match="rng must be a numpy random Generator, but got 0"):
        DeepLabeller.train(IMAGES, masks(GOOD), rng=0)
    for groups in (["a"], ["a"] * 4):
        with pytest.raises(DataError, match=f"each of 3 images, but got {len(groups)}"):
            DeepLabeller.train(IMAGES, masks(GOOD), rng=np.random.default_rng(0), groups=np.array(groups))


@pytest.mark.parametrize(
    "wrong",
    [
        {"policy": "guess"},
        {"steps": 0},
        {"steps": "3"},
        {"steps": 1.5},
        {"members": 17},
        {"members": None},
        {"learning_rate": None},
        {"starts": 1},
        {"softness_px": float("nan")},
    ],
)
def test_a_setting_out_of_range_is_refused(wrong):
    with pytest.raises(DataError, match=f"{next(iter(wrong))} must"):
        DeepLabellingSettings(**wrong)


def test_numbers_of_any_kind_are_taken():
    assert DeepLabellingSettings(steps=np.int64(7), softness_px=3).steps_for(1) == 7
    assert DeepLabellingSettings(softness_px=np.float32(0.5)).softness_px == 0.5


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 8, 9])
def test_training_of_any_length_has_a_warm_up(steps):
    network = torch.nn.Linear(1, 1)
    generator = torch.Generator().manual_seed(0)
    losses = fit(network, lambda g: network(torch.rand((2, 1), generator=g)).square().mean(), steps, 0.01, generator)
    assert len(losses) == steps
