"""The one loop that moves a campaign: plan what is not in flight, wait for news, decide, write, apply.

Inline, on a cluster or with people answering: only the hosts and the inbox differ.
"""

import json
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

from pydantic import ValidationError

from dataeff_al.blobs import Blobs
from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign import plan as do
from dataeff_al.campaign.attempts import Attempts
from dataeff_al.campaign.hosts import Host, StepResult
from dataeff_al.campaign.inbox import Asked, Inbox, LabelNews, News, StepNews, answer_all
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.campaign.rules import rules_of
from dataeff_al.campaign.state import State
from dataeff_al.digests import canonical_json
from dataeff_al.errors import BudgetError, DataeffError
from dataeff_al.events import Event
from dataeff_al.failpoints import reached
from dataeff_al.labeling.types import LabelerHost

log = logging.getLogger(__name__)
POLL_S = 0.5


def no_obstacle() -> str:
    """Nothing stands in the way of new work."""
    return ""


@dataclass
class Driver:
    """Drives one campaign.

    Args:
        ledger: the campaign's state and log.
        blobs: where tasks, results and outcomes are.
        worker: runs the steps.
        labeler: answers the queries.
        inbox: where hosts and outsiders leave news.
        spawn_twin: creates a child campaign from the state, returns ``(name, id)``.
        observe: told of every batch of events, after it is durable.
        stop: when set, nothing new is begun and :meth:`run` returns once nothing is in flight.
        obstacle: why nothing new may be begun now, such as a disk that is nearly full; empty when nothing is.
    """

    ledger: Ledger
    blobs: Blobs
    worker: Host
    labeler: LabelerHost
    inbox: Inbox
    spawn_twin: Callable[[State, int], tuple[str, str]]
    observe: Callable[[State, Sequence[Event]], None] = lambda _state, _events: None
    stop: threading.Event = field(default_factory=threading.Event)
    obstacle: Callable[[], str] = no_obstacle
    _steps: set[str] = field(default_factory=set)
    _planned: tuple[int, int] = (-1, -1)
    _heard: int = 0
    _called_off: bool = False
    _taken_back: bool = False

    def __post_init__(self) -> None:
        self._attempts = Attempts(self.ledger, self.blobs, self.labeler, self.inbox, self._execute)

    def run(self, *, until_idle: bool = True) -> State:
        """Go on until the campaign ends, or nothing can happen without somebody outside (``until_idle``)."""
        self._attempts.recollect()
        while True:
            if self._act():
                continue
            if self._idle(until_idle):
                return self.ledger.state
            self._hear(self.inbox.wait(POLL_S))

    def _idle(self, until_idle: bool) -> bool:
        if self._steps or self._attempts.in_flight:
            return False
        return until_idle or self.stop.is_set() or self.ledger.state.terminal

    def _act(self) -> bool:
        """Do what is planned and not in flight, up to the first change of the state; whether it has changed."""
        before = self.ledger.state.n
        self._take_back()
        if self._nothing_new():
            return False
        for action in do.plan(self.ledger.state, self.ledger.now):
            if isinstance(action, _NEW_WORK) and not self._may_begin():
                continue
            _HANDLERS[type(action)](self, action)
            if self.ledger.state.n != before:
                return True
        self._planned = (before, self._heard)
        return False

    def _nothing_new(self) -> bool:
        """Whether the last plan still stands: no event since, no step that ended, no clock that matters."""
        state = self.ledger.state
        if state.created is None or state.open or (state.live and rules_of(state).close == "deadline"):
            return False
        return self._planned == (state.n, self._heard)

    def _may_begin(self) -> bool:
        if self.stop.is_set():
            return False
        reason = self.obstacle()
        if reason and self.ledger.state.status == "running":
            self._execute(cmd.Pause("infra", reason))
        return not reason

    def _take_back(self) -> None:
        """Once nothing new may be begun, what only waits at the labeler's host is taken back from it."""
        if self.ledger.state.cancelling and not self._called_off:
            self._called_off = True
            self._attempts.call_off()
        if self.stop.is_set() and not self._taken_back:
            self._taken_back = True
            self._attempts.drop()

    def _execute(self, *commands: cmd.Command) -> None:
        events = self.ledger.execute_all(commands)
        if events:
            self.observe(self.ledger.state, events)

    def _step(self, action: do.Step) -> None:
        if action.key in self._steps:
            return
        self._steps.add(action.key)
        task = self.blobs.put(canonical_json(action.task))
        reached("step.before")
        try:
            future = self.worker.call(action.method, task)
        except Exception as error:  # a host that cannot even begin has failed the step
            future = Future()
            future.set_exception(error)
        future.add_done_callback(lambda done: self.inbox.put(StepNews(action, done)))

    def _await(self, action: do.Await) -> None:
        self._attempts.attend(action.attempt, may_begin=self._may_begin_attempt)

    def _may_begin_attempt(self) -> bool:
        return self.ledger.state.status in ("running", "cancelling") and self._may_begin()

    def _spawn(self, action: do.SpawnTwin) -> None:
        name, child = self.spawn_twin(self.ledger.state, action.index)
        self._execute(cmd.AddTwin(name, child))

    def _confirm_cancel(self, _: do.ConfirmCancel) -> None:
        """A step that is at work may still bring a model, which a cancelled campaign keeps."""
        if not self._steps:
            self._execute(cmd.ConfirmCancel())

    def _hear(self, news: Sequence[News]) -> None:
        """Neighbours of one kind are written in one transaction: labels, and what was asked from outside."""
        for kind, items in groupby(news, type):
            _HEARD[kind](self, list(items))
        self._attempts.look()

    def _hear_steps(self, news: Sequence[StepNews]) -> None:
        for item in news:
            reached("step.after")
            self._steps.discard(item.step.key)
            self._heard += 1
            self._write_step(item)

    def _hear_asked(self, news: Sequence[Asked]) -> None:
        events = answer_all(self.ledger, news)
        if events:
            self.observe(self.ledger.state, events)

    def _write_step(self, item: StepNews) -> None:
        try:
            self._execute(self._step_command(item))
        except BudgetError as error:
            # Money that was free when the step began may be gone by now: then another step is planned in its place.
            if any(isinstance(action, do.Step) and action.key == item.step.key for action in self._plan()):
                self._execute(cmd.StepError(item.step.key, item.step.method, "error", str(error)))
        except ValidationError as error:
            reason = f"{item.step.method} must end with a result that can be written down, but got {_first(error)}"
            self._execute(cmd.StepError(item.step.key, item.step.method, "error", reason))

    def _plan(self) -> Sequence[do.Action]:
        return do.plan(self.ledger.state, self.ledger.now)

    def _step_command(self, item: StepNews) -> cmd.StepDone | cmd.StepError:
        error = item.future.exception()
        if error is None:
            done: StepResult = item.future.result()
            result = json.loads(self.blobs.get(done.ref))
            return cmd.StepDone(item.step.key, item.step.method, item.step.task, result, done.seconds)
        reason = str(error)
        if not isinstance(error, DataeffError):
            log.info("step %s failed", item.step.method, exc_info=error)
            reason = f"{item.step.method} failed with {error!r}"
        failure: Literal["infra", "error"] = "infra" if isinstance(error, ConnectionError) else "error"
        return cmd.StepError(item.step.key, item.step.method, failure, reason)


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False)[0]
    return f"{'.'.join(str(part) for part in found['loc'])}: {found['msg']}"


_HEARD: dict[type, Callable[[Driver, Any], None]] = {
    StepNews: Driver._hear_steps,
    LabelNews: lambda driver, news: driver._attempts.hear(news),
    Asked: Driver._hear_asked,
}
_NEW_WORK = (do.Step, do.Grant, do.SpawnTwin)
_HANDLERS: dict[type, Callable[[Driver, Any], None]] = {
    do.Step: Driver._step,
    do.Grant: lambda driver, action: driver._attempts.grant(action),
    do.Await: Driver._await,
    do.Overdue: lambda driver, action: driver._attempts.overdue(action.attempt),
    do.Withdraw: lambda driver, action: driver._attempts.withdraw(action.queries),
    do.SpawnTwin: Driver._spawn,
    do.Conclude: lambda driver, action: driver._execute(cmd.Conclude(action.outcome, action.reason)),
    do.Stall: lambda driver, action: driver._execute(cmd.Pause(action.cause, action.reason)),
    do.ConfirmCancel: Driver._confirm_cancel,
}
