"""What a label must look like before it may be paid for and trained on."""

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np

from dataeff_al.labeling.types import Deferred, FailureKind, Label, LabelerInfo, LabelFailure, Outcome
from dataeff_al.samples.targets import TARGET_DTYPES
from dataeff_al.samples.types import TargetSpec

MAX_REASON = 500
MOST_COST = 10**15


def checked(outcome: object, info: LabelerInfo) -> Outcome:
    """The outcome in plain types, or a LabelFailure that says which rule it broke. Never raises.

    An answer that is none was called for all the same: unless its cost can be read, it is the labeler's usual one; a
    pure labeler's is nothing.
    """
    usual = 0 if info.effect == "pure" else info.cost
    try:
        return _checked(outcome, info, usual)
    except Exception as error:  # whatever a labeler hands over, its host goes on
        return _bad(f"an outcome must be of plain arrays and numbers, but got {error!r}.", usual)


def _checked(outcome: object, info: LabelerInfo, usual: int) -> Outcome:
    if isinstance(outcome, LabelFailure):
        return _failure(outcome, usual)
    draft = outcome.draft if isinstance(outcome, Deferred) else outcome
    if not isinstance(draft, Label):
        return _bad(f"an outcome must be a Label, a LabelFailure or a Deferred, but got {outcome!r:.100}.", usual)
    cost = _cost(draft.cost)
    if cost is None:
        return _bad(f"a label's cost must be a whole number from 0 to {MOST_COST}, but got {draft.cost!r:.100}.", usual)
    broken = problem(draft, info.target)
    if broken:
        return _bad(broken, cost)
    label = _plain(draft, cost)
    if isinstance(outcome, Deferred):
        return Deferred(label, _share(outcome.confidence), str(outcome.reason)[:MAX_REASON])
    return label


def _failure(outcome: LabelFailure, usual: int) -> LabelFailure:
    cost = _cost(outcome.cost)
    if cost is None or outcome.kind not in get_args(FailureKind):
        return _bad(f"a failure must state a known kind and a whole cost, but got {outcome!r:.300}.", cost or usual)
    return LabelFailure(str(outcome.reason)[:MAX_REASON], outcome.kind, cost)


def _plain(label: Label, cost: int) -> Label:
    """The label with numbers and texts of Python's own, so that it can be written down."""
    confidence = None if label.confidence is None else _share(label.confidence)
    notes = {str(name): str(text) for name, text in label.notes.items()}
    target = {name: np.asarray(value) for name, value in label.target.items()}
    return replace(label, target=target, cost=cost, confidence=confidence, notes=notes)


def _share(confidence: float) -> float:
    share = float(confidence)
    if not 0 <= share <= 1:
        raise ValueError(f"a confidence of {share}")
    return share


def _cost(cost: object) -> int | None:
    try:
        whole = operator.index(cost)  # type: ignore[arg-type]
    except TypeError:
        return None
    return whole if 0 <= whole <= MOST_COST else None


def _bad(reason: str, cost: int = 0) -> LabelFailure:
    return LabelFailure(reason[:MAX_REASON], "bad_label", cost)


def problem(label: Label, target: TargetSpec) -> str | None:
    """The rule that a label breaks, in a sentence, or None."""
    if _cost(label.cost) is None:
        return f"a label's cost must be a whole number from 0 to {MOST_COST}, but got {label.cost!r:.100}."
    if target.name not in label.target:
        return f"a label must hold {target.name!r}, but got {sorted(label.target)!r}."
    value = np.asarray(label.target[target.name])
    if value.shape != target.shape:
        return f"label {target.name!r} must have shape {target.shape}, but got {value.shape}."
    return _valid_problem(label, value, target) or _KINDS[target.kind](value, label, target)


def _valid_problem(label: Label, value: np.ndarray, target: TargetSpec) -> str | None:
    if label.valid is None:
        return None
    wanted = value.shape[1:] if target.kind == "field" else value.shape
    if np.shape(label.valid) != wanted:
        return f"a label's validity must have shape {wanted}, but got {np.shape(label.valid)}."
    return None if np.any(label.valid) else "a label must be valid somewhere, but got no valid element."


def _codes(value: np.ndarray, _: Label, target: TargetSpec) -> str | None:
    if value.dtype.kind not in "iu":
        return f"label {target.name!r} must hold whole numbers, but got dtype {value.dtype}."
    if target.classes and value.size and not 0 <= value.min() <= value.max() < len(target.classes):
        found = f"{value.min()} to {value.max()}"
        return f"label {target.name!r} must hold codes from 0 to {len(target.classes) - 1}, but got {found}."
    return None


def _numbers(value: np.ndarray, label: Label, target: TargetSpec) -> str | None:
    if value.dtype.kind != "f":
        return f"label {target.name!r} must hold floating-point numbers, but got dtype {value.dtype}."
    inside = value
    if target.kind == "field":
        valid = np.isfinite(value).all(axis=0) if label.valid is None else np.asarray(label.valid, dtype=bool)
        inside = value[:, valid]
        if np.isinf(value).any():
            return f"label {target.name!r} must not be infinite, but got {int(np.isinf(value).sum())} such elements."
    if not inside.size:
        return f"label {target.name!r} must be a number somewhere, but got none."
    if not np.isfinite(inside).all():
        return f"label {target.name!r} must be finite where valid, but got {int((~np.isfinite(inside)).sum())} others."
    return None


_KINDS: dict[str, Callable[[np.ndarray, Label, TargetSpec], str | None]] = {
    "class": _codes,
    "mask": _codes,
    "field": _numbers,
    "values": _numbers,
}


def as_declared(label: Label, target: TargetSpec) -> Label:
    """The label with its target in the declared dtype: a labeler may answer in a wider or narrower one."""
    value = np.asarray(label.target[target.name]).astype(TARGET_DTYPES[target.kind])
    return replace(label, target={target.name: value})
