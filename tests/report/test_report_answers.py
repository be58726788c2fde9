from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dataeff_al.report.answers import answer_picture
from dataeff_al.report.model import Case

RNG = np.random.default_rng(0)
GREY = RNG.random((1, 16, 16)).astype(np.float32)
CODES = RNG.integers(0, 3, (16, 16)).astype(np.uint8)
FIELD = RNG.random((2, 16, 16)).astype(np.float32)
VOLUME = RNG.random((1, 6, 16, 16)).astype(np.float32)
NAMES = ("background", "lumen", "<wall> $x^2$")


def case(kind, truth, **more):
    return Case(id="a", kind=kind, truth=truth, prediction=truth, error=0.0, **more)


CASES = {
    "class": case("class", np.array(1), classes=NAMES, image=GREY),
    "class of a row": case("class", np.array(2), classes=NAMES, image=np.ones(4), image_kind="values"),
    "mask": case("mask", CODES, classes=NAMES, image=GREY),
    "empty mask": case("mask", CODES * 0, classes=NAMES, image=GREY),
    "mask of a volume": case("mask", np.stack([CODES] * 6), classes=NAMES, image=VOLUME),
    "field": case("field", FIELD, channels=("a", "b"), unit="kPa", image=CODES, image_kind="codes"),
    "field of nothing": case("field", FIELD * np.nan, channels=("a", "b"), image=GREY),
    "constant field": case("field", FIELD * 0, channels=("a", "b"), image=GREY, pixel_size_mm=0.1),
    "values": case("values", np.array([1.0, -2.0]), channels=("a", "b"), unit="m", image=GREY),
    "many values of a row": case("values", np.ones(40), image=np.ones(4), image_kind="values"),
}


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_answer_has_a_picture_and_always_the_same(name):
    first = answer_picture(CASES[name])
    assert first == answer_picture(CASES[name])
    with Image.open(BytesIO(first)) as picture:
        pixels = np.asarray(picture.convert("L"))
    assert min(pixels.shape) > 150
    assert np.unique(pixels).size > 8


def test_a_label_changes_the_picture():
    other = case("class", np.array(0), classes=NAMES, image=GREY)
    assert answer_picture(other) != answer_picture(CASES["class"])
