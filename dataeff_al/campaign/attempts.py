"""The driver's side of labelling: attempts told to their host once, asked about, written down, acknowledged.

A paid call is begun only here, and only when the host does not have the attempt, the record still owes its outcome, and
a repeated call would be free or the labeler has never been called for it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from dataeff_al.blobs import Blobs
from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign import plan as do
from dataeff_al.campaign.inbox import Inbox, LabelNews
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.campaign.outside import for_outside
from dataeff_al.campaign.state import AttemptStatus, State
from dataeff_al.digests import Ref
from dataeff_al.errors import UnavailableError
from dataeff_al.events import LabelRecord
from dataeff_al.failpoints import reached
from dataeff_al.labeling.packing import pack_request, unpack_outcome, unpack_request
from dataeff_al.labeling.types import Deferred, Done, Label, LabelerHost, LabelFailure, Progress, Running, Unknown

WITHDRAWN = "withdrawn before it was begun"


class Attempts:
    """The attempts of one campaign at its labeler's host.

    Args:
        ledger: the campaign's state and log.
        blobs: where outcomes are.
        labeler: the host.
        inbox: where news of attempts is left for the driver.
        execute: writes commands and tells observers.
    """

    def __init__(
        self, ledger: Ledger, blobs: Blobs, labeler: LabelerHost, inbox: Inbox, execute: Callable[..., None]
    ) -> None:
        self._ledger, self._blobs, self._labeler = ledger, blobs, labeler
        self._inbox, self._execute = inbox, execute
        self._sent: set[str] = set()

    @property
    def in_flight(self) -> bool:
        """Whether the host has attempts whose outcome is owed."""
        return bool(self._sent)

    @property
    def _state(self) -> State:
        return self._ledger.state

    @property
    def _pushes(self) -> bool:
        return self._labeler.info.delivery == "push"

    def _is_outside(self, attempt: str) -> bool:
        """Whether people or programs outside have the attempt: it is theirs to end."""
        return for_outside(self._state.queries[self._state.attempts[attempt].query], self._labeler.info)

    def recollect(self) -> None:
        """Take up what an earlier life left at the host of attempts that are over: a late answer is heard, and what is
        in the record may be forgotten."""
        over = [key for key in self._labeler.kept() if key in self._state.attempts and key not in self._state.open]
        for attempt, progress in self._labeler.poll(over).items() if over else ():
            if isinstance(progress, Done):
                self._expect_news(attempt)
            elif isinstance(progress, Unknown) and self._state.attempts[attempt].status is not AttemptStatus.UNKNOWN:
                self._labeler.ack([attempt])

    def grant(self, action: do.Grant) -> None:
        """Lease as many queries as the host has room for; whoever pulls takes leases of their own accord."""
        if not self._pushes:
            return
        room = self._labeler.capacity - sum(not self._is_outside(attempt) for attempt in self._state.open)
        if room > 0:
            self._execute(cmd.GrantAttempts(action.queries[:room]))

    def attend(self, attempt: str, *, may_begin: Callable[[], bool]) -> None:
        """Tell the host of an attempt, once; after a restart, find out first what became of it."""
        if attempt in self._sent or attempt not in self._state.open or self._is_outside(attempt):
            return
        progress = self._poll(attempt)
        if isinstance(progress, Done):
            self._expect_news(attempt)
        elif isinstance(progress, Running):
            self._sent.add(attempt)
        elif self._is_lost(progress):
            self._execute(cmd.Lose(attempt, progress.reason))
        elif self._state.cancelling and not (progress.started and self._labeler.info.effect == "keyed"):
            self._execute(cmd.Fail(attempt, "refused", WITHDRAWN))
        elif may_begin():
            self._begin(attempt)

    def overdue(self, attempt: str) -> None:
        """The deadline has passed: whoever is at work gets more time, and what a host has lost is begun again."""
        if attempt not in self._state.open:
            return
        if self._is_outside(attempt):
            self._execute(cmd.Expire((attempt,)))
            return
        progress = self._poll(attempt)
        if isinstance(progress, Done):
            self._expect_news(attempt)
        elif isinstance(progress, Running):
            self._execute(cmd.Renew((attempt,)))
        else:
            self._missed(attempt, progress)

    def _missed(self, attempt: str, progress: Unknown) -> None:
        """Only a free call may become another attempt; any other goes on under its own key, or waits for a person."""
        was_sent = attempt in self._sent
        self._sent.discard(attempt)
        if self._is_lost(progress):
            self._execute(cmd.Lose(attempt, progress.reason))
        elif was_sent and self._labeler.info.effect == "pure":
            self._execute(cmd.Expire((attempt,)))
        else:
            self._execute(cmd.Renew((attempt,)))

    def withdraw(self, queries: Sequence[str]) -> None:
        """Close a round without these queries; what the labeler has not begun is never begun."""
        self._execute(cmd.Withdraw(tuple(queries)))
        gone = set(queries)
        self._fail_dropped(attempt.id for attempt in self._state.open_attempts() if attempt.query in gone)

    def call_off(self) -> None:
        """The campaign is being cancelled: nothing more is begun, and what is at work is waited for."""
        self._fail_dropped(attempt.id for attempt in self._state.open_attempts())

    def drop(self, attempts: Iterable[str] | None = None) -> list[str]:
        """Take back what the labeler has not begun (None: of all); returns what was taken back."""
        wanted = sorted(self._sent if attempts is None else self._sent & set(attempts))
        if not wanted or not self._pushes:
            return []
        self._labeler.cancel(wanted)
        found = self._labeler.poll(wanted)
        dropped = [attempt for attempt in wanted if _never_begun(found[attempt])]
        self._sent.difference_update(dropped)
        return dropped

    def hear(self, news: Iterable[LabelNews]) -> None:
        """Write what attempts ended with, in one transaction; then the host may forget it."""
        told: list[cmd.Command] = []
        acked: dict[str, None] = {}
        for attempt in dict.fromkeys(item.attempt for item in news):
            progress = self._poll(attempt)
            if isinstance(progress, Done):
                acked[attempt] = None
                told.append(self._command(attempt, progress))
            elif isinstance(progress, Unknown):
                self._sent.discard(attempt)
        if told:
            self._execute(*told)
            reached("ack.before")
            self._labeler.ack(list(acked))
            reached("ack.after")
            self._sent.difference_update(acked)

    def look(self) -> bool:
        """Hosts that cannot call back, batches that outlast their time and hosts that were lost are found by asking.

        Returns whether an attempt is nobody's any more.
        """
        before = len(self._sent)
        for attempt, progress in self._labeler.poll(sorted(self._sent)).items() if self._sent else ():
            if isinstance(progress, Done):
                self._inbox.put(LabelNews(attempt))
            elif isinstance(progress, Unknown):
                self._sent.discard(attempt)
        return len(self._sent) != before

    def _poll(self, attempt: str) -> Progress:
        progress = self._labeler.poll([attempt])[attempt]
        reached("attempt.polled")
        return progress

    def _begin(self, attempt: str) -> None:
        self._sent.add(attempt)
        request = self._state.queries[self._state.attempts[attempt].query].request
        reached("dispatch.before")
        try:
            self._labeler.start(attempt, Ref(request))
        except UnavailableError as error:  # nothing was begun, and this host begins nothing more
            self._sent.discard(attempt)
            if self._state.status != "running":
                raise
            self._execute(cmd.Pause("infra", str(error).rstrip(".")))
            return
        reached("dispatch.after")

    def _expect_news(self, attempt: str) -> None:
        self._sent.add(attempt)
        self._inbox.put(LabelNews(attempt))

    def _is_lost(self, progress: Unknown) -> bool:
        """Whether the call may have been paid for and must not be repeated: nobody but an operator can say."""
        return progress.started and self._labeler.info.effect in ("blind", "queryable")

    def _fail_dropped(self, attempts: Iterable[str]) -> None:
        dropped = self.drop(attempts)
        if dropped:
            self._execute(*(cmd.Fail(attempt, "refused", WITHDRAWN) for attempt in dropped))

    def _command(self, attempt: str, done: Done) -> cmd.Command:
        outcome: Any = unpack_outcome(self._blobs.get(done.outcome))
        if not isinstance(outcome, Label):
            return self._without_label(attempt, outcome, done.picture)
        record = LabelRecord(
            label=done.outcome,
            cost=outcome.cost,
            work_s=done.times.work_s,
            cpu_s=done.times.cpu_s,
            picture=done.picture,
        )
        return cmd.Tell(attempt, record)

    def _without_label(self, attempt: str, outcome: LabelFailure | Deferred, picture: Ref | None) -> cmd.Command:
        """A failure; or what is passed on to those outside, where there are any, with the draft."""
        if isinstance(outcome, LabelFailure) and outcome.kind != "passed_on":
            return cmd.Fail(attempt, outcome.kind, outcome.reason, outcome.cost, picture)
        cost, draft, reason = outcome.cost, None, outcome.reason
        if isinstance(outcome, Deferred):
            draft = outcome.draft
            reason = f"deferred at confidence {outcome.confidence:.3g} {reason}".strip()
        if self._labeler.info.outside is None:
            return cmd.Fail(attempt, "refused", reason, cost, picture)
        return cmd.Fail(attempt, "passed_on", reason, cost, picture, self._handed_on(attempt, draft))

    def _handed_on(self, attempt: str, draft: Label | None) -> Ref:
        """The question as those outside get it."""
        asked = Ref(self._state.queries[self._state.attempts[attempt].query].request)
        if draft is None:
            return asked
        return self._blobs.put(pack_request(replace(unpack_request(self._blobs.get(asked), attempt), draft=draft)))


def _never_begun(progress: Progress) -> bool:
    return isinstance(progress, Unknown) and not progress.started
