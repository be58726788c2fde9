"""The campaigns of one record: a session for each, driven in turn, and what went wrong with the last drive."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as NoReply
from dataclasses import dataclass
from pathlib import Path

from dataeff_al.campaign import plan as do
from dataeff_al.campaign.commands import Command, Pause
from dataeff_al.campaign.drive import no_obstacle
from dataeff_al.campaign.hosts import Hosts
from dataeff_al.campaign.launch import repeat, spec_of
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.campaign.outcome import SUMMARY, write_outcome
from dataeff_al.campaign.session import Session
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import State
from dataeff_al.errors import NoRoomError, NotFoundError, UnavailableError
from dataeff_al.events import Event
from dataeff_al.rpc.types import Activity
from dataeff_al.sentences import shown
from dataeff_al.stores.protocol import RequestKey
from services.controller.feed import Feed, root_of
from services.controller.scheduler import Scheduler, Turn
from services.controller.standing import Standing

log = logging.getLogger(__name__)
REPLY_S = 30.0
TICK_S = 1.0
STOPPED = Pause("infra", "the controller stopped; the campaign goes on when it starts again")


@dataclass(frozen=True)
class Conduct:
    """How campaigns are driven.

    Attributes:
        most: how many at once.
        turn_s: how long one may go on while others wait [s].
        always_report: write a campaign's outcome whenever it comes to rest, not only when it has ended.
        figures: draw reports, which takes seconds.
        obstacle: why nothing new may be begun now; empty when nothing is in the way.
    """

    most: int = 4
    turn_s: float = 60.0
    always_report: bool = False
    figures: bool = True
    obstacle: Callable[[], str] = no_obstacle


class Families:
    """Campaigns with their twins and repeats, each driven by a session of its own.

    Args:
        feed: the record's events.
        hosts: where the work is done.
        folder_of: where the outcome of a campaign is written.
        conduct: how campaigns are driven.
    """

    def __init__(self, feed: Feed, hosts: Hosts, folder_of: Callable[[str], Path], conduct: Conduct) -> None:
        self.feed, self.standing, self.hosts = feed, Standing(feed.store), hosts
        feed.listen(self.standing.grow)
        self._folder_of, self._conduct = folder_of, conduct
        self._lock, self._reporting = threading.RLock(), threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._failures: dict[str, BaseException] = {}
        self._resting: set[str] = set()
        self._closed = threading.Event()
        self._scheduler = Scheduler(self._turn, conduct.most, conduct.turn_s, feed.rouse)
        self._ticker = threading.Thread(target=self._tick, name="ticker", daemon=True)
        self._ticker.start()

    def members(self, campaign: str) -> list[str]:
        """The family, the campaign itself first; of a twin or repeat, itself alone. Raises NotFoundError."""
        root = root_of(campaign)
        if campaign not in self.feed.members(root):
            raise NotFoundError(f"a campaign must have been created, but got {shown(campaign)}.")
        return self.feed.members(campaign)

    def wake(self, campaign: str) -> None:
        """Drive a campaign's family, as far as there is anything to do."""
        self._scheduler.wake(root_of(campaign))

    def activity(self, campaign: str) -> Activity:
        """What is done for a campaign's family."""
        return self._scheduler.activity(root_of(campaign))

    def failure(self, campaign: str) -> BaseException | None:
        """What ended the last drive of a campaign's family, or None."""
        return self._failures.get(root_of(campaign))

    def submit(self, campaign: str, command: Command, key: RequestKey | None = None) -> Sequence[Event]:
        """Ask something of a campaign, whether it is driven or not; returns what was written.

        Raises what the command's refusal is, UnavailableError when the campaign is too busy to answer.
        """
        try:
            return self._session(root_of(campaign)).submit(campaign, command, key).result(REPLY_S)
        except NoReply:
            said = f"the campaign {campaign!r} must answer within {REPLY_S:.0f} s, but got no reply; ask again."
            raise UnavailableError(said) from None

    def idle_with_work(self, campaign: str) -> bool:
        """Whether driving a campaign would change anything now."""
        state = self.standing.state(campaign)
        quiet = (do.Await, do.Grant)
        return any(not isinstance(action, quiet) for action in do.plan(state, time.time()))

    def unfinished(self, root: str) -> bool:
        """Whether a family has not ended, or its outcome has not been written."""
        ended = all(self.feed.store.about(name).ended for name in self.members(root))
        return not ended or not (self._folder_of(root) / SUMMARY).exists()

    def halt(self, campaign: str, parting: Pause | None) -> None:
        """Stop driving a family as soon as nothing of it is in flight."""
        with self._lock:
            session = self._sessions.get(root_of(campaign))
        if session is not None:
            session.halt(parting)

    def describe(self, root: str, spec: CampaignSpec) -> None:
        """Drive a campaign by this description, which may place its parts otherwise than the recorded one.

        Raises ConflictError when it asks other questions.
        """
        Ledger(self.feed.store, root, state=self.standing.state(root)).check(repeat(spec, 0).identity)
        with self._lock:
            self._sessions[root] = self._new_session(root, spec)

    def drain(self, timeout_s: float, parting: Pause = STOPPED) -> bool:
        """Start no new work and wait for what is in flight; whether everything came to rest in time."""
        self.stop(parting)
        return self._scheduler.wait(timeout_s)

    def stop(self, parting: Pause) -> None:
        """Start no new work; campaigns that are stopped by it end with this pause."""
        self._closed.set()
        self._scheduler.close()
        for root in self._scheduler.running():
            self.halt(root, parting)

    def _session(self, root: str) -> Session:
        with self._lock:
            if root not in self._sessions:
                created = self.standing.state(root).created
                assert created is not None
                self._sessions[root] = self._new_session(root, spec_of(created))
            return self._sessions[root]

    def _new_session(self, root: str, spec: CampaignSpec) -> Session:
        known, obstacle = self.standing.state, self._conduct.obstacle
        recall = self.standing.recall
        return Session(
            spec, root, self.feed.store, self.hosts, resume=False, known=known, recall=recall, obstacle=obstacle
        )

    def _turn(self, root: str) -> Turn:
        return Turn(lambda: self._drive(root), lambda: self.halt(root, None))

    def _drive(self, root: str) -> None:
        try:
            session = self._session(root)
            session.stop.clear()
            if self._closed.is_set():
                return
            states = session.run()
            self._failures.pop(root, None)
            self._rest(root, states, session)
        except (NoRoomError, UnavailableError) as error:
            # Nothing is lost, and it passes: the ticker has it driven again.
            self._failures[root] = error
            log.warning("campaign %s waits: %s", root, error)
            with self._lock:
                self._resting.add(root)
        except Exception as error:
            self._failures[root] = error
            # Whoever closes the record under a campaign's feet knows that it cannot go on.
            if not self._closed.is_set():
                log.exception("campaign %s stopped", root)

    def _rest(self, root: str, states: Sequence[State], session: Session) -> None:
        over = all(state.terminal for state in states)
        if not over and not session.stop.is_set():
            with self._lock:
                self._resting.add(root)
        if over or self._conduct.always_report:
            folder = self._folder_of(root)
            folder.mkdir(parents=True, exist_ok=True)
            with self._reporting:
                store, blobs = self.feed.store, self.hosts.blobs
                write_outcome(folder, session.spec, states, store, blobs, report=self._conduct.figures)

    def _tick(self) -> None:
        """Deadlines of leases and rounds pass without anybody's doing."""
        while not self._closed.wait(TICK_S):
            self._scheduler.rotate()
            with self._lock:
                resting = list(self._resting)
            for root in resting:
                try:
                    self._look_at(root)
                except Exception:
                    log.exception("looking at campaign %s failed", root)

    def _look_at(self, root: str) -> None:
        failed = root in self._failures
        if failed and self._conduct.obstacle():
            return
        if failed or any(self.idle_with_work(name) for name in self.members(root)):
            with self._lock:
                self._resting.discard(root)
            self.wake(root)
