"""From the project's own errors to status codes with details; a caller's mistake is never UNKNOWN or INTERNAL."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc

from dataeff_al import errors
from dataeff_al.errors import DataeffError, SpecError, UnknownNameError
from dataeff_al.rpc.limits import ERROR_KEY, MAX_ERROR_BYTES

log = logging.getLogger(__name__)
Code = grpc.StatusCode
MAX_TEXT = 500

_CODES: Mapping[type[DataeffError], Code] = {
    errors.SpecError: Code.INVALID_ARGUMENT,
    errors.UnknownNameError: Code.INVALID_ARGUMENT,
    errors.CapabilityError: Code.INVALID_ARGUMENT,
    errors.DataError: Code.INVALID_ARGUMENT,
    errors.GeometryError: Code.INVALID_ARGUMENT,
    errors.RequestError: Code.INVALID_ARGUMENT,
    errors.LabelingError: Code.FAILED_PRECONDITION,
    errors.TrainingError: Code.FAILED_PRECONDITION,
    errors.StateError: Code.FAILED_PRECONDITION,
    errors.BudgetError: Code.FAILED_PRECONDITION,
    errors.AccessError: Code.UNAUTHENTICATED,
    errors.UnavailableError: Code.UNAVAILABLE,
    errors.ConflictError: Code.ALREADY_EXISTS,
    errors.LockedError: Code.UNAVAILABLE,
    errors.CorruptError: Code.DATA_LOSS,
    errors.NotFoundError: Code.NOT_FOUND,
    errors.NoRoomError: Code.RESOURCE_EXHAUSTED,
    errors.RecordError: Code.UNAVAILABLE,
    errors.DataeffError: Code.FAILED_PRECONDITION,
}


@dataclass(frozen=True)
class Refusal:
    """How an error travels."""

    code: Code
    text: str
    metadata: tuple[tuple[str, str], ...]


def refusal(error: Exception) -> Refusal:
    """The refusal that an error means; what nobody foresaw is logged here and not shown."""
    if not isinstance(error, DataeffError):
        log.error("a call failed", exc_info=error)
        return Refusal(Code.INTERNAL, "the service must not fail, but it did; its log shows where.", ())
    code = next(_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)
    text = str(error)
    details = json.dumps(_details(error), ensure_ascii=True)
    return Refusal(code, text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}...", ((ERROR_KEY, details),))


def _details(error: DataeffError) -> dict[str, Any]:
    known: DataeffError = error
    name = next(kind.__name__ for kind in type(error).__mro__ if kind in _CODES)
    if isinstance(known, SpecError):
        return _spec_details(known)
    if isinstance(known, UnknownNameError):
        named = {"kind": known.kind, "name": known.name[:200], "known": known.known[:50], "nearest": known.nearest}
        return {"error": name, "message": "", **named}
    return {"error": name, "message": str(known)[: MAX_ERROR_BYTES // 6]}


def _spec_details(error: SpecError) -> dict[str, Any]:
    """As many problems as fit; the others can be had from Validate."""
    rows: list[list[Any]] = []
    room = MAX_ERROR_BYTES
    for problem in error.problems:
        row = [problem.path, problem.line, problem.message]
        room -= len(json.dumps(row)) + 2
        if room < 0:
            break
        rows.append(row)
    return {"error": SpecError.__name__, "problems": rows, "left_out": len(error.problems) - len(rows)}
