"""What can be asked of a campaign; :func:`~dataeff_al.campaign.decide.decide` answers with events or refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dataeff_al.events import FailureKind, LabelRecord, Outcome


@dataclass(frozen=True)
class StepDone:
    """A worker finished a step; ``result`` is what it returned, ``seconds`` how long it took."""

    key: str
    method: str
    task: Mapping[str, Any]
    result: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True)
class StepError:
    """A step ended in an error: ``infra`` may be tried again by itself, ``error`` needs a person."""

    key: str
    method: str
    failure: Literal["infra", "error"]
    reason: str


@dataclass(frozen=True)
class GrantAttempts:
    """Lease these queries to the labeler; ``lease_s``: for how long, unless as long as the campaign says."""

    queries: tuple[str, ...]
    lease_s: float | None = None


@dataclass(frozen=True)
class Tell:
    """An attempt's label."""

    attempt: str
    label: LabelRecord


@dataclass(frozen=True)
class Fail:
    """An attempt ended without a label; ``picture``: the ref of a PNG of why; ``request``: of what those outside are
    asked, when it is passed on."""

    attempt: str
    failure: FailureKind
    reason: str
    cost: int = 0
    picture: str | None = None
    request: str | None = None


@dataclass(frozen=True)
class Lose:
    """Nobody knows what became of an attempt: whether it was paid, and for what."""

    attempt: str
    reason: str = ""


@dataclass(frozen=True)
class Renew:
    """The attempts are alive; ``lease_s`` as in :class:`GrantAttempts`."""

    attempts: tuple[str, ...]
    lease_s: float | None = None


@dataclass(frozen=True)
class Expire:
    """Attempts whose deadline has passed and whose host is not at work on them."""

    attempts: tuple[str, ...]


@dataclass(frozen=True)
class Settle:
    """An operator's word on an unknown attempt: ``lost`` (not paid) or ``wasted`` (paid, and the label is gone)."""

    attempt: str
    verdict: Literal["lost", "wasted"]


@dataclass(frozen=True)
class Withdraw:
    """A round closes without these queries; answers that still come are kept as extra."""

    queries: tuple[str, ...]


@dataclass(frozen=True)
class AddTwin:
    """The child campaign exists."""

    name: str
    child: str


@dataclass(frozen=True)
class Conclude:
    """The campaign is at its end."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class Pause:
    """Start no new work."""

    cause: Literal["user", "infra", "error"] = "user"
    reason: str = "asked for"


@dataclass(frozen=True)
class Resume:
    """Go on."""


@dataclass(frozen=True)
class Cancel:
    """End before the time: no new leases, answers in flight still accepted."""

    reason: str = "asked for"


@dataclass(frozen=True)
class ConfirmCancel:
    """Nothing is in flight any more."""


@dataclass(frozen=True)
class Extend:
    """Add ``amount`` to the budget of queries."""

    amount: int


Command = (
    StepDone
    | StepError
    | GrantAttempts
    | Tell
    | Fail
    | Lose
    | Renew
    | Expire
    | Settle
    | Withdraw
    | AddTwin
    | Conclude
    | Pause
    | Resume
    | Cancel
    | ConfirmCancel
    | Extend
)
