"""How much memory this process may take."""

import psutil

from dataeff_al.errors import UnavailableError


class MemoryLimit:
    """A bound on the resident memory of this process.

    Args:
        gib: the bound [GiB]; None: there is none.
    """

    def __init__(self, gib: float | None) -> None:
        self._gib, self._process = gib, psutil.Process()

    def check(self) -> None:
        """Raises UnavailableError when the process has taken more."""
        if self._gib is None:
            return
        taken = self._process.memory_info().rss / 2**30
        if taken > self._gib:
            raise UnavailableError(
                f"the labeler's process must stay within {self._gib:g} GiB of memory, but got {taken:.2f}."
            )
