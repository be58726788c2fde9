"""A connection to a service: bounded, retried where that is safe, with the project's own errors."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from dataeff_al.errors import RequestError
from dataeff_al.rpc.failures import raised
from dataeff_al.rpc.limits import MAX_MESSAGE_BYTES

_RETRY = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Every call that changes something carries a request id, so that none is done twice by being sent twice.
    ("grpc.service_config", json.dumps(_RETRY)),
    ("grpc.enable_retries", 1),
)


@dataclass(frozen=True)
class Access:
    """How to be let in: a bearer token, and the certificate authority of a service that speaks TLS (PEM file)."""

    token: str | None = None
    ca: Path | None = None


class Connection:
    """Calls of one service. Threads may share it.

    Args:
        target: ``host:port``.
        access: how to be let in.
        timeout_s: longest time of one call [s]; streams have none.
    """

    def __init__(self, target: str, access: Access, timeout_s: float) -> None:
        self.target, self._timeout_s = target, timeout_s
        self._metadata = (("authorization", f"Bearer {access.token}"),) if access.token else ()
        self.channel = _channel(target, access.ca)

    def close(self) -> None:
        """Hang up."""
        self.channel.close()

    def call(self, method: Callable[..., Any], request: Any, timeout_s: float | None = None) -> Any:
        """The answer to one request. Raises errors of :mod:`dataeff_al.errors`."""
        try:
            return method(request, timeout=timeout_s or self._timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            raise raised(error, self.target) from error

    def stream(self, method: Callable[..., Any], request: Any) -> Iterator[Any]:
        """The answers to one request as they come. Raises errors of :mod:`dataeff_al.errors`."""
        call = method(request, metadata=self._metadata)
        try:
            yield from call
        except grpc.RpcError as error:
            raise raised(error, self.target) from error
        finally:
            call.cancel()


def _channel(target: str, ca: Path | None) -> grpc.Channel:
    if not target or any(letter.isspace() for letter in target):
        raise RequestError(f"a target must have the form host:port, but got {target!r}.")
    if ca is None:
        return grpc.insecure_channel(target, options=_OPTIONS)
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(ca.read_bytes()), options=_OPTIONS)


def new_request_id() -> str:
    """A name for a request that nobody else has."""
    return uuid.uuid4().hex
