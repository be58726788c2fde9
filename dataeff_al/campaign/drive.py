"""The one loop that moves a campaign: plan what is not in flight, wait for news, decide, write, apply.

Inline, on a cluster or with people answering: only the hosts and the inbox differ.
"""

import json
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from dataeff_al.blobs import Blobs
from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign import plan as do
from dataeff_al.campaign.events import Event, LabelRecord
from dataeff_al.campaign.hosts import Host, StepResult
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.campaign.state import State
from dataeff_al.digests import Ref, canonical_json
from dataeff_al.errors import DataeffError
from dataeff_al.labeling.packing import unpack_outcome
from dataeff_al.labeling.types import Deferred, Done, LabelerHost, LabelFailure, Running, Unknown
from dataeff_al.stores.protocol import RequestKey

log = logging.getLogger(__name__)
POLL_S = 0.5


@dataclass(frozen=True)
class StepNews:
    """A step ended."""

    step: do.Step
    future: "Future[StepResult]"


@dataclass(frozen=True)
class LabelNews:
    """An attempt has an outcome."""

    attempt: str


@dataclass(frozen=True)
class Asked:
    """Somebody outside wants something; the reply ends with the events, or with the refusal."""

    command: cmd.Command
    reply: "Future[Sequence[Event]]" = field(default_factory=Future)
    request: RequestKey | None = None


News = StepNews | LabelNews | Asked


class Inbox:
    """Where news for one campaign comes in, from any thread."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[News | None] = queue.SimpleQueue()

    def put(self, news: News) -> None:
        """Leave news."""
        self._queue.put(news)

    def wake(self) -> None:
        """End the driver's wait without news."""
        self._queue.put(None)

    def wait(self, timeout_s: float) -> list[News]:
        """All news there is, after waiting for the first of it."""
        found: list[News] = []
        try:
            item = self._queue.get(timeout=timeout_s)
            while True:
                if item is not None:
                    found.append(item)
                item = self._queue.get_nowait()
        except queue.Empty:
            return found


def answer(ledger: Ledger, asked: Asked) -> Sequence[Event]:
    """Do what was asked and reply: with the events once they are durable, or with the refusal."""
    if not asked.reply.set_running_or_notify_cancel():
        return []
    try:
        events = ledger.execute(asked.command, asked.request)
    except DataeffError as error:
        asked.reply.set_exception(error)
        return []
    asked.reply.set_result(events)
    return events


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
        stop: when set, no new work starts and :meth:`run` returns once nothing is in flight.
    """

    ledger: Ledger
    blobs: Blobs
    worker: Host
    labeler: LabelerHost
    inbox: Inbox
    spawn_twin: Callable[[State, int], tuple[str, str]]
    observe: Callable[[State, Sequence[Event]], None] = lambda _state, _events: None
    stop: threading.Event = field(default_factory=threading.Event)
    _steps: set[str] = field(default_factory=set)
    _sent: set[str] = field(default_factory=set)

    def run(self, *, until_idle: bool = True) -> State:
        """Go on until the campaign ends, or nothing can happen without somebody outside (``until_idle``)."""
        while True:
            if self._act():
                continue
            if self._idle(until_idle):
                return self.ledger.state
            self._hear(self.inbox.wait(POLL_S))

    def _idle(self, until_idle: bool) -> bool:
        if self._steps or self._sent:
            return False
        return until_idle or self.stop.is_set() or self.ledger.state.terminal

    def _act(self) -> bool:
        """Do everything that is planned and not in flight; whether the state has changed by it."""
        before = self.ledger.state.n
        for action in do.plan(self.ledger.state, self.ledger.now):
            if not (self.stop.is_set() and isinstance(action, _NEW_WORK)):
                _HANDLERS[type(action)](self, action)
        return self.ledger.state.n != before

    def _execute(self, *commands: cmd.Command) -> None:
        events = self.ledger.execute_all(commands)
        if events:
            self.observe(self.ledger.state, events)

    def _step(self, action: do.Step) -> None:
        key = action.key
        if key in self._steps:
            return
        self._steps.add(key)
        task = self.blobs.put(canonical_json(action.task))
        future = self.worker.call(action.method, task)
        future.add_done_callback(lambda done: self.inbox.put(StepNews(action, done)))

    def _grant(self, action: do.Grant) -> None:
        room = self.labeler.capacity - len(self.ledger.state.open)
        if room > 0 and self.labeler.info.delivery == "push":
            self._execute(cmd.GrantAttempts(action.queries[:room]))

    def _await(self, action: do.Await) -> None:
        """Tell the host of an attempt, once; after a restart, find out first what became of it."""
        if action.attempt in self._sent:
            return
        progress = self.labeler.poll([action.attempt])[action.attempt]
        if isinstance(progress, Done):
            self._sent.add(action.attempt)
            self.inbox.put(LabelNews(action.attempt))
        elif isinstance(progress, Running):
            if self.labeler.info.delivery == "push":
                self._sent.add(action.attempt)
        elif progress.started and self.labeler.info.effect == "blind":
            self._execute(cmd.Lose(action.attempt))
        else:
            self._sent.add(action.attempt)
            attempt = self.ledger.state.attempts[action.attempt]
            self.labeler.start(action.attempt, Ref(self.ledger.state.queries[attempt.query].request))

    def _overdue(self, action: do.Overdue) -> None:
        progress = self.labeler.poll([action.attempt])[action.attempt]
        if isinstance(progress, Done):
            self.inbox.put(LabelNews(action.attempt))
            self._hear(self.inbox.wait(0))
        elif isinstance(progress, Running) and self.labeler.info.delivery == "push":
            self._execute(cmd.Renew((action.attempt,)))
        elif self.labeler.info.effect == "blind" and self.labeler.info.delivery == "push":
            self._execute(cmd.Lose(action.attempt))
        else:
            self._sent.discard(action.attempt)
            self._execute(cmd.Expire((action.attempt,)))

    def _withdraw(self, action: do.Withdraw) -> None:
        self._execute(cmd.Withdraw(action.queries))

    def _spawn(self, action: do.SpawnTwin) -> None:
        name, child = self.spawn_twin(self.ledger.state, action.index)
        self._execute(cmd.AddTwin(name, child))

    def _conclude(self, action: do.Conclude) -> None:
        self._execute(cmd.Conclude(action.outcome, action.reason))

    def _stall(self, action: do.Stall) -> None:
        self._execute(cmd.Pause("error", action.reason))

    def _confirm_cancel(self, _: do.ConfirmCancel) -> None:
        self._execute(cmd.ConfirmCancel())

    def _hear(self, news: Sequence[News]) -> None:
        """Answers to several labels are written in one transaction; everything else by itself."""
        told: list[cmd.Command] = []
        acked: list[str] = []
        for item in news:
            if isinstance(item, LabelNews):
                told.extend(self._told(item.attempt, acked))
            else:
                self._write(told, acked)
                self._hear_one(item)
        self._write(told, acked)
        self._poll_silent()

    def _write(self, told: list[cmd.Command], acked: list[str]) -> None:
        if told:
            self._execute(*told)
        if acked:
            self.labeler.ack(acked)
            self._sent.difference_update(acked)
        told.clear()
        acked.clear()

    def _told(self, attempt: str, acked: list[str]) -> list[cmd.Command]:
        if attempt in acked:
            return []
        progress = self.labeler.poll([attempt])[attempt]
        if not isinstance(progress, Done):
            return []
        acked.append(attempt)
        outcome = unpack_outcome(self.blobs.get(progress.outcome))
        if isinstance(outcome, LabelFailure):
            return [cmd.Fail(attempt, outcome.kind, outcome.reason, outcome.cost)]
        if isinstance(outcome, Deferred):
            reason = f"deferred at confidence {outcome.confidence:.3g} {outcome.reason}".strip()
            return [cmd.Fail(attempt, "refused", reason, outcome.draft.cost)]
        times = progress.times
        record = LabelRecord(label=progress.outcome, cost=outcome.cost, work_s=times.work_s, cpu_s=times.cpu_s)
        return [cmd.Tell(attempt, record)]

    def _poll_silent(self) -> None:
        """Hosts that cannot call back, batches that outlast their time and hosts that were lost are found by asking."""
        if not self._sent:
            return
        for attempt, progress in self.labeler.poll(sorted(self._sent)).items():
            if isinstance(progress, Done):
                self.inbox.put(LabelNews(attempt))
            elif isinstance(progress, Unknown):
                self._sent.discard(attempt)

    def _hear_one(self, item: StepNews | Asked) -> None:
        if isinstance(item, StepNews):
            self._steps.discard(item.step.key)
            self._execute(self._step_command(item))
            return
        events = answer(self.ledger, item)
        if events:
            self.observe(self.ledger.state, events)

    def _step_command(self, item: StepNews) -> cmd.StepDone | cmd.StepError:
        error = item.future.exception()
        if error is None:
            done = item.future.result()
            result = json.loads(self.blobs.get(done.ref))
            return cmd.StepDone(item.step.key, item.step.method, item.step.task, result, done.seconds)
        reason = str(error)
        if not isinstance(error, DataeffError):
            log.error("step %s failed", item.step.method, exc_info=error)
            reason = f"{item.step.method} failed with {error!r}"
        failure: Literal["infra", "error"] = "infra" if isinstance(error, ConnectionError) else "error"
        return cmd.StepError(item.step.key, item.step.method, failure, reason)


_NEW_WORK = (do.Step, do.Grant, do.SpawnTwin)
_HANDLERS: dict[type, Callable[[Driver, Any], None]] = {
    do.Step: Driver._step,
    do.Grant: Driver._grant,
    do.Await: Driver._await,
    do.Overdue: Driver._overdue,
    do.Withdraw: Driver._withdraw,
    do.SpawnTwin: Driver._spawn,
    do.Conclude: Driver._conclude,
    do.Stall: Driver._stall,
    do.ConfirmCancel: Driver._confirm_cancel,
}
