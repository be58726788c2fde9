"""Actors that outlive a killed driver must not outlive it for ever."""

import os
import threading
import time
from collections.abc import Callable

CHECK_S = 15.0


class Lifeline:
    """Ends this process when nobody has called for a while and nothing is at work.

    Args:
        limit_s: how long nobody may call [s].
        busy: whether there is work that must not be dropped; asked now and then.
    """

    def __init__(self, limit_s: float, busy: Callable[[], bool] = lambda: False) -> None:
        self._limit_s, self._busy, self._touched = limit_s, busy, time.monotonic()
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()

    def touch(self) -> None:
        """Somebody called."""
        self._touched = time.monotonic()

    def _watch(self) -> None:
        while time.monotonic() - self._touched < self._limit_s or self._busy():
            time.sleep(min(CHECK_S, self._limit_s))
        os._exit(0)
