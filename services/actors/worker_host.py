"""A worker in an actor as the driver sees it: its steps are done there, one at a time; when lost, it is made anew."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import ray

from dataeff_al import __version__
from dataeff_al.campaign.hosts import StepResult
from dataeff_al.digests import Ref
from dataeff_al.errors import DataeffError, UnavailableError
from dataeff_al.parts import Runtime
from services.actors.answers import HEAD_S, all_is_well, answer, answered, end, within
from services.actors.placement import PLACE_S, placement, told
from services.actors.seat import Seat
from services.actors.shell import WorkerShell

STEP_S = 86_400.0


class ActorHost:
    """One worker in an actor. Steps wait here, not there, so that a lost worker takes only one with it.

    Args:
        seat: what the worker must know.
        runtime: what its actor reserves, and how long a step may take.
        trouble: what is wrong with the cluster; empty when nothing is.
        brief: end the actor after each step, so that what a rare step took of memory is given back.
    """

    def __init__(
        self,
        seat: Seat,
        runtime: Runtime | None,
        trouble: Callable[[], str] = all_is_well,
        *,
        brief: bool = False,
    ) -> None:
        self._seat, self._runtime, self._trouble, self.brief = seat, runtime, trouble, brief
        self._timeout_s = (runtime.timeout_s if runtime else None) or STEP_S
        self._actor: Any = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="worker")
        self._closed = False

    @property
    def actor(self) -> Any:
        """The actor of the moment, or None."""
        return self._actor

    def warm(self) -> None:
        """Begin to make the actor."""
        if self._actor is None:
            self._actor = self._make()

    def call(self, method: str, *args: Ref | str | int) -> Future[StepResult]:
        """Queue a method of the worker."""
        return self._thread.submit(self._run, method, *args)

    def close(self) -> None:
        """End the actor, and with it the step that runs."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._drop()

    def _run(self, method: str, *args: Ref | str | int) -> StepResult:
        try:
            self.warm()
            self._check_ready()
            done = answer(self._actor.call.remote(method, *args), self._timeout_s, self._trouble)
        except UnavailableError as error:
            self._drop()
            raise UnavailableError(f"the worker was lost during {method}: {error}") from error
        if self.brief:
            self._drop()
        return StepResult(*done)

    def _check_ready(self) -> None:
        """A worker that cannot be placed, or of another version, is told in words; waiting longer would not help."""
        ready = self._actor.ready.remote()
        if not answered(ready, PLACE_S, self._trouble):
            self._drop()
            raise DataeffError(
                f"the cluster must have room for a worker ({told(self._runtime)}), but got none in time."
            )
        found = answer(ready, PLACE_S)
        if found != __version__:
            self._drop()
            raise DataeffError(f"every node must have dataeff-al {__version__}, but got {found}.")

    def _make(self) -> Any:
        if self._closed:
            raise UnavailableError("the run must not have ended, but got a step after it.")
        try:
            place = placement(self._runtime, "worker")
            made: Any = ray.remote(WorkerShell).options(max_restarts=0, max_task_retries=0, **place)
            return within(HEAD_S, lambda: made.remote(self._seat))
        except Exception as error:  # Ray raises all kinds when a cluster is gone
            raise UnavailableError(f"the cluster must take an actor, but got {error!r}.") from error

    def _drop(self) -> None:
        actor, self._actor = self._actor, None
        if actor is not None and not self._trouble():
            end(actor)
