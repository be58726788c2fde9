"""Labels and predictions of a split as flat arrays of the entries that count: what every metric is computed from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.labeling.types import Label
from dataeff_al.samples.types import TargetSpec


@dataclass(frozen=True)
class Split:
    """The valid entries of a split, flat: ``truth`` and ``prediction`` ``(m,)``, codes for classes, else float64.

    ``variance``: of the truth; columns of a table are centred one by one, since they need not share a unit.
    ``regions`` and ``groups`` of classes: as the target declares them.
    """

    truth: np.ndarray
    prediction: np.ndarray
    classes: tuple[str, ...] = ()
    variance: float = 0.0
    regions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def confusion(self) -> np.ndarray:
        """Counts ``(k, k)`` int64, truth in rows and prediction in columns."""
        k = len(self.classes)
        return np.bincount(self.truth * k + self.prediction, minlength=k * k).reshape(k, k)


def split_of(target: TargetSpec, prediction: np.ndarray, labels: Sequence[Label]) -> Split:
    """The valid entries of ``labels`` and of ``prediction`` ``(n, k[, ...])`` or ``(n, *target.shape)``.

    Raises :class:`DataError` when shapes or codes do not fit, nothing is valid, or a prediction is not finite.
    """
    check_shape(target, prediction, labels)
    truth, valid = truth_of(target, labels)
    if not valid.any():
        raise DataError(f"at least one label entry must be valid, but got none in {len(labels)} labels.")
    make = _codes if target.kind in ("class", "mask") else _numbers
    return make(target, prediction, truth, valid)


def _codes(target: TargetSpec, prediction: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> Split:
    k = prediction.shape[1]
    _check_finite(np.moveaxis(prediction, 1, -1)[valid])
    codes = truth[valid].astype(np.int64)
    if codes.min() < 0 or codes.max() >= k:
        raise DataError(f"class codes must lie in 0 to {k - 1}, but got {int(codes.min())} to {int(codes.max())}.")
    names = target.classes or tuple(str(code) for code in range(k))
    guessed = np.argmax(prediction, axis=1)[valid]
    return Split(codes, guessed, names, regions=target.regions, groups=target.groups)


def _numbers(target: TargetSpec, prediction: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> Split:
    _check_finite(prediction[valid])
    truth = truth.astype(np.float64)
    flat = truth[valid]
    variance = float(flat.var()) if target.kind == "field" else _column_variance(truth, valid)
    rounding = np.finfo(np.float64).eps * float(np.abs(flat).max())
    # The variance of a constant is not always exactly zero in floating point.
    known = variance if variance > (8 * rounding) ** 2 else 0.0
    return Split(flat, prediction[valid].astype(np.float64), variance=known)


def _column_variance(truth: np.ndarray, valid: np.ndarray) -> float:
    """Mean squared distance of the valid entries of ``(n, k)`` from the mean of their own column."""
    count = np.maximum(valid.sum(0), 1)
    centred = np.where(valid, truth - np.where(valid, truth, 0.0).sum(0) / count, 0.0)
    return float((centred**2).sum() / valid.sum())


def truth_of(target: TargetSpec, labels: Sequence[Label]) -> tuple[np.ndarray, np.ndarray]:
    """Truth ``(n, *target.shape)`` and which of its entries count."""
    truth = np.stack([_array(target, label) for label in labels])
    return truth, np.stack([_valid(target, label) for label in labels]) & ~np.isnan(truth)


def _array(target: TargetSpec, label: Label) -> np.ndarray:
    if target.name not in label.target:
        raise DataError(f"a label must hold {target.name!r}, but got {sorted(label.target)!r}.")
    array = np.asarray(label.target[target.name])
    if array.shape != tuple(target.shape):
        raise DataError(f"{target.name!r} must have the shape {tuple(target.shape)!r}, but got {array.shape!r}.")
    if np.isinf(array).any():
        raise DataError(f"{target.name!r} must be finite, or NaN where it is not valid, but got infinity.")
    return array


def _valid(target: TargetSpec, label: Label) -> np.ndarray:
    valid = np.asarray(True if label.valid is None else label.valid, dtype=bool)
    if valid.shape not in ((), tuple(target.shape), tuple(target.shape[1:])):
        raise DataError(f"a validity mask must fit {tuple(target.shape)!r}, but got the shape {valid.shape!r}.")
    return np.broadcast_to(valid, target.shape)


def check_shape(target: TargetSpec, prediction: np.ndarray, labels: Sequence[Label]) -> None:
    """Raise :class:`DataError` unless ``prediction`` has one row of the right shape for each label."""
    if not labels:
        raise DataError("a split must hold at least one label, but got 0.")
    shape = tuple(target.shape)
    if target.kind in ("class", "mask"):
        k = len(target.classes) or (prediction.shape[1] if prediction.ndim > 1 else 0)
        shape = (k, *shape)
    if prediction.shape != (len(labels), *shape):
        raise DataError(f"predictions must have the shape {(len(labels), *shape)!r}, but got {prediction.shape!r}.")


def _check_finite(prediction: np.ndarray) -> None:
    if not np.isfinite(prediction).all():
        bad = int(prediction.size - np.isfinite(prediction).sum())
        raise DataError(f"predictions must be finite where the truth is valid, but got {bad} that are not.")
