"""One writer for each file: an advisory lock that the kernel drops when its holder dies."""

import fcntl
import os
from pathlib import Path

from dataeff_al.errors import LockedError

LOCKED = "another process is running this campaign folder"


class LockFile:
    """Holds ``path`` locked until :meth:`release`. Raises LockedError when somebody else does.

    The file stays: to remove it would let two processes hold locks on two files of one name.
    """

    def __init__(self, path: Path) -> None:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise LockedError(LOCKED) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle: int | None = handle

    def release(self) -> None:
        """Let go; harmless when repeated."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
