import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dataeff_al.errors import DataError
from dataeff_al.stores.arrays import MAGIC, pack, unpack

DTYPES = st.sampled_from([np.bool_, np.uint8, np.int64, np.float32, np.float64, np.dtype(">f4"), np.dtype(">i8")])
ARRAYS = DTYPES.flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)
META = st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=5), max_size=3)


def _packed(header, buffers=b""):
    text = json.dumps(header).encode()
    return MAGIC + struct.pack("<Q", len(text)) + text + buffers


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=6), ARRAYS, max_size=4), META)
def test_arrays_come_back_bit_for_bit(fields, meta):
    content = pack(fields, meta)
    found, found_meta = unpack(content)
    assert found_meta == meta
    assert found.keys() == fields.keys()
    for name, array in fields.items():
        little = array.astype(array.dtype.newbyteorder("<"))
        assert (found[name].dtype, found[name].shape) == (little.dtype, array.shape)
        assert found[name].tobytes() == little.tobytes()
        assert found[name].flags.writeable
    assert pack(found, found_meta) == content


def test_the_same_content_gives_the_same_bytes_in_any_order_and_layout():
    image, label = np.arange(12.0).reshape(3, 4), np.array([1, 2])
    one = pack({"x": image, "label": label}, {"a": 1, "b": [2]})
    two = pack({"label": label.astype(">i8"), "x": np.asfortranarray(image)}, {"b": [2], "a": 1})
    assert one == two


def test_nan_stands_in_arrays_but_not_in_meta():
    fields, _ = unpack(pack({"stress": np.array([np.nan, 1.0, -np.inf], dtype=np.float32)}))
    assert np.isnan(fields["stress"][0])
    with pytest.raises(DataError, match="plain JSON"):
        pack({}, {"a": float("nan")})
    with pytest.raises(DataError, match="plain JSON"):
        pack({}, {"a": {1, 2}})


@pytest.mark.parametrize("array", [np.array([{}]), np.array(["a"]), np.array([1j]), np.array([0], dtype="M8[s]")])
def test_what_is_no_number_is_refused(array):
    with pytest.raises(DataError, match="numbers or bools"):
        pack({"x": array})


GOOD = {"fields": {"x": ["<f4", [2], 0]}, "meta": {}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04junk",
        MAGIC + b"\xff" * 8,
        MAGIC + struct.pack("<Q", 2**40) + b"{}",
        _packed([]),
        _packed({"fields": {}}),
        _packed({"fields": {}, "meta": {}}, b"surplus!"),
        _packed(GOOD, b"\0" * 4),
        _packed({"fields": {"x": ["|O", [1], 0]}, "meta": {}}, b"\0" * 8),
        _packed({"fields": {"x": ["<f4", [-2], 0]}, "meta": {}}, b"\0" * 8),
        _packed({"fields": {"x": ["<f4", [2**60], 0]}, "meta": {}}, b"\0" * 8),
        _packed({"fields": {"x": ["<f4", [2**40, 2**40], 0]}, "meta": {}}, b"\0" * 8),
        _packed({"fields": {"x": ["<f4", [1] * 17, 0]}, "meta": {}}, b"\0" * 8),
        _packed({"fields": {"x": ["<f4", [2], 8]}, "meta": {}}, b"\0" * 16),
        _packed({"fields": {"x": ["<f4", "2", 0]}, "meta": {}}, b"\0" * 8),
        _packed({"fields": {"x": ["<f4", [True], 0]}, "meta": {}}, b"\0" * 8),
        _packed({"fields": {"x": 3}, "meta": {}}),
        MAGIC + struct.pack("<Q", 200_000) + b"[" * 200_000,
        MAGIC + struct.pack("<Q", 31) + b'{"fields": {}, "meta": {"a":NaN}}'[:31],
    ],
)
def test_hostile_bytes_are_refused(content):
    with pytest.raises(DataError):
        unpack(content)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 255), st.booleans())
def test_damage_is_refused_or_harmless_but_never_a_crash(place, flip, cut):
    content = bytearray(pack({"x": np.arange(6, dtype=np.float32), "y": np.ones((2, 2), np.uint8)}, {"k": 1}))
    place %= len(content)
    if cut:
        del content[place:]
    else:
        content[place] ^= flip
    try:
        fields, meta = unpack(bytes(content))
    except DataError:
        return
    assert isinstance(meta, dict)
    assert all(array.nbytes <= len(content) for array in fields.values())
