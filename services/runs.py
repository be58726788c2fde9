"""What people call a run: a campaign id at a controller, or a run's folder, live or at rest."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign.apply import apply
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.campaign.recall import Recall
from dataeff_al.campaign.state import State
from dataeff_al.errors import DataeffError, LockedError, NotFoundError, StateError, UnavailableError
from dataeff_al.events import to_json
from dataeff_al.rpc import Client
from dataeff_al.rpc.types import CampaignInfo, Verdict, WatchedEvent
from dataeff_al.stores.lockfile import LockFile
from dataeff_al.stores.open import RECORD, open_store
from dataeff_al.stores.protocol import StoredEvent
from services.controller.standing import info_of
from services.local import CONTROLLER
from services.runtime import Settings

LOOK_S = 0.5
PROBE_S = 3.0


class Runs(Protocol):
    """What can be asked about campaigns, wherever they are."""

    def get(self, campaign: str) -> CampaignInfo:
        """A campaign as it stands."""

    def watch(
        self, campaign: str, after: Mapping[str, int] | None = None, *, until_idle: bool = False
    ) -> Iterator[WatchedEvent]:
        """Its events, its twins' and repeats', as they come."""

    def pause(self, campaign: str, reason: str = "") -> CampaignInfo:
        """Start no new work."""

    def resume(self, campaign: str) -> CampaignInfo:
        """Go on."""

    def cancel(self, campaign: str, reason: str = "") -> CampaignInfo:
        """End before the time."""

    def extend(self, campaign: str, amount: int) -> CampaignInfo:
        """Add to the budget."""

    def settle(self, campaign: str, attempt: str, verdict: Verdict) -> CampaignInfo:
        """Say what became of an attempt of unknown outcome."""


@contextmanager
def client_of(surroundings: Settings, target: str | None) -> Iterator[Client]:
    """A client of the controller that is meant."""
    with Client(target or surroundings.target, token=surroundings.token, ca=surroundings.ca) as client:
        yield client


@contextmanager
def controlled(run: str, target: str | None, surroundings: Settings) -> Iterator[tuple[Client, str] | None]:
    """The controller that has a run, and the campaign's id there; None for the folder of a run that is at rest.

    A folder that a controller runs is asked through that controller.
    """
    folder = Path(run)
    if target is not None or not folder.is_dir():
        with client_of(surroundings, target) as client:
            yield client, run
        return
    live = _live(folder)
    if live is None:
        yield None
        return
    with live[0] as client:
        yield client, live[1]


@contextmanager
def open_run(run: str, target: str | None, surroundings: Settings) -> Iterator[tuple[Runs, str]]:
    """Where a run is, and its campaign's id there. Raises NotFoundError for a folder that is no run's."""
    with controlled(run, target, surroundings) as found:
        if found is not None:
            yield found
            return
    if not (Path(run) / RECORD).is_file():
        raise NotFoundError(f"a run's folder must hold {RECORD}, but got {run!r}.")
    at_rest = FolderRuns(Path(run))
    yield at_rest, at_rest.campaigns()[0]


def _live(folder: Path) -> tuple[Client, str] | None:
    """A client of the controller that runs the folder now; none when it has died."""
    try:
        about = json.loads((folder / CONTROLLER).read_text(encoding="utf-8"))
        client = Client(about["target"], timeout_s=PROBE_S)
        client.get(about["campaign"])
    except (OSError, ValueError, KeyError, TypeError, UnavailableError, NotFoundError):
        return None
    return Client(about["target"]), about["campaign"]


@dataclass(frozen=True)
class FolderRuns:
    """The campaigns in a folder that no controller runs: read from the record, changed in it for the next run."""

    folder: Path

    def campaigns(self) -> list[str]:
        """Ids in order of creation. Raises NotFoundError when there is none."""
        store = open_store(self.folder, writer=False)
        try:
            found = list(store.campaigns())
        finally:
            store.close()
        if not found:
            raise NotFoundError(f"a run's record must hold a campaign, but got none in {str(self.folder)!r}.")
        return found

    def get(self, campaign: str) -> CampaignInfo:
        """A campaign as its record has it."""
        store = open_store(self.folder, writer=False)
        try:
            state, about = Recall(store).state(campaign), store.about(campaign)
            others = tuple(name for name in store.campaigns() if name.startswith((f"{campaign}.", f"{campaign}~")))
        finally:
            store.close()
        return info_of(state, about.created_at, "idle", members=others, full=True)

    def watch(
        self, campaign: str, after: Mapping[str, int] | None = None, *, until_idle: bool = False
    ) -> Iterator[WatchedEvent]:
        """Events in the record, and those that another process adds for as long as one drives the campaigns."""
        place = dict(after or {})
        states: dict[str, State] = {}
        while True:
            driven = self._driven()
            yield from self._fresh(campaign, place, states)
            if until_idle or not driven or all(state.terminal for state in states.values()):
                return
            time.sleep(LOOK_S)

    def _driven(self) -> bool:
        try:
            LockFile((self.folder / RECORD).with_suffix(".lock")).release()
        except LockedError:
            return True
        return False

    def _fresh(self, campaign: str, place: dict[str, int], states: dict[str, State]) -> Iterator[WatchedEvent]:
        store = open_store(self.folder, writer=False)
        try:
            for name in [campaign, *self.get(campaign).members]:
                known = states.get(name, State(name))
                fresh = list(store.read(name, known.n))
                states[name] = _grown(known, fresh)
                for each in fresh:
                    if each.n > place.get(name, 0):
                        place[name] = each.n
                        yield WatchedEvent(name, each.n, each.at, each.event.kind, to_json(each.event))
        finally:
            store.close()

    def pause(self, campaign: str, reason: str = "") -> CampaignInfo:
        """The next run does not go on by itself; it goes on when it is asked to."""
        return self._all(campaign, cmd.Pause(reason=reason or "asked for"))

    def resume(self, campaign: str) -> CampaignInfo:
        """The next run goes on."""
        return self._all(campaign, cmd.Resume())

    def cancel(self, campaign: str, reason: str = "") -> CampaignInfo:
        """End it; when answers are still owed, the next run waits for them first."""
        return self._all(campaign, cmd.Cancel(reason=reason or "asked for"), _confirm)

    def extend(self, campaign: str, amount: int) -> CampaignInfo:
        """Add to the budget; the next run spends it."""
        return self._change([campaign], cmd.Extend(amount))

    def settle(self, campaign: str, attempt: str, verdict: Verdict) -> CampaignInfo:
        """Say what became of an attempt of unknown outcome."""
        return self._change([campaign], cmd.Settle(attempt, verdict))

    def _all(
        self, campaign: str, command: cmd.Command, then: Callable[[Ledger], None] = lambda _: None
    ) -> CampaignInfo:
        return self._change([campaign, *self.get(campaign).members], command, then)

    def _change(
        self, campaigns: list[str], command: cmd.Command, then: Callable[[Ledger], None] = lambda _: None
    ) -> CampaignInfo:
        """Ask something of every campaign that can do it; raises the first refusal when none can."""
        store = open_store(self.folder, writer=True)
        refusals: list[DataeffError] = []
        try:
            for name in campaigns:
                ledger = Ledger(store, name)
                try:
                    ledger.execute(command)
                    then(ledger)
                except StateError as error:
                    refusals.append(error)
        finally:
            store.close()
        if len(refusals) == len(campaigns):
            raise refusals[0]
        return self.get(campaigns[0])


def _grown(state: State, stored: Iterable[StoredEvent]) -> State:
    for each in stored:
        state = apply(state, each.event)
    return state


def _confirm(ledger: Ledger) -> None:
    if not ledger.state.open:
        ledger.execute(cmd.ConfirmCancel())
