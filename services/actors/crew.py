"""The run's workers, by role: each campaign's target model in an actor of its own, the data manifold in another."""

import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from dataeff_al.campaign.hosts import StepResult
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.digests import Ref
from dataeff_al.errors import UnavailableError
from dataeff_al.parts import Runtime
from services.actors.answers import all_is_well
from services.actors.seat import Seat
from services.actors.worker_host import ActorHost


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
        trouble: what is wrong with the cluster; empty when nothing is.
    """

    def __init__(self, seat: Seat, most_idle: int, trouble: Callable[[], str] = all_is_well) -> None:
        self._seat, self._most_idle, self._trouble = seat, most_idle, trouble
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
        self._keep_idle(self._most_idle)

    def dismiss_idle(self) -> None:
        """Nobody is expected to want a free worker."""
        self._keep_idle(0)
        if not self._busy:
            self._end_generators()

    def _keep_idle(self, most: int) -> None:
        while len(self._idle) > most:
            self._idle.pop(0)[1].close()

    def close(self) -> None:
        """End every worker."""
        for _, host in [*self._busy.values(), *self._idle]:
            host.close()
        self._busy.clear()
        self._idle.clear()
        self._end_generators()

    @property
    def hosts(self) -> list[ActorHost]:
        """Every worker there is."""
        return [*(host for _, host in [*self._busy.values(), *self._idle]), *self._generators.values()]

    def _end_generators(self) -> None:
        for host in self._generators.values():
            host.close()
        self._generators.clear()

    def _take(self, campaign: str, runtime: Runtime | None) -> ActorHost:
        key = _key(runtime)
        place = next((i for i, (other, _) in enumerate(self._idle) if other == key), None)
        host = ActorHost(self._seat, runtime, self._trouble) if place is None else self._idle.pop(place)[1]
        self._busy[campaign] = (key, host)
        # A cluster that is gone now is told with the first step, which can be done again.
        with contextlib.suppress(UnavailableError):
            host.warm()
        return host

    def _generator(self, runtime: Runtime | None) -> ActorHost:
        key = _key(runtime)
        if key not in self._generators:
            self._generators[key] = ActorHost(self._seat, runtime, self._trouble, brief=True)
        return self._generators[key]


def _key(runtime: Runtime | None) -> str:
    return (runtime or Runtime()).model_dump_json()
