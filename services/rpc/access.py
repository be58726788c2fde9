"""Who may speak to the controller: anybody on this machine, or holders of a token over TLS."""

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from dataeff_al.addresses import is_loopback
from dataeff_al.errors import AccessError, RequestError
from services.rpc.status import refusal

OPEN_SERVICE = "/grpc.health.v1.Health/"
_HASH = re.compile(r"[0-9a-f]{64}")
_SCHEME = "Bearer "
MAX_TOKEN = 4096


@dataclass(frozen=True)
class Binding:
    """Where to listen, and who is let in.

    Attributes:
        host: a name or address; other than loopback only with TLS and tokens.
        port: 0 takes a free one.
        certificate: PEM file of the server's certificate chain, or None.
        key: PEM file of its private key, or None.
        tokens: sha256 of every token that is let in; None: no token is wanted.
    """

    host: str = "127.0.0.1"
    port: int = 7460
    certificate: Path | None = None
    key: Path | None = None
    tokens: tuple[bytes, ...] | None = None

    def check(self) -> None:
        """Raises AccessError when strangers could come in, RequestError when half of TLS is missing."""
        if (self.certificate is None) != (self.key is None):
            raise RequestError("TLS needs a certificate and its key, but got only one of them.")
        if not is_loopback(self.host) and (self.certificate is None or not self.tokens):
            raise AccessError(
                f"a controller that others can reach must have TLS and tokens (--tls-cert, --tls-key, --token-file), "
                f"but got host {self.host!r} without."
            )

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_tokens(path: Path) -> tuple[bytes, ...]:
    """The hashes in a token file: one lower-case hex sha256 a line; what follows it and lines with # are for people.

    Raises RequestError when the file cannot be read or holds none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"a token file must be readable text, but got {error}.") from error
    words = [line.split()[0] for line in lines if line.strip() and not line.lstrip().startswith("#")]
    wrong = [number for number, word in enumerate(words, start=1) if not _HASH.fullmatch(word)]
    if wrong or not words:
        # What stands there may be a token in clear, which must not reach a log.
        found = f"another entry {wrong[0]}" if wrong else "none"
        raise RequestError(f"a token file must hold sha256 hashes in hex, one a line, but got {found}.")
    return tuple(bytes.fromhex(word) for word in words)


def lets_in(tokens: Sequence[bytes], given: str) -> bool:
    """Whether a token's hash is among the known ones, in time that does not depend on which."""
    found = hashlib.sha256(given[:MAX_TOKEN].encode()).digest()
    matches = [hmac.compare_digest(found, known) for known in tokens]
    return any(matches)


class TokenCheck(grpc.aio.ServerInterceptor):
    """Lets nobody but holders of a token past, except to ask for the server's health."""

    def __init__(self, tokens: Sequence[bytes]) -> None:
        self._tokens = tokens

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """Go on, or answer with UNAUTHENTICATED."""
        method, metadata = handler_call_details.method, handler_call_details.invocation_metadata
        handler = await continuation(handler_call_details)
        if method.startswith(OPEN_SERVICE) or lets_in(self._tokens, _bearer(metadata)):
            return handler
        return _refused(handler)


def _bearer(metadata: Any) -> str:
    value = next((value for key, value in metadata or () if key == "authorization"), "")
    return value.removeprefix(_SCHEME) if isinstance(value, str) and value.startswith(_SCHEME) else ""


async def _abort(context: Any) -> None:
    refused = refusal(AccessError("a call must carry a known token, but got none."))
    await context.abort(refused.code, refused.text, refused.metadata)


def _refused(handler: grpc.RpcMethodHandler | None) -> grpc.RpcMethodHandler:
    async def one(_: Any, context: Any) -> None:
        await _abort(context)

    async def many(_: Any, context: Any) -> Any:
        await _abort(context)
        yield

    wants = (handler.request_streaming, handler.response_streaming) if handler else (False, False)
    makers: dict[tuple[bool, bool], Callable[[Any], grpc.RpcMethodHandler]] = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    return makers[wants](many if wants[1] else one)
