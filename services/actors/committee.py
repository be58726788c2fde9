"""A committee whose members are trained in several workers at once."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future

from dataeff_al.campaign.hosts import StepResult
from dataeff_al.digests import Ref
from dataeff_al.errors import UnavailableError
from services.actors.answers import fulfil
from services.actors.worker_host import ActorHost


class Committee:
    """Spreads the members of a committee over workers; the first of these then makes one model of them.

    A worker that is lost takes one member with it, which is trained again; whoever is lost twice fails the step, which
    the driver repeats.

    Args:
        hosts: the workers.
        members: how many models there are to train.
    """

    def __init__(self, hosts: Sequence[ActorHost], members: int) -> None:
        self._hosts, self._members = hosts, members

    def train(self, task: Ref) -> Future[StepResult]:
        """Start the step ``train``: its result is that of one worker that does it alone."""
        future: Future[StepResult] = Future()
        work = threading.Thread(target=fulfil, args=(future, lambda: self._train(task)), name="committee", daemon=True)
        work.start()
        return future

    def _train(self, task: Ref) -> StepResult:
        begun = [self._begin(task, number) for number in range(self._members)]
        try:
            done = [self._done(task, number, member) for number, member in enumerate(begun)]
        finally:
            for member in begun:
                member.cancel()
        whole = self._hosts[0].call("assemble", task, *(member.ref for member in done)).result()
        return StepResult(whole.ref, self._longest(done) + whole.seconds)

    def _begin(self, task: Ref, number: int) -> Future[StepResult]:
        return self._hosts[number % len(self._hosts)].call("train_member", task, number)

    def _done(self, task: Ref, number: int, member: Future[StepResult]) -> StepResult:
        try:
            return member.result()
        except UnavailableError:
            return self._begin(task, number).result()

    def _longest(self, done: Sequence[StepResult]) -> float:
        """How long the busiest worker was at it [s]."""
        seconds = [member.seconds for member in done]
        return max(sum(seconds[first :: len(self._hosts)]) for first in range(len(self._hosts)))
