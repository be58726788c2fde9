"""Writing samples, labels and predictions as npz files that :mod:`dataeff_al.samples.npz` reads back."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.labeling.types import Label
from dataeff_al.samples.archive import write_arrays
from dataeff_al.samples.columns import stacked
from dataeff_al.samples.targets import CODED, TARGET_DTYPES, UNANSWERED, check_target
from dataeff_al.samples.types import Sample, SampleSpec, TargetSpec


def write_samples(
    path: Path,
    spec: SampleSpec,
    samples: Sequence[Sample],
    target: TargetSpec | None = None,
    labels: Sequence[Label | None] = (),
) -> None:
    """Write samples, and their labels when a target is given.

    Raises DataError when a sample or a label breaks its spec, or when the file cannot be written.
    """
    arrays = sample_arrays(spec, samples)
    if target is not None:
        if target.name in arrays:
            raise DataError(f"input and answer must differ, but got {target.name!r} for both.")
        if len(labels) != len(samples):
            raise DataError(f"each sample must have a label or None, but got {len(labels)} for {len(samples)}.")
        arrays |= label_arrays(target, labels)
    write_arrays(path, arrays)


def write_labels(
    path: Path, ids: Sequence[str], target: TargetSpec, labels: Sequence[Label | None], groups: Sequence[str] = ()
) -> None:
    """Write labels by sample id, without the samples. Raises DataError as :func:`write_samples` does."""
    if len(ids) != len(labels):
        raise DataError(f"each id must have a label or None, but got {len(labels)} for {len(ids)}.")
    named = {"id": np.array(list(ids)), "group": np.array(list(groups or ids))}
    write_arrays(path, named | label_arrays(target, labels))


def write_predictions(path: Path, ids: Sequence[str], target: TargetSpec, predicted: np.ndarray) -> None:
    """Write what a learner predicted: see :func:`prediction_arrays`. Raises DataError when shapes disagree."""
    if len(ids) != len(predicted):
        raise DataError(f"each id must have a prediction, but got {len(predicted)} for {len(ids)}.")
    write_arrays(path, {"id": np.array(list(ids))} | prediction_arrays(target, predicted))


def sample_arrays(spec: SampleSpec, samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Samples under the contract's keys. Raises DataError when there is none, or one breaks its spec."""
    if not samples:
        raise DataError("a file must hold at least one sample, but got 0.")
    arrays = {name: stacked(samples, name, form) for name, form in spec.fields.items()}
    arrays["id"] = np.array([sample.id for sample in samples])
    arrays["group"] = np.array([sample.group for sample in samples])
    field = spec.input_field
    if field.pixel_size_mm is not None:
        arrays["pixel_size_mm"] = np.array(field.pixel_size_mm)
    if field.range is not None:
        arrays["range"] = np.array(field.range)
    if field.classes:
        arrays["classes"] = np.array(field.classes)
    return arrays


def label_arrays(target: TargetSpec, labels: Sequence[Label | None]) -> dict[str, np.ndarray]:
    """Labels under the contract's keys, one row a label.

    A missing label stands as -1 for classes, 255 for masks and NaN elsewhere. Where a label is not valid, fields
    become NaN; masks keep their codes and ``valid`` ``(n, [d,] h, w)`` bool says where they count.
    """
    dtype = np.dtype(TARGET_DTYPES[target.kind])
    values = np.full((len(labels), *target.shape), UNANSWERED[target.kind], dtype)
    for row, label in enumerate(labels):
        if label is not None:
            check_target(target, label.target)
            values[row] = label.target[target.name]
    arrays = {target.name: values} | _names(target)
    return arrays | _validity(target, labels, values) | _confidences(labels)


def prediction_arrays(target: TargetSpec, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Predictions under the contract's keys.

    ``predicted``: probabilities ``(n, k, ...)`` for classes and masks, which become the likeliest code, beside
    ``probabilities`` (classes only) and ``confidence`` ``(n,)``, the mean of the largest probability; values in their
    unit ``(n, *target.shape)`` otherwise.
    """
    if target.kind not in CODED:
        if predicted.shape[1:] != target.shape:
            raise DataError(f"a prediction must be {target.shape}, but got {predicted.shape[1:]}.")
        return {target.name: predicted.astype(np.float32)} | _names(target)
    if predicted.shape[1:] != (len(target.classes), *target.shape):
        raise DataError(f"probabilities must be {(len(target.classes), *target.shape)}, but got {predicted.shape[1:]}.")
    codes = predicted.argmax(axis=1).astype(TARGET_DTYPES[target.kind])
    confidence = predicted.max(axis=1).reshape(len(predicted), -1).mean(axis=1).astype(np.float32)
    arrays = {target.name: codes, "confidence": confidence} | _names(target)
    return arrays | ({"probabilities": predicted.astype(np.float32)} if target.kind == "class" else {})


def _names(target: TargetSpec) -> dict[str, np.ndarray]:
    named = {"classes": target.classes, "channels": target.channels}
    return {key: np.array(names) for key, names in named.items() if names}


def _validity(target: TargetSpec, labels: Sequence[Label | None], values: np.ndarray) -> dict[str, np.ndarray]:
    masks = {row: label.valid for row, label in enumerate(labels) if label is not None and label.valid is not None}
    if target.kind == "field":
        for row, mask in masks.items():
            values[row] = np.where(mask, values[row], np.nan)
    if target.kind != "mask" or not masks:
        return {}
    valid = np.array([label is not None for label in labels])
    grid = np.broadcast_to(valid.reshape(-1, *(1 for _ in target.shape)), values.shape).copy()
    for row, mask in masks.items():
        grid[row] = mask
    return {"valid": grid}


def _confidences(labels: Sequence[Label | None]) -> dict[str, np.ndarray]:
    sure = [np.nan if label is None or label.confidence is None else label.confidence for label in labels]
    return {} if np.isnan(sure).all() else {"confidence": np.array(sure, np.float32)}
