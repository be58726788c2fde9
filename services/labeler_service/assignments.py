"""What each attempt at a labeler service asked, kept until it is acknowledged: one small file an attempt."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from dataeff_al.digests import Ref
from dataeff_al.errors import CorruptError
from dataeff_al.stores.small_files import write_durably

SUFFIX = ".attempt"


@dataclass(frozen=True)
class Assignment:
    """The blobs that hold the form of the samples and the packed request."""

    form: Ref
    request: Ref


class Assignments:
    """Assignments by attempt, in a folder and in memory."""

    def __init__(self, folder: Path) -> None:
        """Raises CorruptError when a file cannot be read."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._all = {path.name.removesuffix(SUFFIX): _read(path) for path in folder.glob(f"*{SUFFIX}")}

    def get(self, attempt: str) -> Assignment | None:
        """What the attempt asked, or None when it is not known."""
        return self._all.get(attempt)

    def add(self, attempt: str, assignment: Assignment) -> None:
        """Keep what an attempt asks."""
        write_durably(self._path(attempt), json.dumps(asdict(assignment)))
        self._all[attempt] = assignment

    def remove(self, attempt: str) -> Assignment:
        """Forget an attempt, and return what it asked."""
        self._path(attempt).unlink(missing_ok=True)
        return self._all.pop(attempt)

    def attempts(self) -> Sequence[str]:
        """All that are known."""
        return list(self._all)

    def refs(self) -> set[Ref]:
        """The blobs that hold what all of them ask."""
        return {ref for assignment in self._all.values() for ref in (assignment.form, assignment.request)}

    def older_than(self, age_s: float) -> Sequence[str]:
        """Attempts that were taken on longer ago than that [s]."""
        until = time.time() - age_s
        return [attempt for attempt in self._all if self._path(attempt).stat().st_mtime < until]

    def _path(self, attempt: str) -> Path:
        return self._folder / f"{attempt}{SUFFIX}"


def _read(path: Path) -> Assignment:
    try:
        found = json.loads(path.read_text("ascii"))
        return Assignment(Ref(found["form"]), Ref(found["request"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptError(f"what an attempt asked must be readable in {path.name}, but got {error!r}.") from error
