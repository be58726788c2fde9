"""The keeper: an actor on the driver's node through which every other node reaches blobs and spool.

It holds nothing itself: what it is given is on the disk before it answers, so that it may be ended and made anew.
"""

import os
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dataeff_al.digests import Ref
from dataeff_al.labeling.spool import FileSpool
from dataeff_al.labeling.types import Done
from dataeff_al.stores.blobs import FileBlobs
from services.actors.answers import HEAD_S, SHORT_S, answer, named, within
from services.actors.cluster import NAMESPACE
from services.actors.lifeline import Lifeline

FORGOTTEN_S = 86_400.0
CALLS_AT_ONCE = 8


class Keeper:
    """Blobs and spool of a run's folder."""

    def __init__(self, blobs: Path, spool: Path) -> None:
        self._blobs, self._spool = FileBlobs(blobs), FileSpool(spool)
        self._lifeline = Lifeline(FORGOTTEN_S)

    def ping(self) -> int:
        """Whether it is there; the id of its process."""
        self._lifeline.touch()
        return os.getpid()

    def put(self, content: bytes) -> Ref:
        """Keep a blob."""
        self._lifeline.touch()
        return self._blobs.put(content)

    def get(self, ref: Ref) -> bytes:
        """A blob."""
        self._lifeline.touch()
        return self._blobs.get(ref)

    def has(self, ref: Ref) -> bool:
        """Whether there is such a blob."""
        return self._blobs.has(ref)

    def mark_started(self, attempt: str) -> None:
        """Remember that a labeler is about to be called."""
        self._lifeline.touch()
        self._spool.mark_started(attempt)

    def mark_done(self, attempt: str, done: Done) -> None:
        """Remember what a labeler answered."""
        self._lifeline.touch()
        self._spool.mark_done(attempt, done)

    def was_started(self, attempt: str) -> bool:
        """Whether a labeler may have been called."""
        return self._spool.was_started(attempt)

    def outcome(self, attempt: str) -> Done | None:
        """What a labeler answered."""
        return self._spool.outcome(attempt)

    def forget(self, attempt: str) -> None:
        """The record has the outcome."""
        self._spool.forget(attempt)


def make_keeper(name: str, blobs: Path, spool: Path, node: str) -> Any:
    """The keeper of that name, made on ``node`` when there is none. Raises UnavailableError when it does not come."""
    made: Any = ray.remote(Keeper).options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=0,
        max_concurrency=CALLS_AT_ONCE,
        scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
    )
    actor = within(HEAD_S, lambda: made.remote(blobs, spool))
    answer(actor.ping.remote(), SHORT_S)
    return actor


def find_keeper(name: str) -> Any | None:
    """The keeper of that name, or None."""
    return named(name)
