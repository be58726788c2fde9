"""Content digests: the one way in which this project names things by what they are.

A digest is the lower-case hex sha256. JSON is hashed in canonical form (sorted keys, no spaces, no NaN), arrays by
dtype, shape and little-endian bytes, so that the same content has the same name on every machine.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NewType

import numpy as np

Ref = NewType("Ref", str)
"""The sha256 of a blob: events and hosts carry refs and ids, never arrays."""


def digest_bytes(content: bytes) -> Ref:
    """Digest of raw bytes."""
    return Ref(hashlib.sha256(content).hexdigest())


def canonical_json(value: Any) -> bytes:
    """``value`` as canonical JSON: sorted keys, no spaces, UTF-8. Raises ValueError on NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest_json(value: Any) -> Ref:
    """Digest of a JSON value in canonical form."""
    return digest_bytes(canonical_json(value))


def digest_arrays(fields: Mapping[str, np.ndarray]) -> Ref:
    """Digest of named arrays, independent of their order, memory layout and byte order."""
    state = hashlib.sha256()
    for name in sorted(fields):
        array = np.ascontiguousarray(fields[name])
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        state.update(f"{name}|{little.dtype.str}|{array.shape}|".encode())
        state.update(little.tobytes())
    return Ref(state.hexdigest())
