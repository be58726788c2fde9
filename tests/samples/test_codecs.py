import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dataeff_al.errors import DataError
from dataeff_al.samples.codecs import ImageCodec, MaskCodec, TableCodec
from dataeff_al.samples.types import FieldSpec, Invalid, Sample, SampleId, SampleSpec
from dataeff_al.testing.pools import check_codec


def image_codec(low=-100.0, high=300.0, shape=(1, 3, 4)):
    return ImageCodec(SampleSpec({"x": FieldSpec(shape, "float32", "intensity", range=(low, high))}, "x"))


def mask_codec(classes=("out", "lumen", "wall"), shape=(3, 4)):
    return MaskCodec(SampleSpec({"mask": FieldSpec(shape, "uint8", "codes", classes=classes)}, "mask"))


def samples(name, rows):
    return [Sample(SampleId(f"s{row}"), {name: value}, "g") for row, value in enumerate(rows)]


@given(hnp.arrays(np.float32, (3, 1, 3, 4), elements=st.floats(-100, 300, width=32)))
def test_images_survive_the_way_there_and_back(rows):
    codec = image_codec()
    x = codec.soften(samples("x", rows))
    assert float(x.min()) >= 0
    assert float(x.max()) <= 1
    for hard, row in zip(codec.harden(x), rows, strict=True):
        assert np.allclose(hard.fields["x"], row, atol=1e-3)


@given(hnp.arrays(np.uint8, (2, 2, 3, 4), elements=st.integers(0, 2)))
def test_masks_of_any_rank_survive_exactly(rows):
    codec = mask_codec(shape=(2, 3, 4))
    x = codec.soften(samples("mask", rows))
    assert x.shape == (2, 3, 2, 3, 4)
    for hard, row in zip(codec.harden(x), rows, strict=True):
        assert np.array_equal(hard.fields["mask"], row)
        assert hard.fields["mask"].dtype == np.uint8


def test_codecs_keep_the_contract():
    rng = np.random.default_rng(0)
    table = TableCodec(
        SampleSpec({"x": FieldSpec((3,), "float32", "values")}, "x"), np.array([1, 2, 3]), np.array([1, 0, 5])
    )
    check_codec(image_codec(), samples("x", rng.uniform(-100, 300, (3, 1, 3, 4)).astype(np.float32)))
    check_codec(mask_codec(), samples("mask", rng.integers(0, 3, (3, 3, 4), dtype=np.uint8)))
    check_codec(table, samples("x", rng.normal(size=(3, 3)).astype(np.float32)))


def test_hardening_clips_to_the_declared_range():
    hard = image_codec().harden(torch.tensor([-5.0, 5.0]).repeat(6).reshape(1, 1, 3, 4))[0]
    assert (hard.fields["x"].min(), hard.fields["x"].max()) == (-100, 300)


def test_hardened_content_never_leaves_a_range_that_float32_cannot_hold():
    codec = image_codec(0.1, 0.7)
    hard = codec.harden(torch.ones(1, 1, 3, 4))[0]
    assert 0.1 <= float(hard.fields["x"].max()) <= 0.7
    hard = codec.harden(torch.zeros(1, 1, 3, 4))[0]
    assert 0.1 <= float(hard.fields["x"].min()) <= 0.7


def test_an_id_comes_from_the_content_alone():
    codec = image_codec()
    x = torch.rand(2, 1, 3, 4, generator=torch.Generator().manual_seed(0))
    first, second = codec.harden(x)
    assert first.id != second.id
    assert codec.harden(x[1:])[0].id == second.id
    assert first.group == first.id


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_invalid(value):
    for codec, shape in ((image_codec(), (1, 3, 4)), (mask_codec(), (3, 3, 4))):
        x = torch.zeros(2, *shape)
        x[0, 0, 0, 0] = value
        bad, good = codec.harden(x)
        assert isinstance(bad, Invalid)
        assert isinstance(good, Sample)


def test_samples_that_break_the_spec_are_refused():
    with pytest.raises(DataError, match="'x' of 's1' must be"):
        image_codec().soften(samples("x", [np.zeros((1, 3, 4), np.float32), np.zeros((1, 3, 5), np.float32)]))
    with pytest.raises(DataError, match="float32"):
        image_codec().soften(samples("x", [np.zeros((1, 3, 4))]))
    with pytest.raises(DataError, match="nothing"):
        image_codec().soften(samples("mask", [np.zeros((1, 3, 4), np.float32)]))
    with pytest.raises(DataError, match="codes below 3, but got 9"):
        mask_codec().soften(samples("mask", [np.full((3, 4), 9, np.uint8)]))
    with pytest.raises(DataError, match="name its classes"):
        mask_codec(classes=())
    with pytest.raises(DataError, match="must rise"):
        image_codec(1, 1)


def test_a_constant_column_is_not_divided_by_zero():
    codec = TableCodec(SampleSpec({"x": FieldSpec((2,), "float32", "values")}, "x"), np.array([4, 0]), np.array([0, 2]))
    x = codec.soften(samples("x", np.array([[4, 2], [4, -2]], np.float32)))
    assert x.tolist() == [[0, 1], [0, -1]]


def test_a_table_is_standardised_by_its_rows_that_are_not_held_out(build, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "t.npz", x=rng.normal(50, 9, (40, 3)), y=rng.random((40, 1)))
    pool = build("table", file="t.npz")
    x = pool.codec().soften(pool.read(pool.ids()))
    assert x.mean(dim=0).tolist() == pytest.approx([0, 0, 0], abs=1e-5)
    assert x.std(dim=0, correction=0).tolist() == pytest.approx([1, 1, 1], abs=1e-5)


SPEC = SampleSpec({"x": FieldSpec((1, 3, 4), "float32", "intensity", range=(0.0, 1.0))}, "x")


class Wrong(ImageCodec):
    def __init__(self, fault):
        super().__init__(SPEC)
        self.fault = fault

    def soften(self, batch):
        x = super().soften(batch)
        return {"double": x.double(), "range": x * 2, "batch": x / max(len(batch), 1)}.get(self.fault, x)

    def harden(self, x):
        if self.fault == "forget":
            return super().harden(x * 0.5)
        if self.fault == "nan":
            return super().harden(torch.nan_to_num(x))
        return super().harden(x)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("double", "must give float32"),
        ("range", "softened into"),
        ("batch", "how samples are batched"),
        ("forget", "there and back"),
        ("nan", "must be Invalid"),
    ],
)
def test_the_suite_catches_codecs_that_break_the_contract(fault, sentence):
    rows = np.random.default_rng(0).uniform(0.6, 1, (3, 1, 3, 4)).astype(np.float32)
    with pytest.raises(AssertionError, match=sentence):
        check_codec(Wrong(fault), samples("x", rows))
