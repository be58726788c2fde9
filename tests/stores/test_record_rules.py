"""Random valid lives of campaigns, held against a model that is nothing but lists."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from dataeff_al import events as ev
from dataeff_al.campaign.apply import replay
from dataeff_al.errors import ConflictError
from dataeff_al.stores.blobs import MemoryBlobs
from dataeff_al.stores.checks.money import MoneyCheck
from dataeff_al.stores.checks.protocol import violations
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.memory import MemoryRecord, MemoryStore
from dataeff_al.stores.open import open_store
from dataeff_al.stores.protocol import RequestKey
from dataeff_al.testing.logs import Story

COSTS = st.integers(0, 5)
PURPOSES = st.sampled_from(["initial", "acquire", "validation", "test"])


class Record(RuleBasedStateMachine):
    """``log`` and ``answers`` are the model; everything else is what the story needs to stay valid."""

    def new_place(self):
        raise NotImplementedError

    def reopened(self):
        raise NotImplementedError

    @initialize()
    def begin(self):
        self.new_place()
        self.store = self.reopened()
        self.story = Story(total=60)
        self.log, self.answers, self.epochs = [], {}, [self.store.epoch]
        self.waiting, self.leased, self.over = {}, {}, set()
        self.free = {"queries": 60, "evaluation": 40}
        self.commit(self.story.begin(evaluation_budget=40), None)

    def commit(self, events, request):
        done = self.store.append("c", events, len(self.log), self.store.epoch, request)
        self.log += events
        assert (done.n, done.replayed) == (len(self.log), False)
        if request:
            self.answers[request] = done.n

    @rule(n=st.integers(1, 4), purpose=PURPOSES)
    def propose(self, n, purpose):
        account = ev.account_of(purpose)
        n = min(n, self.free[account] // self.story.max_cost)
        proposed = self.story.propose(n, purpose, number=len(self.log))
        self.free[account] -= n * self.story.max_cost
        self.waiting |= {query.id: account for query in proposed.queries}
        self.commit([proposed], None)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), named=st.booleans())
    def lease(self, data, named):
        chosen = data.draw(st.lists(st.sampled_from(sorted(self.waiting)), min_size=1, max_size=3, unique=True))
        request = RequestKey(f"r{len(self.log)}", "lease") if named else None
        self.commit([self.story.lease(chosen)], request)
        self.leased |= {query: self.waiting.pop(query) for query in chosen}

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), cost=COSTS, named=st.booleans())
    def tell(self, data, cost, named):
        query = data.draw(st.sampled_from(sorted(self.leased)))
        request = RequestKey(f"r{len(self.log)}", "tell") if named else None
        self.commit([self.story.tell(query, cost)], request)
        self.free[self.leased.pop(query)] += self.story.max_cost - min(cost, self.story.max_cost)
        self.over.add(query)

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), cost=COSTS)
    def fail(self, data, cost):
        query = data.draw(st.sampled_from(sorted(self.leased)))
        account, within = self.leased.pop(query), min(cost, self.story.max_cost)
        failed = self.story.fail(query, cost)
        if within > self.free[account]:
            self.free[account] += self.story.max_cost
            self.commit([ev.DeadLettered(query=query, reason="broke"), failed], None)
        else:
            self.commit([failed], None)
            self.waiting[query] = account
        self.free[account] -= within

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), answers_late=st.booleans(), cost=COSTS)
    def expire_and_cancel(self, data, answers_late, cost):
        query = data.draw(st.sampled_from(sorted(self.leased)))
        attempt = self.story.tell(query).attempt
        late = [self.story.tell_extra(query, cost)] if answers_late else []
        expired = ev.AttemptExpired(attempt=attempt, query=query)
        self.commit([expired, ev.QueryCancelled(query=query), *late], None)
        self.free[self.leased.pop(query)] += self.story.max_cost

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), verdict=st.sampled_from(["lost", "wasted"]), cost=COSTS)
    def lose_and_settle(self, data, verdict, cost):
        query = data.draw(st.sampled_from(sorted(self.leased)))
        account, within = self.leased[query], min(cost, self.story.max_cost)
        if verdict == "lost" or within > self.free[account]:
            cost = within = 0
        attempt = {"attempt": self.story.tell(query).attempt, "query": query}
        lost = ev.AttemptUnknown(**attempt, reason="restarted")
        self.commit([lost, ev.Settled(**attempt, verdict=verdict, cost=cost)], None)
        self.free[account] -= within
        self.waiting[query] = self.leased.pop(query)

    @rule(amount=st.integers(1, 9))
    def extend(self, amount):
        self.commit([ev.Extended(amount=amount)], None)
        self.free["queries"] += amount

    @precondition(lambda self: self.answers)
    @rule(data=st.data(), same=st.booleans())
    def ask_again(self, data, same):
        request = data.draw(st.sampled_from(sorted(self.answers, key=lambda key: key.id)))
        events = [ev.Extended(amount=1)]
        if same:
            again = self.store.append("c", events, len(self.log), self.store.epoch, request)
            assert (again.n, again.replayed) == (self.answers[request], True)
            return
        with pytest.raises(ConflictError):
            self.store.append("c", events, len(self.log), self.store.epoch, RequestKey(request.id, "other"))

    @rule(off=st.integers(-3, 3).filter(bool))
    def write_at_a_wrong_end(self, off):
        with pytest.raises(ConflictError):
            self.store.append("c", [ev.Extended(amount=1)], len(self.log) + off, self.store.epoch)

    @rule()
    def reopen(self):
        stale = self.store.epoch
        self.store.close()
        self.store = self.reopened()
        assert self.store.epoch > stale
        with pytest.raises(ConflictError):
            self.store.append("c", [ev.Extended(amount=1)], len(self.log), stale)

    @rule(after=st.integers(0, 30))
    def read(self, after):
        assert [stored.event for stored in self.store.read("c", after)] == self.log[after:]

    def teardown(self):
        if not hasattr(self, "log"):
            return
        placed = list(self.store.read("c"))
        assert [(stored.n, stored.event) for stored in placed] == list(enumerate(self.log, start=1))
        blobs = MemoryBlobs()
        for content in self.story.blobs.values():
            blobs.put(content)
        report = fsck(self.store, blobs)
        assert report.ok, str(report)
        check = MoneyCheck()
        assert violations(check, placed) == []
        state = replay("c", self.log)
        for name, account in state.accounts.items():
            purse = check.purses[name]
            counted = (purse.total, purse.reserved, purse.spent, purse.wasted)
            assert counted == (account.total, account.reserved, account.spent, account.wasted)
            assert account.free == self.free[name]
        assert sum(purse.extra for purse in check.purses.values()) == state.extra
        states = {row["query"]: row["state"] for row in self.store.rows("queries", "c")}
        assert states == {key: query.status.value for key, query in state.queries.items()}
        attempts = {row["attempt"]: row["state"] for row in self.store.rows("attempts", "c")}
        assert attempts == {key: attempt.status.value for key, attempt in state.attempts.items()}
        self.store.close()


class InMemory(Record):
    def new_place(self):
        self.record = MemoryRecord()

    def reopened(self):
        return MemoryStore(self.record)


class InSqlite(Record):
    def new_place(self):
        self.folder = Path(tempfile.mkdtemp(prefix="dataeff-record-"))

    def reopened(self):
        return open_store(self.folder, writer=True)

    def teardown(self):
        try:
            super().teardown()
        finally:
            if hasattr(self, "folder"):
                shutil.rmtree(self.folder)


@pytest.mark.parametrize(("machine", "examples", "steps"), [(InMemory, 60, 40), (InSqlite, 8, 30)])
def test_random_lives_leave_the_record_that_a_list_would(machine, examples, steps):
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    run_state_machine_as_test(machine, settings=chosen)
