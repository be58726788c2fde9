"""The form of requests: checked before anything is looked up, so that nonsense of any size is refused at once."""

import math
from collections.abc import Sequence
from typing import Any

from dataeff_al.digests import digest_json
from dataeff_al.errors import RequestError
from dataeff_al.rpc import limits
from dataeff_al.sentences import shown
from dataeff_al.stores.protocol import RequestKey


def request_id(given: str) -> str:
    """The caller's name for a request by its form. Raises RequestError."""
    printable = all("!" <= letter <= "~" for letter in given)
    if not 0 < len(given) <= limits.MAX_REQUEST_ID or not printable:
        raise RequestError(
            f"request_id must be 1 to {limits.MAX_REQUEST_ID} printable ASCII characters without spaces, but got "
            f"{shown(given)}."
        )
    return given


def request_key(given: str, method: str, content: Any) -> RequestKey:
    """A mutation's name and the digest of what it asks. Raises RequestError when the name is not one."""
    return RequestKey(request_id(given), digest_json([method, content]))


def text(name: str, value: str, most: int, *, least: int = 0) -> str:
    """A text field of bounded length. Raises RequestError."""
    if not least <= len(value) <= most:
        raise RequestError(f"{name} must have {least} to {most} characters, but got {len(value)}.")
    return value


def campaign_id(value: str) -> str:
    """The id of a campaign, twin or repeat by its form. Raises RequestError."""
    return text("campaign", value, limits.MAX_CAMPAIGN_ID, least=1)


def attempt_id(value: str) -> str:
    """The id of an attempt by its form. Raises RequestError."""
    return text("attempt", value, limits.MAX_ATTEMPT_ID, least=1)


def attempts(values: Sequence[str]) -> tuple[str, ...]:
    """Different attempts, not too many. Raises RequestError."""
    if not 1 <= len(values) <= limits.MAX_LEASES:
        raise RequestError(f"attempts must be 1 to {limits.MAX_LEASES}, but got {len(values)}.")
    return tuple(dict.fromkeys(attempt_id(value) for value in values))


def whole(name: str, value: int, most: int, *, least: int = 1) -> int:
    """A whole number within bounds. Raises RequestError."""
    if not least <= value <= most:
        raise RequestError(f"{name} must be {least} to {most}, but got {value!r}.")
    return value


def seconds(name: str, value: float) -> float:
    """A duration [s]. Raises RequestError."""
    if not (math.isfinite(value) and 0 <= value <= limits.MAX_WORK_S):
        raise RequestError(f"{name} must be 0 to {limits.MAX_WORK_S:.0f} seconds, but got {value!r}.")
    return value
