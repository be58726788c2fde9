import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dataeff_al.errors import DataError
from dataeff_al.labeling.npz_labels import read_labels
from dataeff_al.labeling.npz_writing import write_labels, write_predictions, write_samples
from dataeff_al.labeling.types import Label
from dataeff_al.samples.npz import Reading, columns_from, count_samples, read_columns, read_samples
from dataeff_al.samples.types import FieldSpec, Sample, SampleId, SampleSpec, TargetSpec

X = np.random.default_rng(0).random((4, 1, 5, 6), dtype=np.float32)
MASK = np.random.default_rng(1).integers(0, 3, (4, 5, 6), dtype=np.uint8)
STRESS = np.where(MASK[:, None] > 0, 7, np.nan).astype(np.float32)


@st.composite
def sample_lists(draw):
    shape = draw(st.sampled_from([(1, 3, 4), (2, 3, 3), (1, 2, 3, 4), (5,)]))
    finite = st.floats(-1000, 1000, width=32)
    n = draw(st.integers(1, 5))
    names = draw(st.lists(st.text("abcxyz-/ äß", min_size=1, max_size=8), min_size=n, max_size=n, unique=True))
    groups = draw(st.lists(st.sampled_from(["p1", "p2"]), min_size=n, max_size=n))
    rows = draw(hnp.arrays(np.float32, (n, *shape), elements=finite))
    kind = "values" if len(shape) == 1 else "intensity"
    spec = SampleSpec({"x": FieldSpec(shape, "float32", kind, range=None if kind == "values" else (-1000, 1000))}, "x")
    samples = [Sample(SampleId(name), {"x": row}, group) for name, row, group in zip(names, rows, groups, strict=True)]
    return spec, samples


@settings(max_examples=40, deadline=None)
@given(sample_lists())
def test_samples_survive_the_way_through_a_file(tmp_path_factory, content):
    spec, samples = content
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    write_samples(path, spec, samples)
    found = read_samples(path)
    assert found.spec == spec
    assert count_samples(path) == len(samples)
    for sample, read in zip(samples, found.samples, strict=True):
        assert (read.id, read.group) == (sample.id, sample.group)
        assert np.array_equal(read.fields["x"], sample.fields["x"])
        assert read.fields["x"].dtype == np.float32


TARGETS = {
    "label": (TargetSpec("label", "class", (), classes=("cat", "dog")), np.array(1)),
    "mask": (TargetSpec("mask", "mask", (5, 6), classes=("a", "b", "c")), MASK[0]),
    "stress": (
        TargetSpec("stress", "field", (1, 5, 6), channels=("first",), unit="kPa", undefined_in=("a",)),
        STRESS[0],
    ),
    "y": (TargetSpec("y", "values", (2,), channels=("u", "v")), np.array([1, 2], np.float32)),
}


@pytest.mark.parametrize("name", TARGETS)
def test_labels_survive_the_way_through_a_file(tmp_path, name):
    target, value = TARGETS[name]
    if name == "stress":
        spec = SampleSpec({"mask": FieldSpec((5, 6), "uint8", "codes", classes=("a", "b", "c"))}, "mask")
        samples = [Sample(SampleId("s"), {"mask": MASK[0]}, "g")]
    else:
        spec = SampleSpec({"x": FieldSpec((1, 5, 6), "float32", "intensity", range=(0.0, 1.0))}, "x")
        samples = [Sample(SampleId("s"), {"x": X[0]}, "g")]
    write_samples(tmp_path / "a.npz", spec, samples, target, [Label({name: value})])
    found = read_samples(tmp_path / "a.npz")
    assert found.target == target
    assert np.array_equal(found.answers[0][name], value, equal_nan=name == "stress")
    assert found.answers[0][name].dtype == value.dtype


def test_missing_labels_and_what_is_not_valid_are_marked(tmp_path):
    target = TARGETS["stress"][0]
    valid = np.zeros((5, 6), bool)
    valid[2, 3] = True
    whole = np.full((1, 5, 6), 3, np.float32)
    write_labels(tmp_path / "a.npz", ["a", "b"], target, [Label({"stress": whole}, valid, confidence=0.5), None])
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        assert np.array_equal(np.isfinite(found["stress"][0, 0]), valid)
        assert np.isnan(found["stress"][1]).all()
        assert found["channels"].tolist() == ["first"]
        assert found["confidence"][0] == np.float32(0.5)
    write_labels(tmp_path / "b.npz", ["a", "b"], TARGETS["mask"][0], [Label({"mask": MASK[0]}, valid), None])
    with np.load(tmp_path / "b.npz", allow_pickle=False) as found:
        assert np.array_equal(found["valid"][0], valid)
        assert not found["valid"][1].any()
        assert (found["mask"][1] == 255).all()
    write_labels(tmp_path / "c.npz", ["a", "b"], TARGETS["label"][0], [Label({"label": np.array(1)}), None])
    with np.load(tmp_path / "c.npz", allow_pickle=False) as found:
        assert found["label"].tolist() == [1, -1]


def test_predictions_are_written_in_the_form_of_their_target(tmp_path):
    rng = np.random.default_rng(0)
    write_predictions(tmp_path / "a.npz", ["a", "b"], TARGETS["label"][0], np.array([[0.2, 0.8], [0.9, 0.1]]))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        assert found["label"].tolist() == [1, 0]
        assert found["confidence"].tolist() == pytest.approx([0.8, 0.9])
    write_predictions(
        tmp_path / "b.npz", ["a"], TARGETS["mask"][0], rng.dirichlet([1, 1, 1], (1, 5, 6)).transpose(0, 3, 1, 2)
    )
    with np.load(tmp_path / "b.npz", allow_pickle=False) as found:
        assert found["mask"].shape == (1, 5, 6)
        assert found["mask"].dtype == np.uint8
    write_predictions(tmp_path / "c.npz", ["a"], TARGETS["stress"][0], STRESS[:1])
    assert np.array_equal(np.load(tmp_path / "c.npz")["stress"], STRESS[:1], equal_nan=True)
    for target in ("label", "stress"):
        with pytest.raises(DataError, match="must be"):
            write_predictions(tmp_path / "d.npz", ["a"], TARGETS[target][0], np.zeros((1, 9)))


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"x": X, "label": np.arange(4)}, ("x", "label")),
        ({"x": X, "mask": MASK}, ("x", "mask")),
        ({"mask": MASK, "stress": STRESS}, ("mask", "stress")),
        ({"x": X, "mask": MASK, "stress": STRESS}, ("mask", "stress")),
        ({"mask": MASK}, ("mask", None)),
        ({"x": X, "something": np.zeros(3)}, ("x", None)),
        ({"x": X[:, 0, 0], "y": X[:, 0, 1]}, ("x", "y")),
    ],
)
def test_input_and_answer_are_found_out(arrays, expected):
    columns = columns_from(arrays)
    assert (columns.spec.input, columns.target and columns.target.name) == expected


def test_a_reading_says_which_array_is_which():
    arrays = {"x": X, "mask": MASK, "label": np.arange(4)}
    columns = columns_from(arrays, Reading(answer="label", classes=("p", "q", "r", "s")))
    assert (columns.spec.input, columns.target.name, columns.target.classes) == ("x", "label", ("p", "q", "r", "s"))
    assert columns_from(arrays, Reading(input="mask", answer="label")).spec.input == "mask"
    with pytest.raises(DataError, match="must differ"):
        columns_from(arrays, Reading(input="mask", answer="mask"))
    with pytest.raises(DataError, match="answers must be in 'stress'"):
        columns_from(arrays, Reading(answer="stress"))


def test_the_intensity_convention_is_declared():
    assert columns_from({"x": X}).spec.input_field.range == (0, 1)
    assert columns_from({"x": (X * 255).astype(np.uint8)}).spec.input_field.range == (0, 255)
    assert columns_from({"x": X, "range": np.array([-1.0, 2.0])}).spec.input_field.range == (-1, 2)
    assert columns_from({"x": X, "range": np.array([-1.0, 2.0])}, Reading(range=(0, 5))).spec.input_field.range == (
        0,
        5,
    )
    with pytest.raises(DataError, match=r"must lie in 0 to 0\.5"):
        columns_from({"x": X}, Reading(range=(0, 0.5)))


def test_pixel_sizes_stand_in_the_spec_when_equal_and_beside_each_sample_when_not():
    same = columns_from({"mask": MASK, "pixel_size_mm": np.full(4, 0.1)})
    assert same.spec.input_field.pixel_size_mm == 0.1
    assert columns_from({"mask": MASK, "pixel_size_mm": np.array(0.1)}).spec == same.spec
    each = columns_from({"mask": MASK, "pixel_size_mm": np.array([0.1, 0.2, 0.1, 0.1])})
    assert each.spec.input_field.pixel_size_mm is None
    assert each.fields["pixel_size_mm"].tolist() == pytest.approx([0.1, 0.2, 0.1, 0.1])


def with_nan(place):
    spoilt = X.copy()
    spoilt[place, 0, 0, 0] = np.nan
    return spoilt


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": with_nan(2), "id": np.array(list("abcd"))}, "must be finite, but got something else in 1 .* first 'c'"),
        ({"x": np.full_like(X, np.inf)}, "must be finite.*first '000000'"),
        ({"x": X, "id": np.array(list("abca"))}, "unique, but got 'a' twice"),
        ({"x": X, "id": np.array(["a", "b", "c", "d\n"])}, "printable"),
        ({"x": X, "id": np.array(["a", "b", "c", ""])}, "printable"),
        ({"x": X, "id": np.array(list("abc"))}, r"must be \(4,\) names"),
        ({"x": X, "group": np.zeros((4, 2))}, r"must be \(4,\) names"),
        ({"x": X, "label": np.arange(3)}, r"'label' must be \(4,\)"),
        ({"x": X, "label": np.arange(4) - 1}, "must be 0 to"),
        ({"x": X, "label": np.arange(4) * 0.5}, "must be .n,. int64"),
        ({"x": X, "label": np.arange(4), "classes": np.array(["a", "b"])}, "must hold codes below 2"),
        ({"x": X[:, 0]}, "must be .n, d., "),
        ({"x": np.array(["a", "b"])[:, None]}, "dtype"),
        ({"x": X.astype(complex)}, "dtype"),
        ({"x": np.full((2, 1, 3, 3), 1e300)}, "must fit float32"),
        ({"mask": MASK.astype(float)}, "class codes 0 to 255"),
        ({"mask": MASK.astype(int) + 300}, "class codes 0 to 255"),
        ({"mask": MASK, "classes": np.array(["a", "b"])}, "codes below 2"),
        ({"mask": MASK[0]}, "must be .n, h, w."),
        ({"mask": MASK, "stress": STRESS[:, :, :4]}, "grid of the input"),
        ({"x": X, "mask": MASK[:, :4]}, "grid of the input"),
        ({"mask": MASK, "stress": np.full_like(STRESS, np.inf)}, "finite numbers"),
        ({"mask": MASK, "stress": STRESS[:, 0, 0]}, "must be .n, k. for 'y'"),
        ({"x": X[:, 0, 0], "y": np.full((4, 1), np.nan)}, "finite numbers"),
        ({"mask": MASK, "pixel_size_mm": np.array(-1.0)}, "one positive number"),
        ({"mask": MASK, "pixel_size_mm": np.array([0.1, 0.2])}, "one positive number"),
        ({"label": np.arange(4)}, "must hold 'x' or 'mask'"),
        ({"x": np.zeros((0, 1, 2, 2))}, "at least one number"),
        ({"x": X, "range": np.array([1.0, 0.0])}, "two rising numbers"),
    ],
)
def test_arrays_that_break_the_contract_are_named(tmp_path, arrays, sentence):
    with pytest.raises(DataError, match=sentence):
        columns_from(arrays)
    if all(array.size for array in arrays.values()):
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(DataError, match=f"a.npz.*{sentence}"):
            read_columns(tmp_path / "a.npz")


def test_writing_names_a_sample_or_label_that_breaks_its_spec(tmp_path):
    spec = SampleSpec({"x": FieldSpec((1, 5, 6), "float32", "intensity")}, "x")
    good = Sample(SampleId("a"), {"x": X[0]}, "g")
    target = TARGETS["label"][0]
    with pytest.raises(DataError, match="at least one sample"):
        write_samples(tmp_path / "a.npz", spec, [])
    with pytest.raises(DataError, match="'x' of 'b' must be"):
        write_samples(tmp_path / "a.npz", spec, [good, Sample(SampleId("b"), {"x": X[0, 0]}, "g")])
    with pytest.raises(DataError, match="codes below 2"):
        write_samples(tmp_path / "a.npz", spec, [good], target, [Label({"label": np.array(2)})])
    with pytest.raises(DataError, match="must hold 'label'"):
        write_samples(tmp_path / "a.npz", spec, [good], target, [Label({"other": np.array(1)})])
    with pytest.raises(DataError, match="must have a label or None"):
        write_samples(tmp_path / "a.npz", spec, [good], target, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", TARGETS)
def test_labels_are_read_back_by_id_and_blanks_are_left_out(tmp_path, name):
    target, value = TARGETS[name]
    given_labels = [Label({name: value}, confidence=0.25), None, Label({name: value})]
    write_labels(tmp_path / "a.npz", ["a", "b", "c"], target, given_labels)
    found = read_labels(tmp_path / "a.npz", target)
    assert list(found) == ["a", "c"]
    assert (found["a"].confidence, found["c"].confidence) == (0.25, None)
    for label in found.values():
        assert np.array_equal(label.target[name], value, equal_nan=name == "stress")
    if name == "stress":
        assert np.array_equal(found["a"].valid, np.isfinite(value[0]))


def test_the_validity_of_a_mask_is_read_back(tmp_path):
    valid = MASK[0] > 0
    write_labels(tmp_path / "a.npz", ["a"], TARGETS["mask"][0], [Label({"mask": MASK[0]}, valid)])
    assert np.array_equal(read_labels(tmp_path / "a.npz", TARGETS["mask"][0])["a"].valid, valid)


@pytest.mark.parametrize(
    ("name", "arrays", "sentence"),
    [
        ("label", {"label": np.array([1])}, "must hold 'id'"),
        ("label", {"id": np.array(["a"])}, "must hold 'label'"),
        ("label", {"id": np.array(["a", "a"]), "label": np.array([1, 0])}, "must be unique"),
        ("label", {"id": np.array(["a"]), "label": np.array([1, 0])}, "names"),
        ("label", {"id": np.array(["a"]), "label": np.array([7])}, "'a': 'label' must hold codes below 2"),
        ("label", {"id": np.array(["a"]), "label": np.array([0.5])}, "int64 codes"),
        ("mask", {"id": np.array(["a"]), "mask": np.full((1, 5, 6), 300)}, "uint8 codes"),
        ("mask", {"id": np.array(["a"]), "mask": MASK[:1], "valid": MASK[:1]}, "'valid' must be"),
        ("mask", {"id": np.array(["a"]), "mask": MASK[0]}, "'mask' must be"),
        ("stress", {"id": np.array(["a"]), "stress": np.full((1, 1, 5, 6), np.inf)}, "finite numbers"),
        ("y", {"id": np.array(["a"]), "y": np.array([[1, np.nan]])}, "finite numbers"),
        ("y", {"id": np.array(["a"]), "y": np.ones((1, 2)), "confidence": np.array([2.0])}, "between 0 and 1"),
    ],
)
def test_labels_that_break_their_target_are_named(tmp_path, name, arrays, sentence):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=f"a.npz.*{sentence}"):
        read_labels(tmp_path / "a.npz", TARGETS[name][0])
