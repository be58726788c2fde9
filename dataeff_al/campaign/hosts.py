"""Where a worker runs. The driver knows only this; arrays never pass through it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from dataeff_al.digests import Ref


class Host(Protocol):
    """Runs a worker's methods, one call at a time, somewhere."""

    def call(self, method: str, *args: Ref | str | int) -> Future[Ref]:
        """Start a method of the worker; the future ends with the ref of its result, or with its error."""

    def close(self) -> None:
        """Let go of what runs the worker."""


class InlineHost:
    """Runs the worker in one thread of this process; the worker is made there, when first called."""

    def __init__(self, make_worker: Callable[[], Any]) -> None:
        self._make_worker = make_worker
        self._worker: Any = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="worker")

    def call(self, method: str, *args: Ref | str | int) -> Future[Ref]:
        """Queue a method of the worker."""
        return self._thread.submit(self._run, method, *args)

    def close(self) -> None:
        """Drop what is queued; what runs is left to end."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _run(self, method: str, *args: Ref | str | int) -> Ref:
        if self._worker is None:
            self._worker = self._make_worker()
        return getattr(self._worker, method)(*args)
