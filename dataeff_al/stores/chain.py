"""The chain of digests over a campaign's events, and the rules every store keeps on appending.

Each event's digest covers the one before it, so that an event that was changed, removed or put in cannot pass for the
one that was written, whoever did it and by whatever means.
"""

import hashlib
from collections.abc import Sequence

from dataeff_al.errors import ConflictError, NotFoundError, RecordError
from dataeff_al.events import Created, Event
from dataeff_al.stores.protocol import Committed, RequestKey

MAX_BODY_BYTES = 16 * 2**20
MAX_ID = 200


def link(previous: str, campaign: str, n: int, epoch: int, at: float, body: str) -> str:
    """Digest of an event at its place, given the digest of the event before it (empty for the first)."""
    head = f"{previous}\n{campaign}\n{n}\n{epoch}\n{at!r}\n"
    return hashlib.sha256(head.encode() + body.encode()).hexdigest()


def check_epoch(epoch: int, newest: int) -> None:
    """Raises ConflictError when a later controller has opened the store."""
    if epoch != newest:
        raise ConflictError(f"a controller must hold the newest epoch {newest}, but got {epoch!r}.")


def check_end(campaign: str, events: Sequence[Event], expected_n: int, end: int) -> None:
    """A log grows at its end and begins with ``created``, which comes only once.

    Raises ConflictError, NotFoundError when the campaign does not exist, RecordError for a wrong beginning.
    """
    if expected_n != end:
        raise ConflictError(f"the log of campaign {campaign!r} must end at {end}, but got {expected_n!r}.")
    if end == 0 and not (events and isinstance(events[0], Created)):
        raise NotFoundError(f"a campaign must have been created, but got {campaign!r}.")
    if any(isinstance(event, Created) for event in (events if end else events[1:])):
        raise RecordError(f"campaign {campaign!r} must be created only once, but got a second time.")


def check_campaign(campaign: str) -> None:
    """Raises RecordError for an id that is empty or longer than 200 characters."""
    if not 0 < len(campaign) <= MAX_ID:
        raise RecordError(f"a campaign's id must have 1 to {MAX_ID} characters, but got {len(campaign)}.")


def check_body(campaign: str, body: str) -> None:
    """Raises RecordError for an event that is too large: arrays belong into blobs."""
    if len(body) > MAX_BODY_BYTES:
        raise RecordError(f"an event of {campaign!r} must have at most {MAX_BODY_BYTES} bytes, but got {len(body)}.")


def repeated(request: RequestKey, digest: str, n: int) -> Committed:
    """The answer to a request that was committed before. Raises ConflictError when its content was another."""
    if digest != request.digest:
        raise ConflictError(f"request {request.id!r} must keep its content {digest}, but got {request.digest!r}.")
    return Committed(n=n, replayed=True)
