"""Named arrays and a JSON mapping as one run of bytes: what a blob of samples, labels or latents looks like.

Layout, after the example of safetensors (https://github.com/huggingface/safetensors#format)::

    8 bytes   magic ``dalarr01``
    8 bytes   length of the header, little-endian unsigned
    header    canonical JSON: {"fields": {name: [dtype, shape, offset]}, "meta": {...}}, padded with spaces
    buffers   in the order of their names, C order, little-endian, each padded with zeros to 8 bytes

The same content gives the same bytes, so that it also gives the same digest. Nothing in it can run code.
"""

import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from dataeff_al.digests import canonical_json
from dataeff_al.errors import DataError

MAGIC = b"dalarr01"
ALIGN = 8
MAX_HEADER_BYTES = 64 * 2**20
MAX_RANK = 16
DTYPES = frozenset(
    ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8"),
)


def pack(fields: Mapping[str, np.ndarray], meta: Mapping[str, Any] | None = None) -> bytes:
    """Arrays of any shape and a JSON mapping as bytes. NaN may stand in arrays, not in ``meta``.

    Raises DataError for a dtype that is not a plain number or bool, a rank above 16, or ``meta`` that is not JSON.
    """
    table: dict[str, list[Any]] = {}
    buffers: list[bytes] = []
    offset = 0
    for name in sorted(fields):
        array = _little(name, fields[name])
        table[name] = [array.dtype.str, list(array.shape), offset]
        buffers.append(_padded(array.tobytes(order="C"), b"\0"))
        offset += len(buffers[-1])
    header = _padded(_header(table, meta or {}), b" ")
    return b"".join((MAGIC, struct.pack("<Q", len(header)), header, *buffers))


def unpack(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays, writable copies, and the mapping that :func:`pack` put together. Raises DataError when it is none."""
    header, buffers = _split(content)
    table, meta = header["fields"], header["meta"]
    fields: dict[str, np.ndarray] = {}
    offset = 0
    for name in sorted(table):
        dtype, shape = _form(name, table[name], offset)
        size = math.prod(shape) * dtype.itemsize
        if offset + size > len(buffers):
            raise DataError(f"packed array {name!r} must lie within its blob, but got {size} bytes at {offset}.")
        flat = np.frombuffer(buffers, dtype=dtype, count=math.prod(shape), offset=offset)
        fields[name] = flat.reshape(shape).copy()
        offset += size + -size % ALIGN
    if offset != len(buffers):
        raise DataError(f"packed arrays must fill their blob of {len(buffers)} bytes, but got {offset}.")
    return fields, meta


def _little(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.newbyteorder("<").str not in DTYPES:
        raise DataError(f"array {name!r} must hold numbers or bools, but got dtype {array.dtype!r}.")
    if array.ndim > MAX_RANK:
        raise DataError(f"array {name!r} must have at most {MAX_RANK} axes, but got {array.ndim}.")
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _header(table: Mapping[str, Any], meta: Mapping[str, Any]) -> bytes:
    try:
        header = canonical_json({"fields": table, "meta": dict(meta)})
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"meta must be plain JSON, but got {error}.") from error
    if len(header) > MAX_HEADER_BYTES:
        raise DataError(f"names and meta must take at most {MAX_HEADER_BYTES} bytes, but got {len(header)}.")
    return header


def _padded(content: bytes, filler: bytes) -> bytes:
    return content + filler * (-len(content) % ALIGN)


def _split(content: bytes) -> tuple[dict[str, Any], memoryview]:
    if len(content) < 16 or content[:8] != MAGIC:
        raise DataError(f"packed arrays must begin with {MAGIC!r}, but got {bytes(content[:8])!r}.")
    (length,) = struct.unpack_from("<Q", content, 8)
    if length > min(MAX_HEADER_BYTES, len(content) - 16):
        raise DataError(f"the header of packed arrays must lie within its blob, but got {length} bytes.")
    try:
        header = json.loads(content[16 : 16 + length], parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the header of packed arrays must be JSON, but got {error}.") from error
    if not isinstance(header, dict) or not all(isinstance(header.get(key), dict) for key in ("fields", "meta")):
        raise DataError("the header of packed arrays must hold the mappings 'fields' and 'meta', but got neither.")
    return header, memoryview(content)[16 + length :]


def _no_constant(name: str) -> None:
    raise ValueError(f"the constant {name}")


def _form(name: str, row: Any, offset: int) -> tuple[np.dtype[Any], tuple[int, ...]]:
    if not (isinstance(row, list) and len(row) == 3 and isinstance(row[0], str) and row[0] in DTYPES):
        raise DataError(f"packed array {name!r} must state a known dtype, a shape and an offset, but got {row!r}.")
    shape = row[1]
    if not (isinstance(shape, list) and len(shape) <= MAX_RANK and all(_is_size(side) for side in shape)):
        raise DataError(f"packed array {name!r} must have a shape of whole numbers, but got {shape!r}.")
    if row[2] != offset:
        raise DataError(f"packed array {name!r} must begin at byte {offset}, but got {row[2]!r}.")
    return np.dtype(row[0]), tuple(shape)


def _is_size(side: Any) -> bool:
    return type(side) is int and 0 <= side < 2**48
