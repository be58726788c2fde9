"""What can be asked of a controller, as ordinary calls: the server in front of it only decodes and encodes."""

import itertools
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign.launch import first_event
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import State
from dataeff_al.digests import digest_bytes
from dataeff_al.errors import DataeffError, Problem, RequestError, SpecError, StateError, UnavailableError
from dataeff_al.rpc import limits
from dataeff_al.rpc.types import Activity, CampaignInfo, Page, Verdict
from dataeff_al.stores.protocol import RequestKey
from services.controller.confined import Admission
from services.controller.families import STOPPED, Families
from services.controller.feed import TWIN, root_of
from services.controller.standing import info_of
from services.rpc import requests

log = logging.getLogger(__name__)
ASKED = "asked for"


def goes_on(state: State) -> bool:
    """Whether a new controller drives a campaign on: not when a person or an error paused it."""
    return not state.terminal and (state.paused is None or state.paused.cause == "infra")


class Controller:
    """Runs the campaigns of one record.

    Example::

        with Families(feed, hosts, folder_of, Conduct()) as families:
            controller = Controller(families, Admission(base_dir))
            controller.start()
            run = controller.create(text, (), "request-1")
            controller.pause(run.id, "", "request-2")

    Args:
        families: the campaigns.
        admission: reads campaign files.
    """

    def __init__(self, families: Families, admission: Admission) -> None:
        self.families, self._admission = families, admission
        self._creating = threading.Lock()
        self._draining = False

    def start(self, wanted: Callable[[State], bool] = goes_on) -> None:
        """Drive on every campaign that is ``wanted`` and has not ended, and write outcomes that are missing."""
        for root in self.families.feed.roots():
            try:
                self._go_on(root, wanted)
            except DataeffError:
                log.exception("campaign %s cannot go on", root)

    def _go_on(self, root: str, wanted: Callable[[State], bool]) -> None:
        if not self.families.unfinished(root):
            return
        for name in self.families.members(root):
            state = self.families.standing.state(name)
            if state.paused and wanted(state):
                self.families.submit(name, cmd.Resume())
        self.families.wake(root)

    def validate(self, yaml: str, settings: Sequence[str]) -> tuple[str, Sequence[Problem]]:
        """The campaign's name, and every rule that its file breaks."""
        try:
            return self._admission.parse(yaml, settings).name, ()
        except SpecError as error:
            return "", error.problems

    def create(self, yaml: str, settings: Sequence[str], request_id: str) -> CampaignInfo:
        """A new campaign, driven when its turn comes.

        Raises SpecError, and what the making of its pool and labeler raises.
        """
        key = requests.request_key(request_id, "create", {"yaml": yaml, "settings": list(settings)})
        known = self._created_by(key)
        if known is None:
            self._refuse_while_draining()
            spec = self._admission.parse(yaml, settings)
            known = self._create(spec, key)
        return self.get(known)

    def _create(self, spec: CampaignSpec, key: RequestKey) -> str:
        event = first_event(spec, self.families.hosts.parts(spec).labeler.info)
        store = self.families.feed.store
        with self._creating:
            campaign = self._created_by(key) or self._free_id(spec.name, key)
            if campaign not in store.campaigns():
                store.append(campaign, [event], 0, store.epoch, key)
        self.families.wake(campaign)
        return campaign

    def _created_by(self, key: RequestKey) -> str | None:
        store = self.families.feed.store
        return next((root for root in self.families.feed.roots() if store.committed(root, key)), None)

    def _free_id(self, name: str, key: RequestKey) -> str:
        """The name, or the name with a few digits made of the request."""
        digits = digest_bytes(key.id.encode())
        tried = itertools.chain([name], (f"{name}-{digits[:length]}" for length in range(6, len(digits))))
        taken = set(self.families.feed.roots())
        return next(candidate for candidate in tried if candidate not in taken)

    def get(self, campaign: str) -> CampaignInfo:
        """A campaign as it stands, with its description. Raises NotFoundError."""
        return self._info(requests.campaign_id(campaign), full=True)

    def list(self, page_size: int, page_token: str) -> Page:
        """A page of campaigns in order of creation, without twins and repeats."""
        size = requests.whole("page_size", page_size, limits.MAX_PAGE, least=0) or limits.DEFAULT_PAGE
        roots = self.families.feed.roots()
        if page_token and page_token not in roots:
            raise RequestError("page_token must be one that the page before gave, but got another.")
        first = roots.index(page_token) + 1 if page_token else 0
        shown = roots[first : first + size]
        more = first + size < len(roots)
        return Page(tuple(self._info(root, full=False) for root in shown), shown[-1] if more else "")

    def activity(self, campaign: str) -> Activity:
        """What is done for a campaign."""
        return self.families.activity(campaign)

    def ended(self, campaign: str) -> bool:
        """Whether a campaign, its twins and its repeats have ended, and nothing is done for them any more."""
        idle = self.activity(campaign) == "idle"
        states = [self.families.standing.state(name) for name in self.families.members(campaign)]
        return idle and all(state.terminal for state in states) and not _more_to_come(states)

    def pause(self, campaign: str, reason: str, request_id: str) -> CampaignInfo:
        """Start no new work in a family. Raises StateError when all of it has ended."""
        said = requests.text("reason", reason, limits.MAX_REASON) or ASKED
        return self._all("pause", campaign, cmd.Pause(reason=said), request_id, {"reason": reason})

    def resume(self, campaign: str, request_id: str) -> CampaignInfo:
        """Go on. Raises StateError when all of the family has ended."""
        self._refuse_while_draining()
        return self._all("resume", campaign, cmd.Resume(), request_id, {})

    def cancel(self, campaign: str, reason: str, request_id: str) -> CampaignInfo:
        """End a family before its time. Raises StateError when all of it is finished."""
        said = requests.text("reason", reason, limits.MAX_REASON) or ASKED
        return self._all("cancel", campaign, cmd.Cancel(reason=said), request_id, {"reason": reason})

    def extend(self, campaign: str, amount: int, request_id: str) -> CampaignInfo:
        """Add to a campaign's budget; its twins and repeats have their own."""
        self._refuse_while_draining()
        requests.whole("amount", amount, limits.MAX_AMOUNT)
        return self._one("extend", campaign, cmd.Extend(amount), request_id, {"amount": amount})

    def settle(self, campaign: str, attempt: str, verdict: Verdict | None, request_id: str) -> CampaignInfo:
        """An operator's word on an attempt of unknown outcome."""
        if verdict is None:
            raise RequestError("verdict must be lost or wasted, but got neither.")
        command = cmd.Settle(requests.attempt_id(attempt), verdict)
        return self._one("settle", campaign, command, request_id, {"attempt": attempt, "verdict": verdict})

    def drain(self, timeout_s: float, parting: cmd.Pause = STOPPED) -> bool:
        """Take on nothing new and wait for what is in flight; whether everything came to rest in time."""
        self._draining = True
        return self.families.drain(timeout_s, parting)

    @property
    def draining(self) -> bool:
        """Whether nothing new is taken on."""
        return self._draining

    def _refuse_while_draining(self) -> None:
        if self._draining:
            raise UnavailableError("a controller that takes on work must not be going down, but got one that is.")

    def _one(
        self, method: str, campaign: str, command: cmd.Command, request_id: str, content: Mapping[str, Any]
    ) -> CampaignInfo:
        """Ask something of one campaign."""
        self.families.members(requests.campaign_id(campaign))
        key = requests.request_key(request_id, method, {"campaign": campaign, **content})
        self.families.submit(campaign, command, key)
        self.families.wake(campaign)
        return self.get(campaign)

    def _all(
        self, method: str, campaign: str, command: cmd.Command, request_id: str, content: Mapping[str, Any]
    ) -> CampaignInfo:
        """Ask something of a family: of every member that can do it."""
        members = self.families.members(requests.campaign_id(campaign))
        key = requests.request_key(request_id, method, {"campaign": campaign, **content})
        refusals: list[StateError] = []
        for member in members:
            try:
                self.families.submit(member, command, key)
            except StateError as error:
                refusals.append(error)
        if len(refusals) == len(members):
            raise refusals[0]
        self.families.wake(campaign)
        return self.get(campaign)

    def _info(self, campaign: str, *, full: bool) -> CampaignInfo:
        members = self.families.members(campaign)
        standing, failure = self.families.standing, self.families.failure(campaign)
        return info_of(
            standing.state(campaign) if full else standing.outline(campaign),
            standing.created_at(campaign),
            self.families.activity(root_of(campaign)),
            problem=str(failure) or repr(failure) if failure else "",
            members=tuple(members[1:]),
            full=full,
        )


def _more_to_come(states: Sequence[State]) -> bool:
    """Whether a campaign has repeats that have not begun; one that was cancelled has none."""
    repeats = states[0].created.repeats if states[0].created else 1
    begun = sum(TWIN not in state.id for state in states)
    return begun < repeats > 1 and not any(state.cancelled for state in states)
