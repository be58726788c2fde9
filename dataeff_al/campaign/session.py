"""A campaign with its twins and repeats, driven to the end: the same on one thread and on a cluster."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from dataeff_al.campaign.commands import Command, Pause, Resume
from dataeff_al.campaign.drive import Driver, no_obstacle
from dataeff_al.campaign.hosts import Hosts
from dataeff_al.campaign.inbox import Asked, Inbox, LabelNews, answer_all, refuse_all
from dataeff_al.campaign.launch import first_event, repeat, twin_events, twin_id
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.campaign.recall import Recall
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import State
from dataeff_al.events import Event
from dataeff_al.failpoints import reached
from dataeff_al.stores.protocol import RequestKey, Store

Observe = Callable[[State, Sequence[Event]], None]
INTERRUPTED = Pause(reason="interrupted; run again to go on")


class _Opened(NamedTuple):
    """A campaign's ledger, and the inbox of its driver when it is to be driven."""

    ledger: Ledger
    inbox: Inbox | None


class Session:
    """Runs a campaign, its twins and its repeats to their end, or until ``stop`` is set.

    Another session on the same store goes on where the record ends, and so does another :meth:`run` of this one. Twins
    start when their parent has bought its first labels; they run after it, or beside it as far as the hosts have room.

    Args:
        spec: the campaign.
        campaign: its id in the store; twins and repeats take ids made from it.
        store: the record.
        hosts: where the work is done.
        observe: told of every durable batch of events, one at a time.
        resume: go on with a campaign that is paused.
        known: tells the newest state of a campaign where that is quicker than to read its log.
        recall: the record's snapshots, where they are shared.
        obstacle: why nothing new may be begun now; empty when nothing is in the way.
    """

    def __init__(
        self,
        spec: CampaignSpec,
        campaign: str,
        store: Store,
        hosts: Hosts,
        observe: Observe = lambda _state, _events: None,
        *,
        resume: bool = True,
        known: Callable[[str], State] | None = None,
        recall: Recall | None = None,
        obstacle: Callable[[], str] = no_obstacle,
    ) -> None:
        self.spec, self.campaign, self.stop = spec, campaign, threading.Event()
        self._store, self._hosts, self._tell, self._resume = store, hosts, observe, resume
        self._known, self._obstacle = known, obstacle
        self._recall = recall or Recall(store)
        self._parting: Pause | None = INTERRUPTED
        self._lock, self._doors = threading.Lock(), threading.RLock()
        self._inboxes: dict[str, Inbox] = {}
        self._queues: dict[str, Inbox] = {}
        self._twins: dict[str, Future[State]] = {}

    def run(self) -> list[State]:
        """Drive everything; the campaign's own state first, then its twins', then the repeats'.

        Whatever cannot go on without somebody outside ends the run; the rest is left for the next one.
        """
        states: list[State] = []
        self._threads = ThreadPoolExecutor(max(self._hosts.concurrency - 1, 1), thread_name_prefix="twin")
        try:
            for number in range(self.spec.repeats):
                states.extend(self._family(number))
                if self.stop.is_set() or not all(state.finished for state in states):
                    break
            return states
        finally:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._twins.clear()

    def halt(self, parting: Pause | None) -> None:
        """Set ``stop``; campaigns that are stopped by it end with this pause, or (None) with nothing said."""
        self._parting = parting
        self.stop.set()

    def submit(self, campaign: str, command: Command, request: RequestKey | None = None) -> "Future[Sequence[Event]]":
        """Ask something of a campaign of this session, whether it is being driven or not.

        The reply ends with the events, or with the refusal: NotFoundError when there is no such campaign.
        """
        asked = Asked(command, request=request)
        queue = self._queues.setdefault(campaign, Inbox())
        queue.put(asked)
        with self._doors:
            # Whoever gets in first takes along all who came while the one before was writing.
            waiting = [news for news in queue.wait(0) if isinstance(news, Asked)]
            if waiting:
                self._attend(campaign, waiting)
        return asked.reply

    def _attend(self, campaign: str, asked: Sequence[Asked]) -> None:
        inbox = self._inboxes.get(campaign)
        if inbox is not None:
            for each in asked:
                inbox.put(each)
            return
        try:
            ledger = self._ledger(campaign)
        except Exception as error:
            refuse_all(asked, error)
        else:
            answer_all(ledger, asked)

    def _family(self, number: int) -> Iterator[State]:
        """A campaign and its twins."""
        spec, main = repeat(self.spec, number), self._open(partial(self._begun, number))
        state = main.ledger.state
        for index in range(len(state.twins)):
            self._start_beside(state, spec, index)
        state = self._drive(main, spec)
        yield state
        for index in range(len(state.twins)):
            if self.stop.is_set():
                return
            yield self._twin(state, spec, index)

    def _begun(self, number: int) -> Ledger:
        """The ledger of a repeat; number 0 is the campaign itself."""
        name = self.campaign if number == 0 else f"{self.campaign}~{number}"
        if name in self._store.campaigns():
            return self._ledger(name).check(repeat(self.spec, number).identity)
        info = self._hosts.parts(repeat(self.spec, number)).labeler.info
        return Ledger.create(self._store, name, [first_event(self.spec, info, number)], recall=self._recall)

    def _ledger(self, name: str) -> Ledger:
        return Ledger(self._store, name, state=self._known(name) if self._known else None, recall=self._recall)

    def _twin(self, parent: State, spec: CampaignSpec, index: int) -> State:
        child = twin_id(parent.id, spec.paradigm(index).name)
        running = self._twins.pop(child, None)
        return running.result() if running else self._drive_twin(child, spec.paradigm(index))

    def _drive_twin(self, child: str, spec: CampaignSpec) -> State:
        return self._drive(self._open(partial(self._ledger, child)), spec)

    def _start_beside(self, parent: State, spec: CampaignSpec, index: int) -> None:
        twin = spec.paradigm(index)
        child = twin_id(parent.id, twin.name)
        if self._hosts.concurrency > 1 and child not in self._twins:
            self._twins[child] = self._threads.submit(self._drive_twin, child, twin)

    def _spawn(self, state: State, spec: CampaignSpec, index: int) -> tuple[str, str]:
        twin = spec.paradigm(index)
        child = twin_id(state.id, twin.name)
        events = twin_events(state, twin, self._hosts.parts(spec).labeler.info)
        Ledger.create(self._store, child, events, recall=self._recall)
        self._start_beside(state, spec, index)
        return twin.name, child

    def _open(self, open_ledger: Callable[[], Ledger]) -> _Opened:
        """From here on until it is shut, a campaign that can go on is asked through its inbox."""
        with self._doors:
            ledger = open_ledger()
            reached("campaign.opened")
            if ledger.state.terminal or (ledger.state.paused and not self._resume):
                return _Opened(ledger, None)
            if ledger.state.paused:
                ledger.execute(Resume())
            inbox = self._inboxes[ledger.state.id] = Inbox()
            return _Opened(ledger, inbox)

    def _shut(self, ledger: Ledger, inbox: Inbox) -> None:
        """What was asked too late for the driver is answered here."""
        with self._doors:
            del self._inboxes[ledger.state.id]
            answer_all(ledger, [news for news in inbox.wait(0) if isinstance(news, Asked)])
            state = ledger.state
            stopped = self.stop.is_set() and not (state.terminal or state.cancelling or state.paused)
            if stopped and self._parting is not None:
                ledger.execute(self._parting)

    def _drive(self, opened: _Opened, spec: CampaignSpec) -> State:
        ledger, inbox = opened
        if inbox is None:
            return ledger.state
        try:
            self._driver(ledger, spec, inbox).run()
        finally:
            self._shut(ledger, inbox)
            self._hosts.release(ledger.state.id)
        return ledger.state

    def _driver(self, ledger: Ledger, spec: CampaignSpec, inbox: Inbox) -> Driver:
        name = ledger.state.id
        return Driver(
            ledger=ledger,
            blobs=self._hosts.blobs,
            worker=self._hosts.worker(name, spec),
            labeler=self._hosts.labeler(name, spec, lambda attempt: inbox.put(LabelNews(attempt))),
            inbox=inbox,
            spawn_twin=lambda state, index: self._spawn(state, spec, index),
            observe=self._observe,
            stop=self.stop,
            obstacle=lambda: self._obstacle() or self._hosts.obstacle(),
        )

    def _observe(self, state: State, events: Sequence[Event]) -> None:
        with self._lock:
            self._tell(state, events)
