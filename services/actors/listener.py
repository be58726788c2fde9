"""A thread that hears of answers as they come."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import ray

from services.actors.answers import SHORT_S

log = logging.getLogger(__name__)
WATCH_S = 0.25


class Listener:
    """Waits for calls of actors, until it is closed.

    Args:
        name: of the thread.
        calls: what may be answered next.
        hear: told of each call that was answered, or whose actor is gone.
        look: asked now and then to find what nobody tells.
    """

    def __init__(
        self, name: str, calls: Callable[[], list[Any]], hear: Callable[[Any], None], look: Callable[[], None]
    ) -> None:
        self._name, self._calls, self._hear, self._look = name, calls, hear, look
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hear of nothing any more."""
        self._closed.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(SHORT_S)

    def _watch(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen()
            except Exception:  # the one thread that hears of answers must go on
                log.exception("listening to %s failed", self._name)
                self._closed.wait(WATCH_S)

    def _listen(self) -> None:
        calls = self._calls()
        if not calls:
            self._closed.wait(WATCH_S)
        for call in ray.wait(calls, timeout=WATCH_S)[0] if calls else ():
            self._hear(call)
        self._look()
