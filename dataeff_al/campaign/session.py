"""A campaign with its twins and repeats, driven to the end: the same on one thread and on a cluster."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from dataeff_al.campaign.commands import Command, Pause, Resume
from dataeff_al.campaign.drive import Asked, Driver, Inbox, LabelNews
from dataeff_al.campaign.events import Event
from dataeff_al.campaign.hosts import Hosts
from dataeff_al.campaign.launch import created, twin_events, twin_id
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import State
from dataeff_al.stores.protocol import Store

Observe = Callable[[State, Sequence[Event]], None]


class Session:
    """Runs a campaign, its twins and its repeats to their end, or until ``stop`` is set.

    Another session on the same store goes on where the record ends. Twins start when their parent has bought its first
    labels; they run after it, or beside it as far as the hosts have room.

    Args:
        spec: the campaign.
        campaign: its id in the store; twins and repeats take ids made from it.
        store: the record.
        hosts: where the work is done.
        observe: told of every durable batch of events, one at a time.
        resume: go on with a campaign that is paused.
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
    ) -> None:
        self.spec, self.campaign, self.stop = spec, campaign, threading.Event()
        self._store, self._hosts, self._tell, self._resume = store, hosts, observe, resume
        self._lock = threading.Lock()
        self._inboxes: dict[str, Inbox] = {}
        self._threads = ThreadPoolExecutor(max_workers=max(hosts.concurrency - 1, 1), thread_name_prefix="twin")
        self._twins: dict[str, Future[State]] = {}

    def run(self) -> list[State]:
        """Drive everything; the campaign's own state first, then its twins', then the repeats'.

        Whatever cannot go on without somebody outside ends the run; the rest is left for the next one.
        """
        states: list[State] = []
        try:
            for number in range(self.spec.repeats):
                states.extend(self._family(self._repeat(number), number))
                if self.stop.is_set() or not all(state.terminal for state in states):
                    break
            return states
        finally:
            self._threads.shutdown(wait=True, cancel_futures=True)

    def submit(self, campaign: str, command: Command) -> "Future[Sequence[Event]]":
        """Ask something of a campaign that is being driven; raises KeyError when it is not."""
        with self._lock:
            asked = Asked(command)
            self._inboxes[campaign].put(asked)
            return asked.reply

    def _repeat(self, number: int) -> CampaignSpec:
        """The campaign under the seed of its ``number``-th repeat."""
        return self.spec.model_copy(update={"seed": self.spec.seed + number, "repeats": 1})

    def _family(self, spec: CampaignSpec, number: int) -> Iterator[State]:
        """A campaign and its twins."""
        name = self.campaign if number == 0 else f"{self.campaign}~{number}"
        main = Ledger.create(self._store, name, [created(spec, self._hosts.parts(spec).labeler.info)])
        for index in range(len(main.state.twins)):
            self._start_beside(main.state, spec, index)
        yield self._drive(main, spec)
        for index in range(len(main.state.twins)):
            if self.stop.is_set():
                return
            yield self._twin(main.state, spec, index)

    def _twin(self, parent: State, spec: CampaignSpec, index: int) -> State:
        child = twin_id(parent.id, spec.paradigm(index).name)
        running = self._twins.pop(child, None)
        return running.result() if running else self._drive(Ledger(self._store, child), spec.paradigm(index))

    def _start_beside(self, parent: State, spec: CampaignSpec, index: int) -> None:
        twin = spec.paradigm(index)
        child = twin_id(parent.id, twin.name)
        if self._hosts.concurrency > 1 and child not in self._twins:
            self._twins[child] = self._threads.submit(lambda: self._drive(Ledger(self._store, child), twin))

    def _spawn(self, state: State, spec: CampaignSpec, index: int) -> tuple[str, str]:
        twin = spec.paradigm(index)
        child = twin_id(state.id, twin.name)
        Ledger.create(self._store, child, twin_events(state, twin, self._hosts.parts(spec).labeler.info))
        self._start_beside(state, spec, index)
        return twin.name, child

    def _drive(self, ledger: Ledger, spec: CampaignSpec) -> State:
        if ledger.state.terminal or (ledger.state.paused and not self._resume):
            return ledger.state
        if ledger.state.paused:
            ledger.execute(Resume())
        name, inbox = ledger.state.id, Inbox()
        with self._lock:
            self._inboxes[name] = inbox
        try:
            state = self._driver(ledger, spec, inbox).run()
        finally:
            with self._lock:
                del self._inboxes[name]
            self._hosts.release(name)
        if self.stop.is_set() and not state.terminal and not state.paused:
            ledger.execute(Pause(reason="interrupted; run again to go on"))
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
        )

    def _observe(self, state: State, events: Sequence[Event]) -> None:
        with self._lock:
            self._tell(state, events)
