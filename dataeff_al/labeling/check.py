"""What a label must look like before it may be paid for and trained on."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dataeff_al.labeling.types import Deferred, Label, LabelerInfo, LabelFailure, Outcome
from dataeff_al.samples.targets import TARGET_DTYPES
from dataeff_al.samples.types import TargetSpec

MAX_REASON = 500


def checked(outcome: object, info: LabelerInfo) -> Outcome:
    """The outcome itself, or a LabelFailure that says which rule it broke. Never raises."""
    if isinstance(outcome, LabelFailure):
        return LabelFailure(str(outcome.reason)[:MAX_REASON], outcome.kind, outcome.cost)
    draft = outcome.draft if isinstance(outcome, Deferred) else outcome
    if not isinstance(draft, Label):
        return _bad(f"an outcome must be a Label, a LabelFailure or a Deferred, but got {type(outcome).__name__}.")
    broken = problem(draft, info.target)
    if broken:
        return _bad(broken, draft.cost if isinstance(draft.cost, int) and draft.cost > 0 else 0)
    return outcome  # type: ignore[return-value]


def _bad(reason: str, cost: int = 0) -> LabelFailure:
    return LabelFailure(reason[:MAX_REASON], "bad_label", cost)


def problem(label: Label, target: TargetSpec) -> str | None:
    """The rule that a label breaks, in a sentence, or None."""
    if not isinstance(label.cost, int) or label.cost < 0:
        return f"a label's cost must be a whole number of at least 0, but got {label.cost!r}."
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
