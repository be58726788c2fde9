"""A labeler replica: the ordinary class inside a labeler's actor.

Labels are begun, asked about and acknowledged; no call waits for one. The driver asks for reports, and each is answered
as soon as there is news.
"""

import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray

from dataeff_al.digests import Ref
from dataeff_al.errors import DataeffError
from dataeff_al.labeling.spool import MemorySpool
from dataeff_al.labeling.spooled import Spooled
from dataeff_al.labeling.types import Done, LabelerContext, Progress, Running, Unknown
from dataeff_al.parts import Runtime
from services.actors.lifeline import Lifeline
from services.actors.memory_limit import MemoryLimit
from services.actors.seat import Seat

FORGOTTEN_S = 3600.0
LOOK_S = 0.5


@dataclass(frozen=True)
class Post:
    """What a replica hosts: the campaign's description as JSON, and how its labeler runs."""

    seat: Seat
    spec: Mapping[str, Any]
    runtime: Runtime


@dataclass(frozen=True)
class Report:
    """News up to a number: outcomes by attempt, what nobody knows the outcome of, what is still at work, whether a
    batch outlasted its time, and the id of the node that says so."""

    number: int
    done: Mapping[str, Done]
    lost: Mapping[str, Unknown]
    holding: frozenset[str]
    stuck: bool
    node: str


class Replica:
    """Hosts one copy of a labeler.

    Args:
        post: what it hosts.
    """

    def __init__(self, post: Post) -> None:
        self._post, self._node = post, str(ray.get_runtime_context().get_node_id())
        self._hosted: Spooled | None = None
        self._news = threading.Condition()
        self._ended: dict[str, tuple[int, Done | Unknown]] = {}
        self._called_off: dict[str, int] = {}
        self._open: set[str] = set()
        self._count = 0
        self._memory = MemoryLimit(post.runtime.memory_gib)
        self._lifeline = Lifeline(FORGOTTEN_S, lambda: bool(self._open))
        threading.excepthook = _end_process

    def report(self, after: int, wait_s: float) -> Report:
        """What is new after the report of that number, as soon as there is something, or after ``wait_s``.

        The first one makes the labeler. Raises DataeffError when that fails, UnavailableError when the process has
        taken more memory than it may: whoever asks ends it.
        """
        self._lifeline.touch()
        until, hosted = time.monotonic() + wait_s, self._labeler()
        while not self._has_news(after) and not hosted.abandoned and time.monotonic() < until:
            hosted.poll([])
            self._memory.check()
        with self._news:
            new = {attempt: progress for attempt, (number, progress) in self._ended.items() if number > after}
            done = {attempt: progress for attempt, progress in new.items() if isinstance(progress, Done)}
            lost = {attempt: progress for attempt, progress in new.items() if isinstance(progress, Unknown)}
            return Report(self._count, done, lost, frozenset(self._open), hosted.abandoned > 0, self._node)

    def start(self, jobs: Sequence[tuple[str, Ref]], turn: int) -> None:
        """Take on attempts; idempotent. One that was called off in a later turn is not begun: calls may overtake."""
        hosted = self._labeler()
        for attempt, request in jobs:
            with self._news:
                if turn < self._called_off.get(attempt, 0):
                    continue
                if attempt not in self._ended:
                    self._open.add(attempt)
                hosted.start(attempt, request)

    def look_up(self, attempt: str) -> Progress:
        """What became of an attempt that was begun in an earlier life."""
        return self._labeler().poll([attempt])[attempt]

    def ack(self, attempts: Sequence[str]) -> None:
        """Forget attempts whose outcome is in the record."""
        self._labeler().ack(attempts)
        with self._news:
            for attempt in attempts:
                self._ended.pop(attempt, None)
                self._called_off.pop(attempt, None)

    def cancel(self, attempts: Sequence[str], turn: int) -> list[str]:
        """Drop what has not begun; returns what was dropped."""
        hosted = self._labeler()
        with self._news:
            self._called_off.update(dict.fromkeys(attempts, turn))
        hosted.cancel(attempts)
        found = hosted.poll(attempts)
        dropped = [attempt for attempt, progress in found.items() if progress == Unknown(started=False)]
        with self._news:
            self._open.difference_update(dropped)
        return dropped

    def _has_news(self, after: int) -> bool:
        with self._news:
            return self._count > after or self._news.wait_for(lambda: self._count > after, LOOK_S)

    def _labeler(self) -> Spooled:
        with self._news:
            if self._hosted is None:
                self._hosted = self._made()
            return self._hosted

    def _made(self) -> Spooled:
        try:
            labeler, blobs, spool = _built(self._post)
        except DataeffError as error:
            # Errors that carry more than a text do not survive the journey; the driver needs the text.
            raise DataeffError(str(error)) from None
        runtime = self._post.runtime
        return Spooled(labeler, blobs, spool, timeout_s=runtime.timeout_s, batch=runtime.batch, on_done=self._on_done)

    def _on_done(self, attempt: str) -> None:
        """An attempt has an outcome, or nobody will ever know it."""
        assert self._hosted is not None
        progress = self._hosted.poll([attempt])[attempt]
        if isinstance(progress, Running):
            return
        with self._news:
            self._count += 1
            self._ended[attempt] = (self._count, progress)
            self._open.discard(attempt)
            self._news.notify_all()


def _built(post: Post) -> Any:
    line = post.seat.settle()
    # Plugins and everything heavy are imported only after the number of threads is set.
    from dataeff_al.campaign.spec import CampaignSpec
    from dataeff_al.samples.protocol import PoolContext

    spec = CampaignSpec.from_canonical(post.spec)
    pool = spec.pool.build(PoolContext(post.seat.base_dir, post.seat.data_root, spec.seed))
    labeler = spec.labeler.build(LabelerContext(pool, post.seat.base_dir, post.seat.data_root))
    spool = MemorySpool() if labeler.info.effect == "pure" else post.seat.spool(line)
    return labeler, post.seat.blobs(line), spool


def _end_process(_: threading.ExceptHookArgs) -> None:
    """A thread that cannot keep an outcome ends its process, so that whoever waits for it finds out."""
    os._exit(70)
