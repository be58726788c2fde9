"""Random sequences of commands against a model of the money that knows nothing of events."""

from collections import Counter
from functools import reduce

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign import plan as do
from dataeff_al.campaign.apply import apply, replay
from dataeff_al.campaign.soundness import faults
from dataeff_al.campaign.state import LIVE, OPEN, AttemptStatus, QueryStatus, State
from dataeff_al.campaign.state_json import blocks_of, changed_blocks, head_of, state_from
from dataeff_al.errors import BudgetError, StateError
from dataeff_al.events import account_of
from dataeff_al.stores.checks.content import HoldoutCheck
from dataeff_al.stores.checks.money import MoneyCheck
from dataeff_al.stores.checks.order import LeaseCheck, LifeCheck, NumberCheck
from dataeff_al.stores.checks.protocol import violations
from dataeff_al.stores.protocol import StoredEvent
from dataeff_al.stores.tables import Tables

MOST = 3
COSTS = st.integers(0, 5)


class Model:
    """What money should do: a query holds MOST until it has an answer or is given up."""

    def __init__(self, total, evaluation):
        self.total = {"queries": total, "evaluation": evaluation}
        self.spent, self.wasted, self.extra = Counter(), Counter(), 0
        self.held, self.booked = {}, Counter()

    def reserved(self, account):
        return MOST * sum(holder == account for holder in self.held.values())

    def free(self, account):
        return self.total[account] - self.reserved(account) - self.spent[account] - self.wasted[account]

    def hold(self, query, account):
        self.held[query] = account

    def release(self, query):
        self.held.pop(query, None)

    def unpaid(self, attempt, cost):
        return max(cost - self.booked[attempt], 0)

    def pay(self, query, cost):
        account = self.held.pop(query, None)
        within = min(cost, MOST) if account else 0
        if account:
            self.spent[account] += within
        self.extra += cost - within

    def waste(self, query, cost, *, gives_up):
        """Whether the query is given up."""
        account = self.held.get(query)
        if account is None:
            self.extra += cost
            return False
        within = min(cost, MOST)
        broke = within > self.free(account)
        if broke or gives_up:
            del self.held[query]
        self.wasted[account] += within
        self.extra += cost - within
        return broke or gives_up


class Campaign(RuleBasedStateMachine):
    """A campaign whose labeler does anything, in any order."""

    paper: type

    @initialize(total=st.integers(9, 30), close=st.sampled_from(["{close: all}", "{close: quorum, quorum: 1}"]))
    def create(self, total, close):
        self.campaign = self.paper(
            f"budget.total={total}", "initial.random=2", "budget.per_round=1", "evaluation.validation=1",
            "evaluation.test=1", f"round={close}", max_cost=MOST, lease_s=10.0,
        )  # fmt: skip
        self.model = Model(total, 0)
        self.seen, self.checks, self.tables = 0, self._checks(), Tables()
        self.answered = set()
        self.kept = self.earlier = State("tiny")
        self.blocks = {}

    def _checks(self):
        return [NumberCheck(), MoneyCheck(), LeaseCheck(), LifeCheck(), HoldoutCheck()]

    @property
    def state(self):
        return self.campaign.state

    def _query_of(self, attempt):
        return self.state.attempts[attempt].query

    def _attempts(self, *statuses):
        return sorted(a.id for a in self.state.attempts.values() if a.status in statuses)

    @rule(data=st.data())
    def work(self, data):
        """The next step of the plan ends, well or badly."""
        steps = self.campaign.planned(do.Step)
        if not steps:
            return
        step = data.draw(st.sampled_from(steps), "step")
        fate = data.draw(st.sampled_from(["done", "done", "done", "infra", "error"]), "fate")
        if fate != "done":
            self.campaign.do(cmd.StepError(step.key, step.method, fate, "broke"))
            return
        before = set(self.state.queries)
        self.campaign.done(step)
        if step.method == "prepare_pool":
            self.model.total["evaluation"] = self.state.pool.evaluation_budget
        for query in set(self.state.queries) - before:
            self.model.hold(query, account_of(self.state.queries[query].purpose))

    @rule(data=st.data())
    def follow_plan(self, data):
        """Whatever else the plan says: leases, withdrawals, the end."""
        for action in self.campaign.plan():
            if isinstance(action, do.Grant):
                some = data.draw(st.integers(1, len(action.queries)), "leases")
                self.campaign.do(cmd.GrantAttempts(action.queries[:some]))
            elif isinstance(action, do.Withdraw):
                self._withdraw(action.queries)
            elif isinstance(action, do.Conclude):
                self.campaign.do(cmd.Conclude(action.outcome, action.reason))
            elif isinstance(action, do.Stall):
                self.campaign.do(cmd.Pause(action.cause, action.reason))
            elif isinstance(action, do.ConfirmCancel):
                self.campaign.do(cmd.ConfirmCancel())
                self.model.held.clear()
            else:
                continue
            return

    def _withdraw(self, queries):
        self.campaign.do(cmd.Withdraw(tuple(queries)))
        for query in queries:
            self.model.release(query)

    @precondition(lambda self: self.state.attempts)
    @rule(data=st.data(), cost=COSTS)
    def tell(self, data, cost):
        """Any attempt may be answered at any time, again and again."""
        attempt = data.draw(st.sampled_from(self._attempts(*AttemptStatus)), "attempt")
        self.campaign.tell(attempt, cost)
        if attempt not in self.answered:
            self.answered.add(attempt)
            self.model.pay(self._query_of(attempt), self.model.unpaid(attempt, cost))

    @precondition(lambda self: self.state.attempts)
    @rule(data=st.data(), cost=COSTS, kind=st.sampled_from(["infra", "timeout", "bad_label", "refused"]))
    def fail(self, data, cost, kind):
        attempt = data.draw(st.sampled_from(self._attempts(*AttemptStatus)), "attempt")
        before, query = self.state.attempts[attempt], self._query_of(attempt)
        self.campaign.do(cmd.Fail(attempt, kind, "broke", cost))
        if attempt in self.answered:
            return
        if before.status in OPEN or before.status is AttemptStatus.UNKNOWN:
            if query not in self.model.held and cost:
                self.answered.add(attempt)
            self.model.waste(query, cost, gives_up=kind == "refused" or before.number == 3)
            self.model.booked[attempt] += cost
        elif unpaid := self.model.unpaid(attempt, cost):
            self.answered.add(attempt)
            self.model.extra += unpaid

    @precondition(lambda self: self._attempts(*OPEN))
    @rule(data=st.data())
    def lose(self, data):
        self.campaign.do(cmd.Lose(data.draw(st.sampled_from(self._attempts(*OPEN)), "attempt")))

    @precondition(lambda self: self._attempts(AttemptStatus.UNKNOWN))
    @rule(data=st.data(), verdict=st.sampled_from(["lost", "wasted"]))
    def settle(self, data, verdict):
        attempt = data.draw(st.sampled_from(self._attempts(AttemptStatus.UNKNOWN)), "attempt")
        query, held = self._query_of(attempt), self._query_of(attempt) in self.model.held
        self.campaign.do(cmd.Settle(attempt, verdict))
        cost = MOST if verdict == "wasted" else 0
        self.model.waste(query, cost, gives_up=self.state.attempts[attempt].number == 3)
        self.model.booked[attempt] += cost
        if cost and not held:
            self.answered.add(attempt)

    @rule(seconds=st.sampled_from([1, 11]))
    def wait(self, seconds):
        self.campaign.now += seconds
        for action in self.campaign.planned(do.Overdue):
            attempt = self.state.attempts[action.attempt]
            self.campaign.do(cmd.Expire((attempt.id,)))
            if attempt.number == 3:
                self.model.release(attempt.query)

    @precondition(lambda self: self.state.open)
    @rule(data=st.data())
    def renew(self, data):
        self.campaign.do(cmd.Renew((data.draw(st.sampled_from(sorted(self.state.open))),)))

    @precondition(lambda self: self.state.live)
    @rule(data=st.data())
    def withdraw(self, data):
        self._withdraw([data.draw(st.sampled_from(sorted(self.state.live)))])

    @rule(command=st.sampled_from([cmd.Pause(), cmd.Resume(), cmd.Resume(), cmd.Extend(4), cmd.Extend(0)]))
    def command(self, command):
        try:
            self.campaign.do(command)
        except (StateError, BudgetError):
            return
        if isinstance(command, cmd.Extend):
            self.model.total["queries"] += command.amount

    @precondition(lambda self: len(self.campaign.log) > 25)
    @rule()
    def cancel(self):
        if self.state.finished:
            return
        already = self.state.cancelling or self.state.cancelled
        leased = {query.id for query in self.state.live_queries() if query.status is QueryStatus.LEASED}
        self.campaign.do(cmd.Cancel())
        for query in [] if already else set(self.model.held) - leased:
            self.model.release(query)

    @invariant()
    def the_money_is_the_models(self):
        if not hasattr(self, "campaign"):
            return
        for name, account in self.state.accounts.items():
            counted = (account.total, account.reserved, account.spent, account.wasted)
            model = self.model
            assert counted == (model.total[name], model.reserved(name), model.spent[name], model.wasted[name])
            assert account.free >= 0
        assert self.state.extra == self.model.extra

    @invariant()
    def every_event_keeps_the_records_rules(self):
        if not hasattr(self, "campaign"):
            return
        new = self.campaign.log[self.seen :]
        placed = [StoredEvent("tiny", n, 1, 0.5, event) for n, event in enumerate(new, start=self.seen + 1)]
        self.seen += len(new)
        for check in self.checks:
            assert violations(check, placed) == []
        self.tables.add(placed)

    @invariant()
    def indexes_are_what_a_count_gives(self):
        if not hasattr(self, "campaign"):
            return
        queries = self.state.queries.values()
        assert set(self.state.live) == {q.id for q in queries if q.status in LIVE} == set(self.model.held)
        assert set(self.state.open) == {a.id for a in self.state.attempts.values() if a.status in OPEN}
        waiting = {q.id for q in queries if q.status is QueryStatus.PROPOSED}
        assert set(self.state.waiting.first(1000)) == waiting
        assert len(self.state.waiting) == len(waiting)
        assert self.state.unknown == sum(q.status is QueryStatus.OUTCOME_UNKNOWN for q in queries)
        for counts, members in (
            (self.state.unanswered, [q for q in queries if q.status in LIVE]),
            (self.state.answered, [q for q in queries if q.status is QueryStatus.LABELLED]),
        ):
            wanted = Counter((q.purpose, q.round) for q in members)
            assert {key: n for key, n in counts.items() if n} == dict(wanted)

    @invariant()
    def a_snapshot_says_as_much_as_the_log(self):
        if not hasattr(self, "campaign") or self.kept.n == self.state.n:
            return
        assert faults(self.state) == []
        self.blocks |= blocks_of(self.state, changed_blocks(self.kept, self.state))
        self.kept = state_from("tiny", head_of(self.state), self.blocks.values())
        assert self.kept == self.state
        if self.state.n % 5 == 0:
            self.earlier = self.kept

    def teardown(self):
        if not hasattr(self, "campaign"):
            return
        assert replay("tiny", self.campaign.log) == self.state
        assert reduce(apply, self.campaign.log[self.earlier.n :], self.earlier) == self.state
        rows = {row["query"]: row["state"] for row in self.tables.rows("queries", "tiny")}
        assert rows == {key: query.status.value for key, query in self.state.queries.items()}
        rows = {row["attempt"]: row["state"] for row in self.tables.rows("attempts", "tiny")}
        assert rows == {key: attempt.status.value for key, attempt in self.state.attempts.items()}
        (campaign,) = self.tables.rows("campaigns", "tiny")
        assert campaign["state"] == self.state.status


def test_random_commands_never_break_the_budget(paper):
    class Machine(Campaign):
        pass

    Machine.paper = paper
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=150,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("cost", [0, 2, 9])
def test_the_model_itself_counts_every_unit_once(cost):
    model = Model(10, 0)
    model.hold("q", "queries")
    assert model.free("queries") == 7
    model.pay("q", cost)
    assert model.spent["queries"] + model.extra == cost
    assert model.free("queries") + model.spent["queries"] == 10
