import numpy as np
import pytest

from dataeff_al.errors import DataError

CSV = "age,kind,patient,weight,risk\n3,cat,p1,1.5,0.1\n4,dog,p1,2.5,0.2\n\n5,cat,p2,-3e2,0.3\n"


def test_a_csv_is_read_by_its_header(build, tmp_path):
    (tmp_path / "t.csv").write_text(CSV)
    pool = build("table", file="t.csv", label="kind", group="patient")
    assert pool.spec.input_field.channels == ("age", "weight", "risk")
    assert pool.target.classes == ("cat", "dog")
    assert [int(answer["label"]) for answer in pool.answers(pool.ids())] == [0, 1, 0]
    assert [pool.group(sample_id) for sample_id in pool.ids()] == ["p1", "p1", "p2"]
    assert np.allclose(pool.read(pool.ids())[2].fields["x"], [5, -300, 0.3])


def test_values_and_ids_may_be_columns(build, tmp_path):
    (tmp_path / "t.csv").write_text("name,a,b,c\nx,1,2,3\ny,4,5,6\n")
    pool = build("table", file="t.csv", values=["b", "c"], id="name")
    assert list(pool.ids()) == ["x", "y"]
    assert pool.target.channels == ("b", "c")
    assert pool.answers(["y"])[0]["y"].tolist() == [5, 6]


def test_numeric_classes_stand_in_order_of_size(build, tmp_path):
    (tmp_path / "t.csv").write_text("a,k\n1,10\n2,9\n3,nan\n")
    assert build("table", file="t.csv", label="k").target.classes == ("9", "10", "nan")


def test_a_table_in_npz_is_read(build, tmp_path):
    np.savez(tmp_path / "t.npz", x=np.arange(12.0).reshape(4, 3), label=np.array([0, 1, 0, 1]))
    pool = build("table", file="t.npz")
    assert pool.spec.input_field.shape == (3,)
    np.savez(tmp_path / "i.npz", x=np.random.default_rng(0).random((4, 1, 3, 3)))
    with pytest.raises(DataError, match="a table must hold"):
        build("table", file="i.npz")
    with pytest.raises(DataError, match="columns of a csv"):
        build("table", file="t.npz", label="kind")


@pytest.mark.parametrize(
    ("text", "params", "sentence"),
    [
        ("", {}, "header of distinct names|at least one row"),
        ("a,b\n", {}, "at least one row"),
        ("a,a\n1,2\n", {}, "distinct names"),
        ("a,\n1,2\n", {}, "distinct names"),
        ("a,b\n1\n", {}, "line 2: must have 2 cells, but got 1"),
        ("a,b\n1,2\n3,x\n", {}, "row 2: 'b' must be a finite number, but got 'x'"),
        ("a,b\n1,\n", {}, "must be a finite number"),
        ("a,b\n1,nan\n", {}, "must be a finite number"),
        ("a,b\n1,1e999\n", {}, "must be a finite number"),
        ("a,b\n1,1e300\n2,3\n", {}, "must fit float32"),
        ("a,b\n1,2\n3,2\n", {"label": "kind"}, "must have a column 'kind'"),
        ("a,b\n1,2\n3,2\n", {"label": "b"}, "at least two classes, but got '2'"),
        ("a,b\n1,2\n3,\n", {"label": "b"}, "blanks"),
        ("a,b\n1,2\n1,2\n", {"id": "b"}, "unique, but got '2' twice"),
        ("a,b\n1,2\n1,2\n", {}, "carry information"),
        ("a\n1\n", {"id": "a"}, "at least one column of features"),
        ("a,b\n1,\x00\n", {}, "finite number|csv file"),
    ],
)
def test_bad_tables_are_refused_with_the_place(build, tmp_path, text, params, sentence):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=sentence):
        build("table", file="t.csv", **params)


def test_bytes_that_are_no_text_are_refused(build, tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a,b\n\xff\xfe,1\n")
    with pytest.raises(DataError, match="UTF-8"):
        build("table", file="t.csv")
