"""Ask and tell: queries of campaigns whose labeler is outside, leased and answered."""

import threading
from collections import defaultdict
from collections.abc import Sequence

from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign.launch import spec_of
from dataeff_al.campaign.state import AttemptStatus, QueryStatus, State
from dataeff_al.digests import Ref
from dataeff_al.errors import ConflictError, DataError, NotFoundError, RequestError, StateError, UnavailableError
from dataeff_al.events import AttemptGrant, LabelRecord, Leased
from dataeff_al.labeling.check import problem
from dataeff_al.labeling.packing import pack_outcome, unpack_outcome
from dataeff_al.labeling.types import Label, LabelerInfo
from dataeff_al.rpc import limits
from dataeff_al.rpc.types import Lease, Receipt, Renewed
from dataeff_al.sentences import shown
from dataeff_al.stores.protocol import RequestKey
from services.controller import requests
from services.controller.controller import Controller
from services.controller.feed import root_of


class Leases:
    """Gives out queries and takes labels, for people and outside programs."""

    def __init__(self, controller: Controller) -> None:
        self._controller, self._families = controller, controller.families
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._infos: dict[str, LabelerInfo] = {}

    def ask(self, campaign: str, count: int, request_id: str) -> Sequence[Lease]:
        """Lease up to ``count`` queries of the first member of the family that has any."""
        members = self._asked(campaign)
        requests.whole("count", count, limits.MAX_LEASES)
        key = requests.request_key(request_id, "ask", {"campaign": campaign, "count": count})
        with self._locks[root_of(campaign)]:
            for member in members:
                if done := self._families.feed.store.committed(member, key):
                    return self._given_before(member, done.n)
            if self._controller.draining:
                raise UnavailableError("a controller that leases queries must not be going down, but got one that is.")
            return next((leases for member in members if (leases := self._grant(member, count, key))), [])

    def renew(self, campaign: str, attempts: Sequence[str], request_id: str) -> Renewed:
        """Move the deadline of leases on; of those that have ended nothing is said."""
        self._asked(campaign)
        asked = requests.attempts(attempts)
        key = requests.request_key(request_id, "renew", {"campaign": campaign, "attempts": list(asked)})
        state = self._families.standing.state(campaign)
        for attempt in asked:
            self._query_of(state, attempt)
        self._families.submit(campaign, cmd.Renew(asked), key)
        state = self._families.standing.state(campaign)
        alive = tuple(attempt for attempt in asked if attempt in state.open)
        return Renewed(min((state.attempts[attempt].deadline for attempt in alive), default=0.0), alive)

    def tell(self, campaign: str, attempt: str, packed: bytes, work_s: float, request_id: str) -> Receipt:
        """Take a label. Raises DataError when it has another form, ConflictError when it was told otherwise before."""
        self._asked(campaign)
        requests.attempt_id(attempt)
        requests.seconds("work_s", work_s)
        label = _label(packed, self._info(campaign))
        ref = self._families.hosts.blobs.put(pack_outcome(label))
        content = {"campaign": campaign, "attempt": attempt, "label": ref, "work_s": work_s}
        key = requests.request_key(request_id, "tell", content)
        self._refuse_another(self._families.standing.state(campaign), attempt, ref, key)
        record = LabelRecord(label=ref, cost=label.cost, work_s=work_s)
        self._families.submit(campaign, cmd.Tell(attempt, record), key)
        self._wake(campaign)
        told = self._families.standing.state(campaign).attempts[attempt]
        return Receipt("extra" if told.status is AttemptStatus.EXTRA else "posted", ref)

    def decline(self, campaign: str, attempt: str, reason: str, others_may_try: bool, request_id: str) -> None:
        """End a lease without a label; a query that others may not try either is given up."""
        self._asked(campaign)
        requests.text("reason", reason, limits.MAX_REASON, least=1)
        content = {"campaign": campaign, "attempt": attempt, "reason": reason, "others": others_may_try}
        key = requests.request_key(request_id, "decline", content)
        self._query_of(self._families.standing.state(campaign), requests.attempt_id(attempt))
        # A query that is given back waits again, like one whose lease has run out.
        failure = cmd.Fail(attempt, "timeout" if others_may_try else "refused", reason)
        self._families.submit(campaign, failure, key)
        self._wake(campaign)

    def _asked(self, campaign: str) -> Sequence[str]:
        """The family of a campaign whose labeler is asked; raises StateError for another one."""
        members = self._families.members(requests.campaign_id(campaign))
        if self._info(campaign).delivery != "pull":
            raise StateError(
                f"queries are leased only where the labeler is external, but got campaign {campaign!r} whose labeler "
                f"is {self._info(campaign).name!r}."
            )
        return members

    def _info(self, campaign: str) -> LabelerInfo:
        root = root_of(campaign)
        if root not in self._infos:
            created = self._families.standing.state(root).created
            assert created is not None
            self._infos[root] = self._families.hosts.parts(spec_of(created)).labeler.info
        return self._infos[root]

    def _grant(self, campaign: str, count: int, key: RequestKey) -> list[Lease]:
        state = self._families.standing.state(campaign)
        waiting = [query.id for query in state.live_queries() if query.status is QueryStatus.PROPOSED]
        if not waiting or state.terminal or state.cancelling:
            return []
        fitting = self._fitting(state, waiting[:count])
        events = self._families.submit(campaign, cmd.GrantAttempts(tuple(fitting)), key)
        return [lease for event in events if isinstance(event, Leased) for lease in self._leases(state, event.attempts)]

    def _fitting(self, state: State, queries: Sequence[str]) -> list[str]:
        """As many of the queries as fit into one answer."""
        room, found = limits.MAX_ARRAYS_BYTES, list[str]()
        for query in queries:
            room -= len(self._families.hosts.blobs.get(Ref(state.queries[query].request)))
            if room < 0 and not found:
                raise RequestError(f"a sample must have at most {limits.MAX_ARRAYS_BYTES} bytes to be sent.")
            if room < 0:
                break
            found.append(query)
        return found

    def _leases(self, state: State, grants: Sequence[AttemptGrant]) -> list[Lease]:
        blobs = self._families.hosts.blobs
        return [
            Lease(each.attempt, state.id, each.query, each.deadline, blobs.get(Ref(state.queries[each.query].request)))
            for each in grants
        ]

    def _given_before(self, campaign: str, n: int) -> list[Lease]:
        """The leases that event ``n`` gave."""
        event = next(iter(self._families.feed.store.read(campaign, n - 1))).event
        grants = event.attempts if isinstance(event, Leased) else ()
        return self._leases(self._families.standing.state(campaign), grants)

    @staticmethod
    def _query_of(state: State, attempt: str) -> str:
        if attempt not in state.attempts:
            raise NotFoundError(f"an attempt must belong to campaign {state.id!r}, but got {shown(attempt)}.")
        return state.attempts[attempt].query

    def _refuse_another(self, state: State, attempt: str, ref: Ref, key: RequestKey) -> None:
        query = state.queries[self._query_of(state, attempt)]
        answered = state.attempts[attempt].status is AttemptStatus.DONE
        if answered and query.label != ref and not self._families.feed.store.committed(state.id, key):
            raise ConflictError(f"an attempt must keep its first answer, but got another one for {attempt!r}.")

    def _wake(self, campaign: str) -> None:
        if self._families.idle_with_work(campaign):
            self._families.wake(campaign)


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
