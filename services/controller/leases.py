"""Ask and tell: queries of campaigns whose labeler is outside, leased and answered."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign.assembly import Parts
from dataeff_al.campaign.launch import spec_of
from dataeff_al.campaign.outside import check_outside, lease_s_outside, leased_outside
from dataeff_al.campaign.rules import rules_of
from dataeff_al.campaign.state import AttemptStatus, State
from dataeff_al.digests import Ref
from dataeff_al.errors import ConflictError, DataError, NotFoundError, RequestError, StateError, UnavailableError
from dataeff_al.events import AttemptGrant, LabelRecord, Leased
from dataeff_al.labeling.check import problem
from dataeff_al.labeling.packing import pack_outcome, unpack_outcome
from dataeff_al.labeling.types import Label, LabelerInfo, answered_outside
from dataeff_al.rpc import limits
from dataeff_al.rpc.types import Form, Lease, Receipt, Renewed
from dataeff_al.sentences import shown
from dataeff_al.stores.protocol import RequestKey
from services.controller.controller import Controller
from services.controller.feed import root_of
from services.rpc import requests


class Leases:
    """Gives out queries and takes labels, for people and outside programs."""

    def __init__(self, controller: Controller) -> None:
        self._controller, self._families = controller, controller.families
        self._choosing = threading.Lock()
        self._promised: defaultdict[str, set[str]] = defaultdict(set)
        self._infos: dict[str, LabelerInfo] = {}

    def ask(self, campaign: str, count: int, request_id: str) -> Sequence[Lease]:
        """Lease up to ``count`` queries of the first member of the family that has any."""
        members = self._asked(campaign)
        requests.whole("count", count, limits.MAX_LEASES)
        key = requests.request_key(request_id, "ask", {"campaign": campaign, "count": count})
        # A campaign that grants looks for the request itself, just before it writes.
        if len(members) > 1 or self._controller.draining:
            if (leases := self._given_before(members, key)) is not None:
                return leases
            self._refuse_while_draining()
        for member in members:
            if leases := self._grant(member, count, key):
                return leases
        return self._given_before(members, key) or []

    def describe(self, campaign: str) -> Form:
        """What is shown to those who answer, and what an answer must look like. Raises StateError as :meth:`ask`."""
        self._asked(campaign)
        parts = self._parts(campaign)
        instructions = getattr(parts.labeler, "instructions", "")
        return Form(parts.pool.spec, parts.labeler.info.target, str(instructions), self._outside(campaign).cost)

    def leased(self, campaign: str) -> Sequence[Lease]:
        """Leases without an answer yet, as many as fit into one answer."""
        found, room = list[Lease](), limits.MAX_ARRAYS_BYTES
        for member in self._asked(campaign):
            state = self._families.standing.state(member)
            for attempt in leased_outside(state, self._info(campaign)):
                sample = self._sample(state, attempt.query)
                room -= len(sample)
                if room < 0 and found:
                    return found
                found.append(Lease(attempt.id, member, attempt.query, attempt.deadline, sample))
        return found

    def renew(self, campaign: str, attempts: Sequence[str], request_id: str) -> Renewed:
        """Move the deadline of leases on; of those that have ended nothing is said."""
        self._asked(campaign)
        asked = requests.attempts(attempts)
        key = requests.request_key(request_id, "renew", {"campaign": campaign, "attempts": list(asked)})
        state = self._families.standing.state(campaign)
        for attempt in asked:
            check_outside(state, attempt, self._info(campaign))
        self._families.submit(campaign, cmd.Renew(asked, lease_s_outside(self._info(campaign))), key)
        state = self._families.standing.state(campaign)
        alive = tuple(attempt for attempt in asked if attempt in state.open)
        return Renewed(min((state.attempts[attempt].deadline for attempt in alive), default=0.0), alive)

    def tell(self, campaign: str, attempt: str, packed: bytes, work_s: float, request_id: str) -> Receipt:
        """Take a label. Raises DataError when it has another form, ConflictError when it was told otherwise before."""
        members = self._asked(campaign)
        requests.attempt_id(attempt)
        requests.seconds("work_s", work_s)
        label = _label(packed, self._outside(campaign))
        ref = self._families.hosts.blobs.put(pack_outcome(label))
        content = {"campaign": campaign, "attempt": attempt, "label": ref, "work_s": work_s}
        key = requests.request_key(request_id, "tell", content)
        owner = self._owner(members, attempt)
        check_outside(self._families.standing.state(owner), attempt, self._info(campaign))
        repeated = self._was_told(self._families.standing.state(owner), attempt, ref, key)
        record = LabelRecord(label=ref, cost=label.cost, work_s=work_s)
        self._families.submit(owner, cmd.Tell(attempt, record), key)
        self._wake(owner)
        told = self._families.standing.state(owner).attempts[attempt]
        return Receipt("extra" if told.status is AttemptStatus.EXTRA else "posted", ref, repeated)

    def decline(self, campaign: str, attempt: str, reason: str, others_may_try: bool, request_id: str) -> None:
        """End a lease without a label; a query that others may not try either is given up."""
        self._asked(campaign)
        requests.text("reason", reason, limits.MAX_REASON, least=1)
        content = {"campaign": campaign, "attempt": attempt, "reason": reason, "others": others_may_try}
        key = requests.request_key(request_id, "decline", content)
        check_outside(self._families.standing.state(campaign), requests.attempt_id(attempt), self._info(campaign))
        # A query that is given back waits again, like one whose lease has run out.
        failure = cmd.Fail(attempt, "timeout" if others_may_try else "refused", reason)
        self._families.submit(campaign, failure, key)
        self._wake(campaign)

    def _asked(self, campaign: str) -> Sequence[str]:
        """The family of a campaign whose labeler is asked; raises StateError for another one."""
        members = self._families.members(requests.campaign_id(campaign))
        self._outside(campaign)
        return members

    def _outside(self, campaign: str) -> LabelerInfo:
        """The declaration of those who answer from outside; raises StateError where nobody does."""
        info = answered_outside(self._info(campaign))
        if info is None:
            raise StateError(
                f"queries are leased only where the labeler is external, but got campaign {campaign!r} whose labeler "
                f"is {self._info(campaign).name!r}."
            )
        return info

    def _info(self, campaign: str) -> LabelerInfo:
        root = root_of(campaign)
        if root not in self._infos:
            self._infos[root] = self._parts(root).labeler.info
        return self._infos[root]

    def _parts(self, campaign: str) -> Parts:
        created = self._families.standing.state(root_of(campaign)).created
        assert created is not None
        return self._families.hosts.parts(spec_of(created))

    def _owner(self, members: Sequence[str], attempt: str) -> str:
        """The member of a family that an attempt belongs to. Raises NotFoundError."""
        standing = self._families.standing
        found = (member for member in members if attempt in standing.state(member).attempts)
        owner = next(found, None)
        if owner is None:
            raise NotFoundError(f"an attempt must belong to campaign {members[0]!r}, but got {shown(attempt)}.")
        return owner

    def _grant(self, campaign: str, count: int, key: RequestKey) -> list[Lease]:
        with self._promise(campaign, count) as (state, queries):
            if not queries:
                return []
            samples = self._fitting(state, queries)
            grant_all = cmd.GrantAttempts(tuple(samples), lease_s_outside(self._info(campaign)))
            events = self._families.submit(campaign, grant_all, key)
        if not events:
            return self._given_before([campaign], key) or []
        grants = [grant for event in events if isinstance(event, Leased) for grant in event.attempts]
        return [_lease(campaign, grant, samples[grant.query]) for grant in grants]

    def _refuse_while_draining(self) -> None:
        if self._controller.draining:
            raise UnavailableError("a controller that leases queries must not be going down, but got one that is.")

    @contextmanager
    def _promise(self, campaign: str, count: int) -> Iterator[tuple[State, Sequence[str]]]:
        """Queries that nobody else gets while they are being leased; asks then need not wait for each other."""
        promised = self._promised[campaign]
        with self._choosing:
            state = self._families.standing.state(campaign)
            over = state.terminal or state.cancelling
            line = state.waiting if self._info(campaign).delivery == "pull" else state.handed
            first = () if over else line.first(count + len(promised))
            queries = [query for query in first if query not in promised][:count]
            promised.update(queries)
        try:
            yield state, queries
        finally:
            with self._choosing:
                promised.difference_update(queries)

    def _fitting(self, state: State, queries: Sequence[str]) -> dict[str, bytes]:
        """As many of the queries as fit into one answer, with their samples."""
        room, found = limits.MAX_ARRAYS_BYTES, dict[str, bytes]()
        for query in queries:
            sample = self._sample(state, query)
            room -= len(sample)
            if room < 0 and not found:
                raise RequestError(f"a sample must have at most {limits.MAX_ARRAYS_BYTES} bytes to be sent.")
            if room < 0:
                break
            found[query] = sample
        return found

    def _sample(self, state: State, query: str) -> bytes:
        return self._families.hosts.blobs.get(Ref(state.queries[query].request))

    def _given_before(self, campaigns: Sequence[str], key: RequestKey) -> list[Lease] | None:
        """The leases that the same request was given by one of the campaigns; None when it is new."""
        store = self._families.feed.store
        for campaign in campaigns:
            done = store.committed(campaign, key)
            if done is not None:
                event = next(iter(store.read(campaign, done.n - 1))).event
                state = self._families.standing.state(campaign)
                grants = event.attempts if isinstance(event, Leased) else ()
                return [_lease(campaign, grant, self._sample(state, grant.query)) for grant in grants]
        return None

    def _was_told(self, state: State, attempt: str, ref: Ref, key: RequestKey) -> bool:
        """Whether another request has told the label before. Raises ConflictError when it told another label."""
        status = state.attempts[attempt].status
        if status not in (AttemptStatus.DONE, AttemptStatus.EXTRA):
            return False
        if self._families.feed.store.committed(state.id, key):
            return False
        if status is AttemptStatus.DONE and state.queries[state.attempts[attempt].query].label != ref:
            raise ConflictError(f"an attempt must keep its first answer, but got another one for {attempt!r}.")
        return True

    def _wake(self, campaign: str) -> None:
        """Drive the campaign on when an answer gives it something to do."""
        state = self._families.standing.state(campaign)
        assert state.created is not None
        waits = rules_of(state).close == "all" and len(state.live) > state.unknown
        if not waits and self._families.idle_with_work(campaign):
            self._families.wake(campaign)


def _lease(campaign: str, grant: AttemptGrant, sample: bytes) -> Lease:
    return Lease(grant.attempt, campaign, grant.query, grant.deadline, sample)


def _label(packed: bytes, info: LabelerInfo) -> Label:
    if len(packed) > limits.MAX_ARRAYS_BYTES:
        raise RequestError(f"a label must have at most {limits.MAX_ARRAYS_BYTES} bytes, but got {len(packed)}.")
    try:
        label = unpack_outcome(packed)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"a label must be in its packing, but got {error!r}.") from error
    if not isinstance(label, Label):
        raise DataError(f"a told outcome must be a label, but got a {type(label).__name__}.")
    broken = problem(label, info.target)
    if broken:
        raise DataError(broken)
    if label.cost > info.max_cost:
        raise DataError(f"a label's cost must be at most {info.max_cost}, but got {label.cost!r}.")
    return label
