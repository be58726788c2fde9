"""Small true stories: valid logs of events, for contract suites and tests of the record."""

from collections.abc import Sequence
from typing import Any

from dataeff_al import events as ev
from dataeff_al.digests import Ref, digest_bytes


class Story:
    """Writes a campaign's events one after another. Every blob that they mention is in :attr:`blobs`.

    Example::

        story = Story(total=10)
        log = [*story.begin(), story.propose(2), story.lease(["q0"]), story.tell("q0")]
    """

    def __init__(self, name: str = "story", total: int = 1000, max_cost: int = 3) -> None:
        self.name, self.total, self.max_cost = name, total, max_cost
        self.blobs: dict[Ref, bytes] = {}
        self._slots = 0
        self._tries: dict[str, int] = {}

    def blob(self, what: str) -> Ref:
        """The ref of a blob with some content."""
        content = f"{self.name} {what}".encode()
        ref = digest_bytes(content)
        self.blobs[ref] = content
        return ref

    def begin(self, evaluation_budget: int = 1000) -> list[ev.Event]:
        """The campaign is created and its pool prepared."""
        spec = {"budget": {"total": self.total}}
        return [
            ev.Created(name=self.name, spec=spec, spec_digest=self.blob("spec"), max_cost=self.max_cost),
            ev.PoolPrepared(
                key="pool",
                splits=self.blob("splits"),
                pool_digest="pool",
                holdout_digest="holdout",
                candidates=100,
                evaluation_budget=evaluation_budget,
                seconds=0.5,
            ),
        ]

    def query(self, **changes: Any) -> ev.QueryRecord:
        """The next query; ids are ``q0``, ``q1``, and so on."""
        slot, self._slots = self._slots, self._slots + 1
        fields: dict[str, Any] = {
            "id": f"q{slot}",
            "slot": slot,
            "payload": f"sample{slot}",
            "request": self.blob(f"request {slot}"),
            "content": self.blob(f"content {slot}"),
        }
        return ev.QueryRecord(**(fields | changes))

    def propose(self, n: int, purpose: ev.Purpose = "initial", number: int = 0, **changes: Any) -> ev.Proposed:
        """``n`` more queries; ``changes`` go into each of their records."""
        queries = tuple(self.query(**changes) for _ in range(n))
        return ev.Proposed(key="p", round=number, purpose=purpose, queries=queries, max_cost=self.max_cost)

    def inherit(self, cost: int = 1, purpose: ev.Purpose = "initial") -> ev.Inherited:
        """One label that a parent campaign bought."""
        query = self.query()
        label = ev.LabelRecord(label=self.blob(f"label {query.id}"), cost=cost)
        return ev.Inherited(labels=(ev.InheritedLabel(query=query, purpose=purpose, label=label),))

    def lease(self, queries: Sequence[str], deadline: float = 60.0) -> ev.Leased:
        """The next attempt at each query; the second one at ``q0`` has the id ``q0.2``."""
        grants = []
        for query in queries:
            number = self._tries[query] = self._tries.get(query, 0) + 1
            grants.append(ev.AttemptGrant(attempt=f"{query}.{number}", query=query, number=number, deadline=deadline))
        return ev.Leased(attempts=tuple(grants))

    def label(self, query: str, cost: int = 1) -> ev.LabelRecord:
        """A label of a query."""
        return ev.LabelRecord(label=self.blob(f"label {query}"), cost=cost, work_s=0.25)

    def tell(self, query: str, cost: int = 1, number: int | None = None) -> ev.Told:
        """The answer of the newest attempt at a query, or of the given one."""
        return ev.Told(attempt=self._attempt(query, number), query=query, label=self.label(query, cost))

    def tell_extra(self, query: str, cost: int = 1, number: int | None = None) -> ev.ExtraTold:
        """A late answer."""
        return ev.ExtraTold(attempt=self._attempt(query, number), query=query, label=self.label(query, cost))

    def fail(self, query: str, cost: int = 0) -> ev.AttemptFailed:
        """The newest attempt at a query ends without a label."""
        return ev.AttemptFailed(
            attempt=self._attempt(query, None), query=query, failure="refused", reason="no wall", cost=cost
        )

    def train(self, labels: int, number: int = 0) -> ev.Trained:
        """A model learnt from so many labels."""
        model = self.blob(f"model {number}")
        return ev.Trained(key="t", round=number, model=model, labels=labels, steps=10, loss=0.5, seconds=1.0)

    def _attempt(self, query: str, number: int | None) -> str:
        return f"{query}.{number or self._tries[query]}"


def told_story(labels: int = 4) -> tuple[Story, list[ev.Event]]:
    """A short campaign in which every kind of money moves, and its events."""
    story = Story()
    log: list[ev.Event] = [*story.begin(), story.propose(2, "validation"), story.propose(labels + 4)]
    first = 2
    names = [f"q{slot}" for slot in range(first, first + labels)]
    failing, late, lost, dropped = (f"q{slot}" for slot in range(first + labels, first + labels + 4))
    log += [story.lease([*names, failing, late, lost]), ev.Beat(attempts=(f"{names[0]}.1",), deadline=90.0)]
    log += [story.tell(name, cost) for name, cost in zip(names, [1, 3, 5, 0] * labels, strict=False)]
    log += [story.fail(failing, cost=2), ev.DeadLettered(query=failing, reason="no wall")]
    log += [ev.AttemptExpired(attempt=f"{late}.1", query=late), ev.QueryCancelled(query=late)]
    log += [story.tell_extra(late, 2), *_lost(lost)]
    log += [story.inherit(2), story.train(labels + 1), ev.CancelRequested(reason="enough")]
    log += [ev.QueryCancelled(query=name) for name in (dropped, "q0", "q1")]
    return story, [*log, ev.Cancelled()]


def _lost(query: str) -> list[ev.Event]:
    """An attempt of unknown outcome is settled as lost; what it cost all the same becomes known too late."""
    attempt = {"attempt": f"{query}.1", "query": query}
    return [
        ev.AttemptUnknown(**attempt, reason="the labeler was restarted"),
        ev.Settled(**attempt, verdict="lost"),
        ev.DeadLettered(query=query, reason="settled as lost"),
        ev.ExtraFailed(**attempt, failure="infra", reason="out of memory", cost=1),
    ]
