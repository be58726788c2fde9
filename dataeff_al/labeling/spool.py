"""What a labeler host remembers of attempts beyond its own life: which were begun and what became of them.

Two small files an attempt, each written by temporary file, fsync and rename: ``KEY.started`` before the labeler is
called, ``KEY.done`` with the outcome's ref after it. Between the two, a crash leaves the one state in which only the
labeler itself can know whether it was paid.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Protocol

from dataeff_al.digests import Ref
from dataeff_al.errors import CorruptError, DataError
from dataeff_al.failpoints import reached
from dataeff_al.labeling.types import Done, Times
from dataeff_al.stores.small_files import write_durably

_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")


class Spool(Protocol):
    """A host's memory of attempts."""

    def mark_started(self, attempt: str) -> None:
        """Remember that the labeler is about to be called."""

    def mark_done(self, attempt: str, done: Done) -> None:
        """Remember what the labeler answered."""

    def was_started(self, attempt: str) -> bool:
        """Whether the labeler may have been called."""

    def outcome(self, attempt: str) -> Done | None:
        """The remembered outcome."""

    def kept(self) -> Sequence[str]:
        """Attempts that have not been forgotten."""

    def forget(self, attempt: str) -> None:
        """The record has the outcome."""


class FileSpool:
    """A spool in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def mark_started(self, attempt: str) -> None:
        """Remember durably that the labeler is about to be called."""
        self._write(attempt, "started", "")

    def mark_done(self, attempt: str, done: Done) -> None:
        """Remember durably what the labeler answered."""
        self._write(attempt, "done", json.dumps([done.outcome, *astuple(done.times), done.picture]))

    def was_started(self, attempt: str) -> bool:
        """Whether the labeler may have been called."""
        return self._path(attempt, "started").exists()

    def outcome(self, attempt: str) -> Done | None:
        """The remembered outcome. Raises CorruptError when it is there and unreadable."""
        path = self._path(attempt, "done")
        if not path.exists():
            return None
        try:
            ref, queued_s, work_s, cpu_s, *more = json.loads(path.read_text(encoding="ascii"))
        except (ValueError, TypeError) as error:
            raise CorruptError(f"the labeler's outcome in {path.name} must be readable, but got {error}.") from error
        return Done(Ref(ref), Times(queued_s, work_s, cpu_s), Ref(more[0]) if more and more[0] else None)

    def kept(self) -> Sequence[str]:
        """Attempts that have not been forgotten."""
        return sorted({path.stem for path in self._folder.iterdir() if path.suffix in (".started", ".done")})

    def forget(self, attempt: str) -> None:
        """The record has the outcome."""
        self._path(attempt, "done").unlink(missing_ok=True)
        reached("spool.forgetting")
        self._path(attempt, "started").unlink(missing_ok=True)

    def _path(self, attempt: str, kind: str) -> Path:
        if not _KEY.match(attempt):
            raise DataError(f"an attempt's key must be letters, digits, '_' and '-', but got {attempt!r}.")
        return self._folder / f"{attempt}.{kind}"

    def _write(self, attempt: str, kind: str, text: str) -> None:
        write_durably(self._path(attempt, kind), text, lambda stage: reached(f"spool.{kind}.{stage}"))


class MemorySpool:
    """A spool for labelers whose calls are free to repeat: it need not outlive the process."""

    def __init__(self) -> None:
        self._started: set[str] = set()
        self._done: dict[str, Done] = {}

    def mark_started(self, attempt: str) -> None:
        """Remember that the labeler is about to be called."""
        self._started.add(attempt)

    def mark_done(self, attempt: str, done: Done) -> None:
        """Remember what the labeler answered."""
        self._done[attempt] = done

    def was_started(self, attempt: str) -> bool:
        """Whether the labeler may have been called."""
        return attempt in self._started

    def outcome(self, attempt: str) -> Done | None:
        """The remembered outcome."""
        return self._done.get(attempt)

    def kept(self) -> Sequence[str]:
        """Attempts that have not been forgotten."""
        return sorted({*self._started, *self._done})

    def forget(self, attempt: str) -> None:
        """The record has the outcome."""
        self._done.pop(attempt, None)
        self._started.discard(attempt)
