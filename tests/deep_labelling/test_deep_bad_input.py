import numpy as np
import pytest

from dataeff_al.errors import DataError
from labelers.deep_labelling.annotated import annotated_set
from labelers.deep_labelling.labeller import DeepLabeller
from labelers.deep_labelling.settings import DeepLabellingSettings

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


@pytest.mark.parametrize(
    "wrong", [{"policy": "guess"}, {"steps": 0}, {"members": 17}, {"starts": 1}, {"softness_px": float("nan")}]
)
def test_a_setting_out_of_range_is_refused(wrong):
    with pytest.raises(DataError, match=f"{next(iter(wrong))} must"):
        DeepLabellingSettings(**wrong)
