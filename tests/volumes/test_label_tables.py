import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dataeff_al.errors import DataError
from dataeff_al.volumes.files import matches
from dataeff_al.volumes.grid import box_of, fitted, normalised, places
from dataeff_al.volumes.tables import LabelTable, hidden_but, read_table, table_from

TABLE = LabelTable({"oedema": (2,), "core": (1, 3), "enhancing": (4,)}, frozenset({9}))


@given(arrays.arrays(np.int32, (3, 4), elements=st.sampled_from([0, 1, 2, 3, 4, 9])))
def test_codes_of_a_file_become_codes_of_the_pool(codes):
    expected = {0: 0, 1: 2, 2: 1, 3: 2, 4: 3, 9: 0}
    assert TABLE.recoded(codes, "a case").tolist() == [[expected[int(code)] for code in row] for row in codes]


def test_a_code_outside_the_table_is_refused_by_case():
    with pytest.raises(DataError, match="labels of anna must be codes of the table, but got 7"):
        TABLE.recoded(np.array([0, 7]), "anna")


@pytest.mark.parametrize(
    "codes", [{}, {"a": (1,), "b": (1,)}, {"a": (0,)}, {"background": (1,)}, {"not annotated": (1,)}]
)
def test_a_table_in_which_a_code_is_not_one_structure_is_refused(codes):
    with pytest.raises(DataError):
        LabelTable(codes)


@given(arrays.arrays(np.uint8, (5,), elements=st.integers(0, 3)))
def test_a_partial_source_knows_its_own_structures_alone(mask):
    hidden = hidden_but(mask, TABLE.classes, ["enhancing", "oedema"])
    assert hidden.tolist() == [{0: 0, 1: 2, 2: 0, 3: 1}[int(code)] for code in mask]


@pytest.mark.parametrize("text", ["", "code,name\n", "code,name\nx,y\n", "code,name\n1\n", "code,name\n1,a\n1,b\n"])
def test_a_file_that_is_no_table_is_refused(tmp_path, text):
    path = tmp_path / "names.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="label table"):
        read_table(path)


def test_a_table_keeps_what_enough_cases_hold():
    names = {1: "a", 2: "b", 3: "b", 4: "c"}
    table = table_from(names, [[0, 1, 2], [0, 2, 3]], 2)
    assert table.codes == {"b": (2, 3)}
    assert table.recoded(np.array([1, 2, 3, 4]), "x").tolist() == [0, 1, 1, 0]
    with pytest.raises(DataError, match="in 3 cases"):
        table_from(names, [[1], [2]], 3)


def test_a_table_needs_no_header(tmp_path):
    path = tmp_path / "names.csv"
    for header in ("", "code,name,colour\n"):
        path.write_text(f"{header}3, a  b ,red\n4,c,blue\n", encoding="utf-8")
        assert read_table(path) == {3: "a b", 4: "c"}


def test_a_table_may_name_the_background():
    table = table_from({0: "Unknown", 1: "a"}, [[0, 1], [0, 1]], 1)
    assert table.codes == {"a": (1,)}
    assert table.recoded(np.array([0, 1]), "x").tolist() == [0, 1]
    with pytest.raises(DataError, match="in 1 cases"):
        table_from({0: "Unknown"}, [[0]], 1)


def test_a_repeated_case_must_be_the_same_wherever_it_stands(tmp_path):
    for name in ("a/a_t1.nii", "b/c_t1.nii"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert set(matches(tmp_path, "{case}/{case}_t1.nii")) == {"a"}
    assert set(matches(tmp_path, "*/{case}_t1.nii")) == {"a", "c"}
    (tmp_path / "b/a_t1.nii").touch()
    with pytest.raises(DataError, match="several for 'a'"):
        matches(tmp_path, "*/{case}_t1.nii")


@given(st.tuples(*[st.integers(0, 4)] * 3), st.tuples(*[st.integers(6, 12)] * 3))
def test_a_head_is_fitted_whole_into_any_grid_that_holds_it(start, shape):
    array = np.zeros((10, 10, 10))
    array[tuple(slice(at, at + 5) for at in start)] = 1.0
    found = fitted(array, *box_of(array > 0), np.array(shape))
    assert found.shape == shape
    assert found.sum() == 125.0


@given(st.integers(-3, 3), st.integers(1, 2))
def test_places_do_not_change_when_a_head_moves_or_grows(shift, scale):
    def head(size, move):
        at = np.arange(60) - 29.5 - move
        grid = np.stack(np.meshgrid(at, at, at, indexing="ij"))
        return (grid**2).sum(0) < (9 * size) ** 2

    one, other = places(head(1, 0))[0], places(head(scale, shift))[0]
    centre = 29.5
    for offset in (-6.5, 0.5, 4.5):
        there = centre + shift + scale * offset
        interpolated = np.interp(there, np.arange(60), other)
        assert interpolated == pytest.approx(one[int(centre + offset)], abs=0.01)


def test_intensities_are_scaled_by_the_head_alone():
    image = np.random.default_rng(0).normal(100, 10, (12, 12, 12)).astype(np.float32)
    head = np.zeros(image.shape, bool)
    head[3:9, 3:9, 3:9] = True
    spoilt = np.where(head, image, 1e6)
    for how in ("percentiles", "zscore"):
        found = normalised(spoilt, head, how)
        assert 0.0 <= found.min() <= found.max() <= 1.0
        assert not found[~head].any()
        assert found[head].std() > 0.05
