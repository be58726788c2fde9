import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from dataeff_al.errors import DataError
from dataeff_al.samples.archive import LIMITS, Limits, read_arrays, read_headers, write_arrays
from dataeff_al.samples.npz import read_columns

MIB = 1 << 20


def npy(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=True)
    return stream.getvalue()


def header(shape, descr="<f4"):
    text = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def archive(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return path


def refused(path, sentence, limits=LIMITS):
    """The file is refused with this sentence, and asks for little memory on the way."""
    tracemalloc.start()
    try:
        for read in (read_arrays, read_columns):
            with pytest.raises(DataError, match=sentence):
                read(path, limits=limits)
        assert tracemalloc.get_traced_memory()[1] < 64 * MIB
    finally:
        tracemalloc.stop()


class Payload:
    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


def test_an_object_array_is_never_unpickled(tmp_path):
    path = archive(tmp_path / "a.npz", {"x.npy": npy(np.array([Payload()], dtype=object))})
    refused(path, "must hold numbers or text")


def test_a_declared_shape_without_the_bytes_is_refused_before_memory_is_taken(tmp_path):
    path = archive(tmp_path / "a.npz", {"x.npy": header((1 << 30, 1, 64, 64)) + b"\0" * 64})
    refused(path, "bytes that its shape declares")


def test_an_inflating_bomb_is_refused_by_its_declared_size(tmp_path):
    content = header((100 * MIB // 4,)) + b"\0" * (100 * MIB)
    path = archive(tmp_path / "a.npz", {"x.npy": content})
    assert path.stat().st_size < MIB
    refused(path, "must take at most")


def test_a_member_that_inflates_beyond_its_declared_size_is_cut_and_refused(tmp_path):
    path = archive(tmp_path / "a.npz", {"x.npy": header((4, 4)) + b"\0" * (4 * MIB)})
    content = path.read_bytes()
    declared, forged = struct.pack("<I", 4 * MIB + 128), struct.pack("<I", 192)
    assert content.count(declared) == 2
    path.write_bytes(content.replace(declared, forged))
    refused(path, "Bad CRC")


def test_limits_can_be_tightened(tmp_path):
    path = archive(tmp_path / "a.npz", {"x.npy": npy(np.random.default_rng(0).random((100, 100)))})
    refused(path, "must have at most", Limits(file_bytes=1000))
    refused(path, "must take at most", Limits(total_bytes=1000))
    refused(path, "up to 1 axes", Limits(rank=1))
    assert read_headers(path)["x"].shape == (100, 100)


@pytest.mark.parametrize("kept", [0, 10, 200, -30, -1])
def test_a_truncated_file_is_refused(tmp_path, kept):
    path = tmp_path / "a.npz"
    write_arrays(path, {"x": np.random.default_rng(0).random((50, 4)).astype(np.float32)})
    path.write_bytes(path.read_bytes()[:kept])
    refused(path, "must be an npz file")


def test_a_flipped_byte_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    write_arrays(path, {"x": np.random.default_rng(0).random((500, 4)).astype(np.float32)})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(bytes(content))
    refused(path, "must be whole")


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"../../x.npy": npy(np.zeros(3))}, "must be named like"),
        ({"/x.npy": npy(np.zeros(3))}, "must be named like"),
        ({"x": npy(np.zeros(3))}, "must be named like"),
        ({"x.npy": b"MZ not an array"}, "must be an npy array"),
        ({"x.npy": b""}, "must be an npy array"),
        ({"x.npy": header((3,), "|O") + b"\0" * 24}, "must hold numbers or text"),
        ({"x.npy": header((3,), [("a", "<f4")]) + b"\0" * 12}, "must hold numbers or text"),
        ({"x.npy": header((3,), "<U0")}, "must hold numbers or text"),
        ({"x.npy": header((-3,)) + b"\0" * 12}, "none empty"),
        ({"x.npy": header((0, 10**30))}, "none empty"),
        ({"x.npy": header((1,) * 20) + b"\0" * 4}, "up to 6 axes"),
        ({"x.npy": header((3,)).replace(b"(3,)", b"((((")}, "must be an npy array"),
        ({f"a{row}.npy": npy(np.zeros(1)) for row in range(65)}, "1 to 64 arrays"),
        ({}, "1 to 64 arrays"),
    ],
)
def test_members_that_are_not_plain_arrays_are_refused(tmp_path, members, sentence):
    refused(archive(tmp_path / "a.npz", members), sentence)


def test_rare_compressions_are_refused(tmp_path):
    refused(archive(tmp_path / "a.npz", {"x.npy": npy(np.zeros(3))}, zipfile.ZIP_LZMA), "must be stored or deflated")


def test_a_huge_directory_is_refused(tmp_path):
    members = {f"{'a' * 40}{row}.npy": b"" for row in range(4000)}
    refused(archive(tmp_path / "a.npz", members, zipfile.ZIP_STORED), "must be an npz file")


def test_a_name_twice_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("x.npy", npy(np.zeros(3)))
        with pytest.warns(UserWarning, match="Duplicate name"):
            zipped.writestr("x.npy", npy(np.ones(3)))
    refused(path, "names must be unique")


def test_what_is_no_archive_or_no_file_is_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"hello" * 100)
    refused(tmp_path / "a.npz", "must be an npz file")
    refused(tmp_path / "b.npz", "must exist")
    refused(tmp_path, "must exist")


def test_any_layout_and_byte_order_is_read_as_numpy_reads_it(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "fortran": np.asfortranarray(rng.random((3, 4, 5))),
        "big": rng.integers(0, 1000, (6,)).astype(">i4"),
        "scalar": np.array(2.5),
        "text": np.array(["ä", "bc"]),
        "bytes": np.array([b"a", b"bc"]),
        "flags": np.array([True, False]),
    }
    np.savez(tmp_path / "a.npz", **arrays)
    found = read_arrays(tmp_path / "a.npz")
    assert sorted(found) == sorted(arrays)
    for name, array in arrays.items():
        assert np.array_equal(found[name], array)
        assert found[name].shape == array.shape
        assert found[name].dtype.isnative
        assert found[name].flags.c_contiguous


def test_writing_refuses_objects_odd_names_and_unwritable_places(tmp_path):
    with pytest.raises(DataError, match="plain name"):
        write_arrays(tmp_path / "a.npz", {"../x": np.zeros(3)})
    with pytest.raises(DataError, match="must be plain"):
        write_arrays(tmp_path / "a.npz", {"x": np.array([None])})
    with pytest.raises(DataError, match="must be writable"):
        write_arrays(tmp_path / "nowhere" / "a.npz", {"x": np.zeros(3)})
    assert list(tmp_path.iterdir()) == []


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        write_arrays(tmp_path / name, {"x": np.arange(10.0), "id": np.array(["a"] * 10)})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
