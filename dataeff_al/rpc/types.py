"""What a service tells its clients, as plain values. Knows nothing of the wire."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from dataeff_al.campaign.state import Account
from dataeff_al.events import Event, from_json
from dataeff_al.labeling.packing import unpack_request
from dataeff_al.labeling.types import Request
from dataeff_al.samples.types import SampleSpec, TargetSpec

Status = Literal["running", "paused", "cancelling", "cancelled", "finished"]
Activity = Literal["queued", "driven", "idle"]
Booking = Literal["posted", "extra"]
Verdict = Literal["lost", "wasted"]


@dataclass(frozen=True)
class UnknownAttempt:
    """An attempt that may have been paid for; somebody must find out and settle it.

    ``purpose`` and ``payload`` say what the query was for and about which sample, ``reason`` why nobody knows.
    """

    attempt: str
    query: str
    purpose: str = ""
    payload: str = ""
    reason: str = ""


@dataclass(frozen=True)
class CampaignInfo:
    """A campaign as it stands.

    ``status`` is what its record says, ``activity`` what the controller does for it; ``reason`` says why it ended or
    was paused, ``problem`` what went wrong in the controller. ``target`` and ``validation`` are values of ``metric``.
    Money is in whole ``unit``s, ``created_at`` in seconds since the epoch. ``spec_yaml`` is empty in lists.
    """

    id: str
    name: str
    parent: str
    status: Status
    activity: Activity
    reason: str
    outcome: str
    problem: str
    events: int
    created_at: float
    round: int
    labels: int
    unit: str
    queries: Account
    evaluation: Account
    extra: int
    metric: str
    target: float | None
    validation: float | None
    reached: bool | None
    members: tuple[str, ...] = ()
    unknown: tuple[UnknownAttempt, ...] = ()
    spec_yaml: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing can happen any more, short of an extension."""
        return self.status in ("finished", "cancelled")


@dataclass(frozen=True)
class WatchedEvent:
    """Event ``n`` of a campaign, written ``at`` [s since the epoch]; ``body`` is its JSON text."""

    campaign: str
    n: int
    at: float
    kind: str
    body: str

    @cached_property
    def data(self) -> dict[str, Any]:
        """The event's members as plain data."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @cached_property
    def event(self) -> Event:
        """The event itself. Raises ValueError when a newer service sends a kind that is not known here."""
        return from_json(self.body)


@dataclass(frozen=True)
class Lease:
    """The right to answer one query until ``deadline`` [s since the epoch]; ``packed``: the question as it travels."""

    attempt: str
    campaign: str
    query: str
    deadline: float
    packed: bytes

    @cached_property
    def request(self) -> Request:
        """The question with its sample. Raises DataError when it is none."""
        return unpack_request(self.packed, self.attempt)


@dataclass(frozen=True)
class Form:
    """What is shown to those who answer, and what an answer must look like; ``cost`` of a label that states none."""

    samples: SampleSpec
    target: TargetSpec
    instructions: str
    cost: int


@dataclass(frozen=True)
class Renewed:
    """Leases that go on until ``deadline`` [s since the epoch]."""

    deadline: float
    attempts: tuple[str, ...]


@dataclass(frozen=True)
class Receipt:
    """How a label was booked, its digest, and whether it had been told before."""

    booking: Booking
    label: str
    repeated: bool = False


@dataclass(frozen=True)
class ModelCard:
    """A model's digest and size in bytes, and what it is, as in a run folder's ``model.json``."""

    digest: str
    size: int
    card: dict[str, Any]


@dataclass(frozen=True)
class Page:
    """Some campaigns, and what asks for the next ones (empty: there are none)."""

    campaigns: tuple[CampaignInfo, ...]
    next_token: str
