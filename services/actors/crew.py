"""The run's workers, by role: a campaign's target model in actors of its own, the data manifold in another."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from itertools import chain

from dataeff_al.campaign.hosts import StepResult
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.digests import Ref
from dataeff_al.errors import UnavailableError
from dataeff_al.parts import Runtime
from services.actors.answers import all_is_well
from services.actors.committee import Committee
from services.actors.seat import Seat
from services.actors.worker_host import ActorHost


class RoleHost:
    """Sends a campaign's steps to the actor of their role: the manifold is learnt in one, the target model in others.

    So labels are bought for the test split while the generator is being fitted, and the members of a committee are
    trained side by side where it has several learners. Every other step is done by the first learner.
    """

    def __init__(self, learners: Sequence[ActorHost], members: int, generator: Callable[[], ActorHost]) -> None:
        self.learner = learners[0]
        self._roles: Mapping[str, Callable[..., Future[StepResult]]] = {
            "fit_generator": lambda *args: generator().call("fit_generator", *args),
        }
        if len(learners) > 1:
            self._roles = {**self._roles, "train": Committee(learners, members).train}

    def call(self, method: str, *args: Ref | str | int) -> Future[StepResult]:
        """Queue a method at the worker of its role."""
        if method in self._roles:
            return self._roles[method](*args)
        return self.learner.call(method, *args)


class Crew:
    """The run's workers. One that is free serves the next campaign that wants the like; few are kept waiting.

    Args:
        seat: what every worker must know.
        most_idle: how many free workers are kept.
        trouble: what is wrong with the cluster; empty when nothing is.
    """

    def __init__(self, seat: Seat, most_idle: int, trouble: Callable[[], str] = all_is_well) -> None:
        self._seat, self._most_idle, self._trouble = seat, most_idle, trouble
        self._busy: dict[str, list[tuple[str, ActorHost]]] = {}
        self._idle: list[tuple[str, ActorHost]] = []
        self._generators: dict[str, ActorHost] = {}

    def host(self, campaign: str, spec: CampaignSpec) -> RoleHost:
        """The workers of a campaign: several learners for a committee that asks for them."""
        wanted, members = spec.learner.runtime, spec.trainer.members
        copies = min(wanted.replicas if wanted else 1, members)
        learners = [self._take(campaign, wanted) for _ in range(copies)]
        runtime = spec.generator.runtime if spec.generator else None
        return RoleHost(learners, members, lambda: self._generator(runtime))

    def release(self, campaign: str) -> None:
        """The campaign needs its workers no more."""
        self._idle.extend(self._busy.pop(campaign, []))
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
        for host in self._workers:
            host.close()
        self._busy.clear()
        self._idle.clear()
        self._end_generators()

    @property
    def hosts(self) -> list[ActorHost]:
        """Every worker there is."""
        return [*self._workers, *self._generators.values()]

    @property
    def _workers(self) -> list[ActorHost]:
        return [host for _, host in [*chain.from_iterable(self._busy.values()), *self._idle]]

    def _end_generators(self) -> None:
        for host in self._generators.values():
            host.close()
        self._generators.clear()

    def _take(self, campaign: str, runtime: Runtime | None) -> ActorHost:
        key = _key(runtime)
        place = next((i for i, (other, _) in enumerate(self._idle) if other == key), None)
        host = ActorHost(self._seat, runtime, self._trouble) if place is None else self._idle.pop(place)[1]
        self._busy.setdefault(campaign, []).append((key, host))
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
