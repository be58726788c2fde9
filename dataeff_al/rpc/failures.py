"""From a status code and its details back to the project's own errors."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import grpc

from dataeff_al import errors
from dataeff_al.errors import (
    AccessError,
    ConflictError,
    CorruptError,
    DataeffError,
    NotFoundError,
    Problem,
    RequestError,
    SpecError,
    StateError,
    UnavailableError,
    UnknownNameError,
)
from dataeff_al.rpc.limits import ERROR_KEY

_BY_CODE: Mapping[grpc.StatusCode, type[DataeffError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: RequestError,
    grpc.StatusCode.OUT_OF_RANGE: RequestError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: RequestError,
    grpc.StatusCode.UNIMPLEMENTED: RequestError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: ConflictError,
    grpc.StatusCode.ABORTED: ConflictError,
    grpc.StatusCode.FAILED_PRECONDITION: StateError,
    grpc.StatusCode.UNAUTHENTICATED: AccessError,
    grpc.StatusCode.PERMISSION_DENIED: AccessError,
    grpc.StatusCode.DATA_LOSS: CorruptError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: UnavailableError,
}


def raised(error: grpc.RpcError, target: str) -> DataeffError:
    """The error that a failed call means."""
    details = _details(error)
    if details is not None:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            return _rebuilt(details)
    code, text = error.code(), error.details() or "no reason given"
    if code is grpc.StatusCode.UNAVAILABLE:
        return UnavailableError(f"a service must be reachable at {target}, but got: {_first_line(text)}.")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return UnavailableError(f"the service at {target} must answer in time, but got nothing before the deadline.")
    kind = _BY_CODE.get(code, DataeffError)
    return kind(f"the service at {target} must accept the call, but got {code.name}: {_first_line(text)}.")


def left_out(error: grpc.RpcError) -> int:
    """How many problems of a refused campaign file did not fit into the refusal."""
    return int((_details(error) or {}).get("left_out", 0))


def _first_line(text: str) -> str:
    return text.splitlines()[0].rstrip(".")[:300] if text else ""


def _details(error: grpc.RpcError) -> dict[str, Any] | None:
    metadata: Any = error.trailing_metadata()
    for key, value in metadata or ():
        if key == ERROR_KEY:
            try:
                found = json.loads(value)
            except ValueError:
                return None
            return found if isinstance(found, dict) else None
    return None


def _rebuilt(details: Mapping[str, Any]) -> DataeffError:
    name, message = str(details.get("error")), str(details.get("message", ""))
    if name == SpecError.__name__:
        rows = details.get("problems", [])
        return SpecError([Problem(str(path), int(line), str(text)) for path, line, text in rows])
    if name == UnknownNameError.__name__:
        return UnknownNameError(details["kind"], details["name"], details["known"], details["nearest"])
    kind = getattr(errors, name, None)
    plain = isinstance(kind, type) and issubclass(kind, DataeffError)
    return kind(message) if plain and kind is not None else DataeffError(message)
