"""Something to be done when nothing has happened for a while."""

import threading
from collections.abc import Callable


class Parting:
    """One thing at a time is waiting to be done; asking again puts it off.

    Args:
        delay_s: how long nothing may happen [s].
    """

    def __init__(self, delay_s: float) -> None:
        self._delay_s, self._lock = delay_s, threading.Lock()
        self._timer: threading.Timer | None = None

    def put_off(self, what: Callable[[], None]) -> None:
        """Do it, unless asked again or cancelled before."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(self._delay_s, what)
            self._timer.daemon = True
            self._timer.start()

    def cancel(self) -> None:
        """Do nothing."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
