"""Named places at which a process may be killed without harm, so that tests can kill it there.

Off, a point costs the check of one name. :func:`arm` turns them on, from text such as ``told.after:2=kill``: the second
time that the point is reached, the process is killed by SIGKILL, which nothing can catch. Several rules are parted by
commas:

==================  ==================================================================
``NAME=kill``       die at the point, the first time
``NAME:N=kill``     die at the point, the N-th time
``any:N=kill``      die at the N-th point that is reached, whichever it is
``trace=FILE``      append the name of every point that is reached to the file
==================  ==================================================================

What is committed names its own points: ``told.before`` and ``told.after`` stand around the transaction in which an
event of the kind ``told`` is written.
"""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from dataeff_al.errors import DataeffError

_COMMITS = {
    "created": "the campaign exists",
    "pool_prepared": "the pool is read and split",
    "generator_fitted": "the data manifold is learnt",
    "proposed": "queries are chosen and their cost reserved",
    "inherited": "labels are taken over",
    "leased": "attempts are granted to the labeler",
    "beat": "leases are renewed",
    "told": "a label is in and paid",
    "extra_told": "a late label is in, outside the budget",
    "extra_failed": "a late failure is in that cost something",
    "attempt_failed": "an attempt ended without a label",
    "attempt_expired": "an attempt's deadline has passed",
    "attempt_unknown": "nobody can say what became of an attempt",
    "settled": "an operator said what became of an attempt",
    "dead_lettered": "a query is given up",
    "query_cancelled": "a query is withdrawn",
    "trained": "a model is fitted",
    "evaluated": "a model is measured",
    "step_failed": "a step of the worker failed",
    "twin_spawned": "the parent knows its twin",
    "paused": "no new work starts",
    "resumed": "work goes on",
    "cancel_requested": "the campaign is to be cancelled",
    "cancelled": "the campaign is cancelled",
    "extended": "the budget has grown",
    "finished": "the campaign is at its end",
}

_PLACES = {
    "open.locked": "the record is open and locked; its schema and epoch are as they were",
    "open.migrated": "the record's schema is the newest, not committed",
    "open.fenced": "the record has its new epoch, committed",
    "campaign.opened": "a campaign's log is read; nobody has been asked what became of its work",
    "append.begin": "events are decided; the transaction has not begun",
    "append.written": "events and their rows are written, not committed",
    "append.committed": "events are committed; nobody has been told",
    "snapshot.before": "a campaign's state is to be kept; the snapshot before it stands",
    "snapshot.written": "a campaign's state is written, not committed",
    "snapshot.after": "a campaign's state is kept",
    "blob.before": "content is about to be kept",
    "blob.written": "the content is in a temporary file and on the disk, not under its name",
    "blob.renamed": "the content has its name, which the disk may not know yet",
    "blob.durable": "the content and its name are on the disk; nobody has the ref",
    "step.before": "a step's task is kept; the worker has not been asked",
    "step.after": "the worker's result is kept; nothing of it is in the record",
    "dispatch.before": "an attempt is in the record; its host has not heard of it",
    "dispatch.after": "the host has the attempt",
    "attempt.polled": "the host has said how an attempt stands; nothing of it is in the record",
    "spool.started.written": "the mark that an attempt begins is in a temporary file",
    "spool.started.renamed": "the mark that an attempt begins has its name, which the disk may not know yet",
    "spool.started.durable": "the mark that an attempt begins is on the disk; the labeler has not been called",
    "label.before": "the labeler is about to be called",
    "label.after": "the labeler has answered, and nothing of it is kept",
    "spool.done.written": "an attempt's outcome is in a temporary file of the spool",
    "spool.done.renamed": "an attempt's outcome has its name in the spool, which the disk may not know yet",
    "spool.done.durable": "an attempt's outcome is in the spool, on the disk; nothing of it is in the record",
    "ack.before": "outcomes are in the record; the host still keeps them",
    "spool.forgetting": "the spool has dropped an attempt's outcome, not yet the mark that it began",
    "ack.after": "the host has forgotten what is in the record",
    "file.written": "a file that people read is complete under a temporary name",
    "file.renamed": "a file that people read is in its place",
    "outcome.before": "the campaign has stopped or ended; its files are as they were",
    "outcome.model": "the model's files are written, not the report's",
    "outcome.report": "the report is written, not the summary",
    "outcome.after": "every file of the run is written",
}

POINTS: Mapping[str, str] = {
    **{f"{kind}.before": f"about to commit that {what}" for kind, what in _COMMITS.items()},
    **{f"{kind}.after": f"committed that {what}; nobody has been told" for kind, what in _COMMITS.items()},
    **_PLACES,
}
"""Every point by name, with what has happened and what has not when it is reached."""


class _Armed:
    """The rules in force, and how often each point has been reached."""

    def __init__(self, text: str) -> None:
        self._kills: set[tuple[str, int]] = set()
        self._trace: int | None = None
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        for rule in filter(None, map(str.strip, text.split(","))):
            self._add(rule)

    def _add(self, rule: str) -> None:
        name, _, action = rule.partition("=")
        if name == "trace" and action:
            self._trace = os.open(Path(action), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            return
        name, _, count = name.partition(":")
        if action != "kill" or not (count or "1").isdecimal() or int(count or 1) < 1:
            raise DataeffError(f"a failpoint's rule must be NAME:N=kill or trace=FILE, but got {rule!r}.")
        if name != "any":
            _check(name)
        self._kills.add((name, int(count or 1)))

    def reached(self, name: str) -> None:
        _check(name)
        with self._lock:
            self._seen.update((name, "any"))
            if self._trace is not None:
                os.write(self._trace, f"{name}\n".encode())
            if any((key, self._seen[key]) in self._kills for key in (name, "any")):
                os.kill(os.getpid(), signal.SIGKILL)


_armed: _Armed | None = None


def reached(name: str) -> None:
    """The process is at a point. Raises DataeffError for a name that is none, when armed."""
    if _armed is not None:
        _armed.reached(name)


def reached_commit(kinds: Iterable[str], moment: str) -> None:
    """The process is ``before`` or ``after`` the transaction that writes events of these kinds."""
    if _armed is not None:
        for kind in dict.fromkeys(kinds):
            _armed.reached(f"{kind}.{moment}")


def arm(rules: str) -> None:
    """Put rules into force; for whoever composes a process, at its start. Empty: none.

    Raises DataeffError for a point that does not exist, and for what is no rule.
    """
    global _armed
    _armed = _Armed(rules) if rules.strip() else None


def _check(name: str) -> None:
    if name not in POINTS:
        raise DataeffError(f"a failpoint must be one that `dataeff-al failpoints` lists, but got {name!r}.")
