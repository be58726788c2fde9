"""What a program wrote: labels, what they cost, and why there is none."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.labeling.npz_labels import read_labels
from dataeff_al.labeling.types import LabelerInfo, LabelFailure, Outcome
from dataeff_al.samples.archive import read_arrays
from dataeff_al.samples.types import SampleId

_BESIDE = {"cost": "iu", "reason": "U"}


def read_outcomes(path: Path, keys: Sequence[str], info: LabelerInfo) -> list[Outcome]:
    """One outcome for each of ``keys``: a label of the declared form, or a failure with the program's reason.

    A label without a cost of its own costs what the labeler declares, and so does a failure, unless calls are free.
    Raises DataError when the file breaks a rule; other ids in it are left alone.
    """
    labels, beside = read_labels(path, info.target), _read_beside(path)
    outcomes: list[Outcome] = []
    for key in keys:
        cost, reason = beside.get(key, (None, ""))
        label = labels.get(SampleId(key))
        if label is not None:
            outcomes.append(replace(label, cost=info.cost if cost is None else cost))
        else:
            called = 0 if info.effect == "pure" else info.cost
            outcomes.append(LabelFailure(reason or "the program gave no answer", cost=called if cost is None else cost))
    return outcomes


def _read_beside(path: Path) -> dict[str, tuple[int | None, str]]:
    """Cost and reason by id."""
    arrays = read_arrays(path, only=("id", *_BESIDE))
    count = len(arrays["id"])
    for name, kinds in _BESIDE.items():
        array = arrays.get(name)
        if array is not None and (array.shape != (count,) or array.dtype.kind not in kinds):
            raise DataError(f"{name!r} must be ({count},) {_kind(kinds)}, but got {array.shape} {array.dtype}.")
    costs, reasons = arrays.get("cost"), arrays.get("reason")
    if costs is not None and (costs < 0).any():
        raise DataError(f"'cost' must be 0 or more, but got {int(costs.min())}.")
    return {str(key): (_whole(costs, row), _text(reasons, row)) for row, key in enumerate(arrays["id"])}


def _kind(kinds: str) -> str:
    return "texts" if kinds == "U" else "whole numbers"


def _whole(costs: np.ndarray | None, row: int) -> int | None:
    return None if costs is None else int(costs[row])


def _text(reasons: np.ndarray | None, row: int) -> str:
    return "" if reasons is None else str(reasons[row])
