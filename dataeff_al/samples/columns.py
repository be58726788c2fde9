"""Samples as columns: whole arrays ``(n, ...)`` beside their ids, checked once when a pool is built."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.samples.targets import CODED, TARGET_DTYPES, check_answers
from dataeff_al.samples.types import FieldSpec, Sample, SampleSpec, TargetSpec

ID_LENGTH = 200


@dataclass(frozen=True)
class Columns:
    """``n`` samples: ``fields`` ``(n, *shape)`` by name, ``answers`` ``(n, *target.shape)`` or None.

    ``scale`` keeps images small: a field stored as uint8 with scale 1/255 is read as float32 in [0, 1].
    """

    spec: SampleSpec
    ids: Sequence[str]
    groups: Sequence[str]
    fields: Mapping[str, np.ndarray]
    target: TargetSpec | None = None
    answers: np.ndarray | None = None
    scale: Mapping[str, float] = field(default_factory=dict)

    def rows(self, name: str, index: slice | np.ndarray) -> np.ndarray:
        """Rows of a field in its declared dtype and range; a fresh array."""
        stored = self.fields[name][index]
        rows = stored.astype(self.spec.fields[name].dtype)
        return rows * rows.dtype.type(self.scale[name]) if name in self.scale else rows


def stacked(samples: Sequence[Sample], name: str, form: FieldSpec) -> np.ndarray:
    """The named field of the samples, ``(n, *form.shape)``. Raises DataError when one has another shape or dtype."""
    for sample in samples:
        array = sample.fields.get(name)
        if array is None or array.shape != form.shape or array.dtype != np.dtype(form.dtype):
            found = "nothing" if array is None else f"{array.shape} {array.dtype}"
            raise DataError(f"{name!r} of {sample.id!r} must be {form.shape} {form.dtype}, but got {found}.")
    if not samples:
        return np.zeros((0, *form.shape), form.dtype)
    return np.stack([sample.fields[name] for sample in samples])


def check_form(columns: Columns) -> None:
    """Raise DataError, naming the first bad sample, unless the columns keep their declared form.

    The rules: at least one sample, unique printable ids, arrays of one length in the declared shape, finite numbers
    within the declared range, known codes.
    """
    _check_names(columns)
    for name, spec in columns.spec.fields.items():
        _check_field(columns, name, spec)
    if columns.target is not None and columns.answers is not None:
        _check_answers(columns, columns.target, columns.answers)


def check_sample(sample: Sample, spec: SampleSpec) -> None:
    """Raise DataError unless the sample is one that a pool of that form could hold."""
    fields = {name: stacked([sample], name, form) for name, form in spec.fields.items()}
    check_form(Columns(spec, [sample.id], [sample.group], fields))


def check_content(columns: Columns) -> Mapping[str, str]:
    """Notes about odd but usable content. Raises DataError when there is nothing to learn from.

    That is so when every sample is constant, or when the answers show fewer than two classes.
    """
    if columns.target is not None and columns.answers is not None:
        _check_classes(columns.target, columns.answers)
    return _constant(columns)


def _check_names(columns: Columns) -> None:
    ids = columns.ids
    if not ids:
        raise DataError("a pool must hold at least one sample, but got 0.")
    if len(columns.groups) != len(ids):
        raise DataError(f"'group' must name one group a sample, but got {len(columns.groups)} for {len(ids)}.")
    seen: set[str] = set()
    for sample_id in ids:
        if sample_id in seen:
            raise DataError(f"ids must be unique, but got {sample_id!r} twice.")
        seen.add(sample_id)
    for text in (*ids, *columns.groups):
        if not 0 < len(text) <= ID_LENGTH or not text.isprintable():
            raise DataError(f"an id must be 1 to {ID_LENGTH} printable characters, but got {text[:80]!r}.")


def _check_field(columns: Columns, name: str, spec: FieldSpec) -> None:
    values = columns.fields[name]
    if len(values) != len(columns.ids) or values.shape[1:] != spec.shape:
        raise DataError(f"{name!r} must be {(len(columns.ids), *spec.shape)}, but got {values.shape}.")
    if spec.kind == "codes":
        _refuse(columns, values >= len(spec.classes), f"{name!r} must hold codes below {len(spec.classes)}")
        return
    if values.dtype.kind != "f":
        return
    _refuse(columns, ~np.isfinite(values), f"{name!r} must be finite")
    if spec.range is not None:
        low, high = spec.range
        _refuse(columns, (values < low) | (values > high), f"{name!r} must lie in {low:g} to {high:g}")


def _refuse(columns: Columns, bad: np.ndarray, rule: str) -> None:
    rows = bad.reshape(len(bad), -1).any(axis=1)
    if rows.any():
        sample_id = columns.ids[int(rows.argmax())]
        raise DataError(f"{rule}, but got something else in {int(rows.sum())} sample(s), first {sample_id!r}.")


def _constant(columns: Columns) -> Mapping[str, str]:
    spec = columns.spec.input_field
    flat = columns.fields[columns.spec.input].reshape(len(columns.ids), -1)
    # A row of a table may well be constant: a table says nothing when all its rows are the same.
    constant = (flat == (flat[:1] if spec.kind == "values" else flat[:, :1])).all(axis=1)
    if constant.all():
        raise DataError(f"{columns.spec.input!r} must carry information, but got {len(constant)} constant sample(s).")
    if spec.kind == "values" or not constant.any():
        return {}
    first = columns.ids[int(constant.argmax())]
    return {"constant": f"{int(constant.sum())} sample(s) are constant, first {first!r}"}


def _check_answers(columns: Columns, target: TargetSpec, answers: np.ndarray) -> None:
    expected, dtype = (len(columns.ids), *target.shape), TARGET_DTYPES[target.kind]
    if answers.shape != expected or answers.dtype != np.dtype(dtype):
        raise DataError(f"{target.name!r} must be {expected} {dtype}, but got {answers.shape} {answers.dtype}.")
    check_answers(target, answers, list(columns.ids))


def _check_classes(target: TargetSpec, answers: np.ndarray) -> None:
    if target.kind in CODED and (answers == answers.flat[0]).all():
        only = target.classes[int(answers.flat[0])]
        raise DataError(f"{target.name!r} must show at least two classes, but got {only!r} everywhere.")
