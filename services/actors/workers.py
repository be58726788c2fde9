"""Workers in actors: a campaign's steps are done there, one at a time; a worker that is lost is made anew."""

import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import ray

from dataeff_al import __version__
from dataeff_al.campaign.hosts import StepResult
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.digests import Ref
from dataeff_al.errors import DataeffError, UnavailableError
from dataeff_al.parts import Runtime
from services.actors.answers import answer, end
from services.actors.placement import placement, told
from services.actors.seat import Seat

PLACE_S = 300.0
STEP_S = 86_400.0


class WorkerShell:
    """The worker inside its actor; made at the first call, so that what keeps it from being made is told."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._worker: Any = None

    def ready(self) -> str:
        """Get ready; the version of this package here."""
        try:
            if self._worker is None:
                self._worker = _new_worker(self._seat)
        except DataeffError as error:
            raise DataeffError(str(error)) from None
        return __version__

    def call(self, method: str, *args: Ref | str | int) -> tuple[Ref, float]:
        """Do a step; its result and how long it took [s]."""
        self.ready()
        began = time.monotonic()
        try:
            return getattr(self._worker, method)(*args), time.monotonic() - began
        except UnavailableError:
            raise
        except DataeffError as error:
            # Errors that carry more than a text do not survive the journey; the driver needs the text.
            raise DataeffError(str(error)) from None


def _new_worker(seat: Seat) -> Any:
    line = seat.settle()
    # Torch may be imported only after the number of threads is set.
    import torch

    from dataeff_al.campaign.worker import Worker

    torch.set_num_threads(1)
    return Worker(seat.blobs(line), seat.base_dir, seat.data_root)


class ActorHost:
    """One worker in an actor. Steps wait here, not there, so that a lost worker takes only one with it.

    Args:
        seat: what the worker must know.
        runtime: what its actor reserves, and how long a step may take.
    """

    def __init__(self, seat: Seat, runtime: Runtime | None) -> None:
        self._seat, self._runtime = seat, runtime
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
            return StepResult(*answer(self._actor.call.remote(method, *args), self._timeout_s))
        except UnavailableError as error:
            self._drop()
            raise UnavailableError(f"the worker was lost during {method}: {error}") from error

    def _check_ready(self) -> None:
        """A worker that cannot be placed, or of another version, is told in words; waiting longer would not help."""
        ready = self._actor.ready.remote()
        if not ray.wait([ready], timeout=PLACE_S)[0]:
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
        options = placement(self._runtime)
        try:
            return ray.remote(WorkerShell).options(max_restarts=0, max_task_retries=0, **options).remote(self._seat)
        except Exception as error:  # Ray raises all kinds when a cluster is gone
            raise UnavailableError(f"the cluster must take an actor, but got {error!r}.") from error

    def _drop(self) -> None:
        actor, self._actor = self._actor, None
        if actor is not None:
            end(actor)


class RoleHost:
    """Sends a campaign's steps to the actor of their role: the manifold is learnt in one, the target model in another.

    So labels are bought for the test split while the generator is being fitted.
    """

    def __init__(self, learner: ActorHost, generator: Callable[[], ActorHost]) -> None:
        self.learner, self._generator = learner, generator
        self._roles: Mapping[str, Callable[[], ActorHost]] = {"fit_generator": generator}

    def call(self, method: str, *args: Ref | str | int) -> Future[StepResult]:
        """Queue a method at the worker of its role."""
        return self._roles.get(method, lambda: self.learner)().call(method, *args)


class Crew:
    """The run's workers. One that is free serves the next campaign that wants the like; few are kept waiting.

    Args:
        seat: what every worker must know.
        most_idle: how many free workers are kept.
    """

    def __init__(self, seat: Seat, most_idle: int) -> None:
        self._seat, self._most_idle = seat, most_idle
        self._busy: dict[str, tuple[str, ActorHost]] = {}
        self._idle: list[tuple[str, ActorHost]] = []
        self._generators: dict[str, ActorHost] = {}

    def host(self, campaign: str, spec: CampaignSpec) -> RoleHost:
        """The worker of a campaign."""
        learner = self._take(campaign, spec.learner.runtime)
        runtime = spec.generator.runtime if spec.generator else None
        return RoleHost(learner, lambda: self._generator(runtime))

    def release(self, campaign: str) -> None:
        """The campaign needs its worker no more."""
        if campaign in self._busy:
            self._idle.append(self._busy.pop(campaign))
        while len(self._idle) > self._most_idle:
            self._idle.pop(0)[1].close()

    def close(self) -> None:
        """End every worker."""
        for _, host in [*self._busy.values(), *self._idle]:
            host.close()
        for host in self._generators.values():
            host.close()
        self._busy.clear()
        self._idle.clear()
        self._generators.clear()

    @property
    def hosts(self) -> list[ActorHost]:
        """Every worker there is."""
        return [*(host for _, host in [*self._busy.values(), *self._idle]), *self._generators.values()]

    def _take(self, campaign: str, runtime: Runtime | None) -> ActorHost:
        key = _key(runtime)
        place = next((i for i, (other, _) in enumerate(self._idle) if other == key), None)
        host = ActorHost(self._seat, runtime) if place is None else self._idle.pop(place)[1]
        self._busy[campaign] = (key, host)
        # A cluster that is gone now is told with the first step, which can be done again.
        with contextlib.suppress(UnavailableError):
            host.warm()
        return host

    def _generator(self, runtime: Runtime | None) -> ActorHost:
        key = _key(runtime)
        if key not in self._generators:
            self._generators[key] = ActorHost(self._seat, runtime)
        return self._generators[key]


def _key(runtime: Runtime | None) -> str:
    return (runtime or Runtime()).model_dump_json()
