"""One labeler replica as the driver knows it."""

import contextlib
import secrets
import time
from collections.abc import Collection, Sequence
from typing import Any

import ray

from dataeff_al.digests import Ref
from dataeff_al.labeling.types import Progress
from dataeff_al.parts import Runtime
from services.actors.answers import HEAD_S, answer, end, within
from services.actors.cluster import NAMESPACE
from services.actors.placement import placement
from services.actors.replica import Post, Replica, Report

REPORT_S = 5.0
LOOK_UP_S = 120.0
CALLS_AT_ONCE = 4


class Hired:
    """A replica's actor, what it was given, and when it was last heard of.

    ``ready``: its labeler is made. ``found``: it was there before this driver was. ``assigned``: attempts in the order
    in which they were given; ``answered``: outcomes that it still keeps. ``node``: the id of the node that it is on, or
    is meant for until it has reported; empty when nobody knows.
    """

    def __init__(self, actor: Any, *, found: bool, node: str = "") -> None:
        self.actor, self.found, self.ready, self.node = actor, found, False, node
        self.assigned: dict[str, None] = {}
        self.answered: set[str] = set()
        # Turns go on from one driver to the next, so that a later one is never taken for an earlier.
        self._heard_at, self._number, self._turn = time.monotonic(), 0, time.time_ns()

    @classmethod
    def new(cls, prefix: str, post: Post, runtime: Runtime | None, taken: Sequence[str]) -> "Hired":
        """Begin to make a replica, on another node than those taken where there is one.

        A paid call is never repeated by Ray: not the actor, not its calls.
        """
        place = placement(runtime, prefix, taken)
        made: Any = ray.remote(Replica).options(
            name=f"{prefix}-{secrets.token_hex(6)}",
            namespace=NAMESPACE,
            lifetime="detached",
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=CALLS_AT_ONCE,
            **place,
        )
        actor = within(HEAD_S, lambda: made.remote(post))
        return cls(actor, found=False, node=getattr(place["scheduling_strategy"], "node_id", ""))

    def ask_report(self) -> Any:
        """Ask for news."""
        return self.actor.report.remote(self._number, REPORT_S)

    def heard(self, report: Report) -> None:
        """It has reported."""
        self._heard_at, self._number, self.node = time.monotonic(), report.number, report.node
        self.answered.update(report.done, report.lost)
        for attempt in (*report.done, *report.lost):
            self.assigned.pop(attempt, None)

    def settle(self, holding: Collection[str]) -> None:
        """Its labeler is made; what it has was given by an earlier driver."""
        self.ready = True
        self.assigned.update(dict.fromkeys(holding))

    def give(self, jobs: Sequence[tuple[str, Ref]]) -> Any:
        """Give attempts."""
        self.assigned.update(dict.fromkeys(attempt for attempt, _ in jobs))
        self._turn += 1
        return self.actor.start.remote(list(jobs), self._turn)

    def call_off(self, attempts: Sequence[str]) -> Any:
        """Ask for attempts not to be begun; what it says is a list of those."""
        self._turn += 1
        return self.actor.cancel.remote(list(attempts), self._turn)

    def has_dropped(self, attempts: Collection[str]) -> None:
        """It never began these, and has them no more."""
        for attempt in attempts:
            self.assigned.pop(attempt, None)

    def ack(self, attempts: Collection[str]) -> None:
        """Outcomes that are in the record need not be kept."""
        made = self.answered.intersection(attempts)
        self.answered -= made
        if made:
            with contextlib.suppress(Exception):  # what is gone with its cluster keeps nothing
                self.actor.ack.remote(sorted(made))

    def look_up(self, attempt: str) -> Progress:
        """What became of an attempt of an earlier life. Raises UnavailableError."""
        return answer(self.actor.look_up.remote(attempt), LOOK_UP_S)

    def silent_for(self) -> float:
        """How long ago it was heard of [s]."""
        return time.monotonic() - self._heard_at

    def end(self) -> None:
        """End it at once."""
        end(self.actor)
