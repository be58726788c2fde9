"""Reading labels by sample id from npz files, as people and outside programs return them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.labeling.types import Label
from dataeff_al.samples.archive import LIMITS, Limits, read_arrays
from dataeff_al.samples.npz import float32, names_of
from dataeff_al.samples.targets import CODED, TARGET_DTYPES, UNANSWERED, check_target
from dataeff_al.samples.types import SampleId, TargetSpec


def read_labels(path: Path, target: TargetSpec, limits: Limits = LIMITS) -> dict[SampleId, Label]:
    """Labels by sample id: ``id`` and ``target.name`` ``(n, ...)``, and ``valid`` and ``confidence`` where given.

    A row of nothing but -1 (classes), 255 (masks) or NaN is no answer and is left out. Fields are valid where they are
    numbers. Raises DataError when the file is missing or hostile, an id comes twice, or a label breaks ``target``.
    """
    arrays = read_arrays(path, limits, only=("id", target.name, "valid", "confidence"))
    try:
        return _labels(arrays, target)
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from error


def _labels(arrays: Mapping[str, np.ndarray], target: TargetSpec) -> dict[SampleId, Label]:
    for key in ("id", target.name):
        if key not in arrays:
            raise DataError(f"a file of labels must hold {key!r}, but got {sorted(arrays)!r}.")
    values = _values(arrays[target.name], target)
    ids = names_of(arrays, "id", len(values))
    if len(set(ids)) < len(ids):
        raise DataError(f"ids must be unique, but got {len(ids) - len(set(ids))} of them again.")
    valid, sure = _valid(arrays, target, values), _confidence(arrays, len(values))
    answered = [row for row in range(len(values)) if not _blank(values[row], target)]
    labels = {SampleId(ids[row]): _label(values[row, ...], valid, sure, row, target) for row in answered}
    for sample_id, label in labels.items():
        _check(sample_id, label, target)
    return labels


def _values(raw: np.ndarray, target: TargetSpec) -> np.ndarray:
    if raw.ndim != 1 + len(target.shape) or raw.shape[1:] != target.shape:
        raise DataError(f"{target.name!r} must be (n, *{target.shape}), but got {raw.shape}.")
    if target.kind not in CODED:
        return float32(target.name, raw)
    bounds = np.iinfo(TARGET_DTYPES[target.kind])
    if raw.dtype.kind not in "bui" or raw.min() < bounds.min or raw.max() > bounds.max:
        raise DataError(f"{target.name!r} must hold {TARGET_DTYPES[target.kind]} codes, but got dtype {raw.dtype}.")
    return raw.astype(TARGET_DTYPES[target.kind])


def _valid(arrays: Mapping[str, np.ndarray], target: TargetSpec, values: np.ndarray) -> np.ndarray | None:
    numbers = ~np.isnan(values).any(axis=1) if target.kind == "field" else None
    if "valid" not in arrays:
        return numbers
    grid = (len(values), *(target.shape[1:] if target.kind == "field" else target.shape))
    if arrays["valid"].shape != grid or arrays["valid"].dtype != np.bool_:
        raise DataError(f"'valid' must be {grid} bool, but got {arrays['valid'].shape} {arrays['valid'].dtype}.")
    return arrays["valid"] if numbers is None else arrays["valid"] & numbers


def _confidence(arrays: Mapping[str, np.ndarray], n: int) -> np.ndarray | None:
    if "confidence" not in arrays:
        return None
    sure = float32("confidence", arrays["confidence"])
    if sure.shape != (n,) or ((sure < 0) | (sure > 1)).any():
        raise DataError(f"'confidence' must be ({n},) between 0 and 1, but got {sure.shape}.")
    return sure


def _blank(value: np.ndarray, target: TargetSpec) -> bool:
    if target.kind in CODED:
        return bool((value == UNANSWERED[target.kind]).all())
    return bool(np.isnan(value).all())


def _label(value: np.ndarray, valid: np.ndarray | None, sure: np.ndarray | None, row: int, target: TargetSpec) -> Label:
    confidence = None if sure is None or np.isnan(sure[row]) else float(sure[row])
    return Label({target.name: value}, None if valid is None else valid[row, ...], confidence=confidence)


def _check(sample_id: str, label: Label, target: TargetSpec) -> None:
    try:
        check_target(target, label.target)
    except DataError as error:
        raise DataError(f"{sample_id!r}: {error}") from error
