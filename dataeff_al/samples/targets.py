"""The declared form of labels: which dtype each kind has, and whether named arrays keep it."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.samples.types import TargetSpec

TARGET_DTYPES: Mapping[str, str] = MappingProxyType(
    {"class": "int64", "mask": "uint8", "field": "float32", "values": "float32"}
)
CODED = ("class", "mask")
UNANSWERED: Mapping[str, int | float] = MappingProxyType({"class": -1, "mask": 255, "field": np.nan, "values": np.nan})
"""What fills the row of a sample without an answer in a file of labels."""


def check_target(target: TargetSpec, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise DataError unless ``arrays`` holds ``target.name`` in the declared shape, dtype and range of one label.

    Fields may hold NaN where they are not valid; infinities are refused everywhere.
    """
    if target.name not in arrays:
        raise DataError(f"a label must hold {target.name!r}, but got {sorted(arrays)!r}.")
    value, dtype = arrays[target.name], TARGET_DTYPES[target.kind]
    if value.shape != target.shape or value.dtype != np.dtype(dtype):
        raise DataError(f"{target.name!r} must be {target.shape} {dtype}, but got {value.shape} {value.dtype}.")
    check_answers(target, value[None], ["the label"])


def check_answers(target: TargetSpec, values: np.ndarray, names: list[str]) -> None:
    """Raise DataError, naming the first bad one of ``names``, unless every row of ``values`` is in range.

    ``values``: ``(n, *target.shape)`` in the target's dtype.
    """
    bad = _out_of_range(target, values).reshape(len(values), -1).any(axis=1)
    if bad.any():
        rule = f"codes below {len(target.classes)}" if target.kind in CODED else "finite numbers"
        raise DataError(f"{target.name!r} must hold {rule}, but got something else in {names[int(bad.argmax())]!r}.")


def _out_of_range(target: TargetSpec, values: np.ndarray) -> np.ndarray:
    if target.kind in CODED:
        return (values < 0) | (values >= len(target.classes))
    if target.kind == "field":
        return np.isinf(values)
    return ~np.isfinite(values)
