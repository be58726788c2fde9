"""What can happen in a campaign. The log of these events is the truth; everything else is made from it.

Events are small: arrays travel as refs of blobs. Money is counted in integers of the budget's unit. An event that
changes a query's state carries its money in the same event, so that one commit holds both:

==================  =======================================================
Proposed            RESERVE ``max_cost`` for every query
Told                POST ``cost``, RELEASE the rest of the reservation
AttemptFailed       WASTE ``cost`` (when the failed try cost something)
DeadLettered        RELEASE
QueryCancelled      RELEASE
ExtraTold           EXTRA ``cost``: a late answer after its reservation was released
ExtraFailed         EXTRA ``cost``: a late failure that cost something all the same
Inherited           POST ``cost`` for every label taken over from the parent campaign
==================  =======================================================
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Purpose = Literal["initial", "acquire", "validation", "test", "reference"]
AccountName = Literal["queries", "evaluation"]
FailureKind = Literal["infra", "timeout", "bad_label", "refused", "passed_on"]
Outcome = Literal["reached", "exhausted", "plateau", "not_worth", "pool_empty", "completed"]

SEQUENCES: dict[Purpose, str] = {
    "initial": "train",
    "acquire": "train",
    "validation": "validation",
    "test": "test",
    "reference": "reference",
}
"""Purposes whose slots count on together: a slot never depends on which of two independent steps ended first."""


def account_of(purpose: Purpose) -> AccountName:
    """The account that pays for a purpose: what trains the model is paid from ``queries``, the rest measures it."""
    return "queries" if purpose in ("initial", "acquire") else "evaluation"


class Record(BaseModel):
    """Base of everything that is written into the log: strict, frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class QueryRecord(Record):
    """One proposed sample. ``payload`` is its id in the pool, or the id of a sample that is not in the pool.

    ``request`` is the ref of the question as the labeler will get it, the sample included. ``content`` is the digest of
    the sample's arrays, by which holdout and training sets are kept apart; ``provenance`` the ref of a blob with
    parent, latent, path and score, or None.
    """

    id: str
    slot: int
    payload: str
    request: str
    content: str
    synthesised: bool = False
    provenance: str | None = None


class AttemptGrant(Record):
    """The right of one labeler to answer one query until ``deadline`` (seconds since the epoch)."""

    attempt: str
    query: str
    number: int
    deadline: float


class LabelRecord(Record):
    """A label by reference, with what it cost and how long it took [s]; ``picture``: a PNG of how it came about."""

    label: str
    cost: int
    work_s: float = 0.0
    cpu_s: float = 0.0
    picture: str | None = None


class InheritedLabel(Record):
    """A query that the parent campaign paid for, with its label."""

    query: QueryRecord
    purpose: Purpose
    label: LabelRecord


class Created(Record):
    """A campaign exists. ``spec`` is the canonical description; ``parent`` the campaign whose twin this is.

    ``max_cost`` is the most one label can cost, in the budget's unit; ``lease_s`` how long an
    attempt may go without a sign of life, and ``target`` the form of the labels. ``repeats``: under how many seeds
    it is to run, this one included; the others are campaigns of their own.
    """

    kind: Literal["created"] = "created"
    name: str
    spec: dict[str, Any]
    spec_digest: str
    parent: str | None = None
    max_cost: int = 1
    lease_s: float = 600.0
    target: dict[str, Any] = Field(default_factory=dict)
    repeats: int = 1


class PoolPrepared(Record):
    """The pool was read and split. ``splits`` is the ref of a blob with the ids of every part.

    ``evaluation_budget`` sizes the account that pays for the labels which only measure.
    """

    kind: Literal["pool_prepared"] = "pool_prepared"
    key: str
    splits: str
    pool_digest: str
    holdout_digest: str
    candidates: int
    evaluation_budget: int
    seconds: float


class GeneratorFitted(Record):
    """The data manifold was learnt. ``generator`` is its state's ref, ``latents`` the pool's latent table's."""

    kind: Literal["generator_fitted"] = "generator_fitted"
    key: str
    generator: str
    latents: str
    error: float
    mean_error: float
    seconds: float


class Proposed(Record):
    """Queries were chosen and their cost reserved. Slots count on over all rounds that buy for the same end.

    ``at`` is the time at which they were asked [s since the epoch], from which a round's deadline counts. ``refused``:
    how many synthesised samples were not good enough to be asked, in ``refusals`` by reason. ``regimes``: how many each
    strategy chose, where a sampler has several.
    """

    kind: Literal["proposed"] = "proposed"
    key: str
    round: int
    purpose: Purpose
    queries: tuple[QueryRecord, ...]
    max_cost: int
    refused: int = 0
    refusals: dict[str, int] = Field(default_factory=dict)
    regimes: dict[str, int] = Field(default_factory=dict)
    at: float = 0.0
    seconds: float = 0.0


class Inherited(Record):
    """Labels that were not bought here: a twin's first ones, charged to its own budget as if it had bought them, or
    labels that the user owned before, at no cost.

    ``slots``: how many slots of a purpose the parent had given out, those without a label included.
    """

    kind: Literal["inherited"] = "inherited"
    labels: tuple[InheritedLabel, ...]
    slots: dict[Purpose, int] = Field(default_factory=dict)


class Leased(Record):
    """Attempts were granted, with their deadlines."""

    kind: Literal["leased"] = "leased"
    attempts: tuple[AttemptGrant, ...]


class Beat(Record):
    """The labeler is at work: the attempts run, and their deadline moves."""

    kind: Literal["beat"] = "beat"
    attempts: tuple[str, ...]
    deadline: float


class Told(Record):
    """A label arrived in time, or late while its reservation still stood; its cost above the reservation is extra."""

    kind: Literal["told"] = "told"
    attempt: str
    query: str
    label: LabelRecord


class ExtraTold(Record):
    """A label arrived for a query that no longer held a reservation; kept, and booked outside the budget."""

    kind: Literal["extra_told"] = "extra_told"
    attempt: str
    query: str
    label: LabelRecord


class ExtraFailed(Record):
    """A failure with a cost, of an attempt that no longer held a reservation; booked outside the budget."""

    kind: Literal["extra_failed"] = "extra_failed"
    attempt: str
    query: str
    failure: FailureKind
    reason: str
    cost: int


class AttemptFailed(Record):
    """An attempt ended without a label; ``picture``: a PNG of why; ``request``: what those outside are now asked."""

    kind: Literal["attempt_failed"] = "attempt_failed"
    attempt: str
    query: str
    failure: FailureKind
    reason: str
    cost: int = 0
    picture: str | None = None
    request: str | None = None


class AttemptExpired(Record):
    """The deadline passed without a sign of life."""

    kind: Literal["attempt_expired"] = "attempt_expired"
    attempt: str
    query: str


class AttemptUnknown(Record):
    """Nobody can say whether the attempt was paid for; an operator must settle it."""

    kind: Literal["attempt_unknown"] = "attempt_unknown"
    attempt: str
    query: str
    reason: str = ""


class Settled(Record):
    """An operator said what became of an unknown attempt: ``lost`` (not paid) or ``wasted`` (paid, no label)."""

    kind: Literal["settled"] = "settled"
    attempt: str
    query: str
    verdict: Literal["lost", "wasted"]
    cost: int = 0


class DeadLettered(Record):
    """A query was given up after its last attempt."""

    kind: Literal["dead_lettered"] = "dead_lettered"
    query: str
    reason: str


class QueryCancelled(Record):
    """A query was withdrawn."""

    kind: Literal["query_cancelled"] = "query_cancelled"
    query: str


class Trained(Record):
    """A model was fitted. ``role`` tells the campaign's own model from the full-pool reference."""

    kind: Literal["trained"] = "trained"
    key: str
    round: int
    role: Literal["main", "reference"] = "main"
    model: str
    labels: int
    steps: int
    loss: float
    seconds: float
    notes: dict[str, str] = Field(default_factory=dict)


class Evaluated(Record):
    """A model was measured. Only ``validation`` may decide anything; ``test`` is only reported."""

    kind: Literal["evaluated"] = "evaluated"
    key: str
    round: int
    role: Literal["main", "reference"] = "main"
    labels: int
    validation: dict[str, float]
    test: dict[str, float]
    cases: str | None = None
    seconds: float


class StepFailed(Record):
    """A step of a worker ended in an error."""

    kind: Literal["step_failed"] = "step_failed"
    key: str
    method: str
    failure: Literal["infra", "error"]
    reason: str


class TwinSpawned(Record):
    """A child campaign with another paradigm was created from this one's first labels."""

    kind: Literal["twin_spawned"] = "twin_spawned"
    child: str
    name: str


class Paused(Record):
    """No new work starts. ``cause``: a person, the infrastructure, or an error that a person must mend."""

    kind: Literal["paused"] = "paused"
    cause: Literal["user", "infra", "error"]
    reason: str


class Resumed(Record):
    """Work goes on."""

    kind: Literal["resumed"] = "resumed"


class CancelRequested(Record):
    """No new leases; answers in flight are still accepted."""

    kind: Literal["cancel_requested"] = "cancel_requested"
    reason: str


class Cancelled(Record):
    """The campaign ended before its time."""

    kind: Literal["cancelled"] = "cancelled"


class Extended(Record):
    """The budget of queries grew by ``amount``; a campaign that had spent its budget goes on."""

    kind: Literal["extended"] = "extended"
    amount: int


class Finished(Record):
    """The campaign came to its end."""

    kind: Literal["finished"] = "finished"
    outcome: Outcome
    reason: str


Event = Annotated[
    Created
    | PoolPrepared
    | GeneratorFitted
    | Proposed
    | Inherited
    | Leased
    | Beat
    | Told
    | ExtraTold
    | ExtraFailed
    | AttemptFailed
    | AttemptExpired
    | AttemptUnknown
    | Settled
    | DeadLettered
    | QueryCancelled
    | Trained
    | Evaluated
    | StepFailed
    | TwinSpawned
    | Paused
    | Resumed
    | CancelRequested
    | Cancelled
    | Extended
    | Finished,
    Field(discriminator="kind"),
]

_adapter: TypeAdapter[Event] = TypeAdapter(Event)


def to_json(event: Event) -> str:
    """An event as JSON text."""
    return event.model_dump_json()


def from_json(text: str | bytes) -> Event:
    """An event from JSON text. Raises ValueError when it is none."""
    return _adapter.validate_json(text)
