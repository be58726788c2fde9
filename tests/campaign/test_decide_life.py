import pytest

from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign import plan as do
from dataeff_al.campaign.state import QueryStatus
from dataeff_al.errors import BudgetError, StateError
from dataeff_al.stores.checks.money import MoneyCheck
from dataeff_al.stores.checks.order import LifeCheck
from dataeff_al.stores.checks.protocol import violations


def _kinds(events):
    return [event.kind for event in events]


def _sound(campaign):
    for check in (MoneyCheck(), LifeCheck()):
        assert violations(check, campaign.stored()) == []


def test_a_pause_stops_leases_and_a_resumption_gives_them_back(paper):
    campaign = paper().ask()
    waiting = campaign.of("initial")[0].id
    assert _kinds(campaign.do(cmd.Pause())) == ["paused"]
    assert campaign.do(cmd.Pause()) == []
    with pytest.raises(StateError, match="that is paused"):
        campaign.do(cmd.GrantAttempts((waiting,)))
    assert campaign.plan() == []
    assert _kinds(campaign.do(cmd.Resume())) == ["resumed"]
    assert campaign.do(cmd.Resume()) == []
    assert campaign.planned(do.Grant)


def test_answers_in_flight_are_taken_while_paused(paper):
    campaign = paper().ask()
    first, *_ = campaign.grant()
    campaign.do(cmd.Pause())
    assert _kinds(campaign.tell(first)) == ["told"]
    _sound(campaign)


def test_a_cancelled_campaign_takes_what_is_in_flight_and_then_releases_everything(paper):
    campaign = paper("budget.total=12", max_cost=2).ask()
    first, *_ = campaign.grant()
    campaign.do(cmd.Cancel())
    assert campaign.state.status == "cancelling"
    assert campaign.planned(do.Grant) == []
    assert campaign.planned(do.ConfirmCancel) == []
    campaign.tell(first)
    for attempt in list(campaign.state.open)[1:]:
        campaign.do(cmd.Fail(attempt, "refused", "withdrawn"))
    campaign.do(cmd.Lose(next(iter(campaign.state.open))))
    assert campaign.plan() == [do.ConfirmCancel()]
    campaign.do(cmd.ConfirmCancel())
    assert campaign.state.cancelled
    assert campaign.account()[1] == campaign.account("evaluation")[1] == 0
    assert campaign.do(cmd.Cancel()) == []
    assert campaign.do(cmd.ConfirmCancel()) == []
    _sound(campaign)


def test_a_query_that_comes_back_after_the_cancellation_is_not_leased_again(paper):
    campaign = paper().ask()
    first, *_ = campaign.grant()
    campaign.do(cmd.Cancel())
    campaign.do(cmd.Fail(first, "timeout", "no answer"))
    query = campaign.state.attempts[first].query
    assert campaign.state.queries[query].status is QueryStatus.PROPOSED
    with pytest.raises(StateError, match="that is cancelling"):
        campaign.do(cmd.GrantAttempts((query,)))
    campaign.do(cmd.ConfirmCancel())
    with pytest.raises(StateError, match="that is cancelled"):
        campaign.do(cmd.GrantAttempts((query,)))


@pytest.mark.parametrize("change", [cmd.Pause(), cmd.Cancel()])
def test_only_a_campaign_that_runs_comes_to_its_end(paper, change):
    campaign = paper().round().ask()
    campaign.do(cmd.Withdraw(tuple(campaign.state.live)))
    campaign.do(change)
    with pytest.raises(StateError, match="only a running campaign can end"):
        campaign.do(cmd.Conclude("completed", "the budget is spent"))


def test_what_waits_is_released_as_soon_as_the_campaign_is_cancelled(paper):
    campaign = paper().ask()
    campaign.do(cmd.Cancel())
    assert {query.status for query in campaign.state.queries.values()} == {QueryStatus.CANCELLED}
    assert campaign.account()[1] == 0


def test_an_answer_after_the_end_is_kept_beside_the_budget(paper):
    campaign = paper().ask()
    first, *_ = campaign.grant()
    campaign.do(cmd.Cancel())
    campaign.do(cmd.ConfirmCancel())
    assert _kinds(campaign.tell(first)) == ["extra_told"]
    _sound(campaign)


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_proposal_that_ends_after_the_cancellation_buys_nothing(paper, confirmed):
    campaign = paper()
    campaign.done(campaign.steps()["prepare_pool", None])
    step = campaign.steps()["propose", "initial"]
    campaign.do(cmd.Cancel())
    if confirmed:
        campaign.do(cmd.ConfirmCancel())
    assert campaign.done(step) == []
    assert campaign.account()[1] == 0
    _sound(campaign)


def test_a_model_that_is_ready_after_the_cancellation_is_kept_until_it_is_confirmed(paper):
    campaign = paper().ask().answer()
    (train,) = campaign.planned(do.Step)
    campaign.do(cmd.Cancel())
    assert _kinds(campaign.done(train)) == ["trained"]
    campaign.do(cmd.ConfirmCancel())
    assert campaign.do(cmd.StepError(train.key, "train", "error", "late")) == []


@pytest.mark.parametrize("command", [cmd.Pause(), cmd.Resume(), cmd.Extend(1)])
def test_a_cancelled_campaign_stays_cancelled(paper, command):
    campaign = paper()
    campaign.do(cmd.Cancel())
    with pytest.raises(StateError):
        campaign.do(command)
    campaign.do(cmd.ConfirmCancel())
    with pytest.raises(StateError):
        campaign.do(command)


def test_a_finished_campaign_is_neither_paused_nor_cancelled(paper):
    campaign = paper().round(0.95)
    (end,) = campaign.planned(do.Conclude)
    campaign.do(cmd.Conclude(end.outcome, end.reason))
    assert campaign.plan() == []
    for command in (cmd.Pause(), cmd.Resume(), cmd.Cancel()):
        with pytest.raises(StateError):
            campaign.do(command)
    assert campaign.do(cmd.Conclude("completed", "again")) == []


def test_a_campaign_with_open_queries_cannot_end(paper):
    campaign = paper().ask()
    with pytest.raises(StateError, match="without open queries"):
        campaign.do(cmd.Conclude("completed", "r"))


def test_an_extension_lets_a_campaign_that_spent_its_budget_go_on(paper):
    campaign = paper("budget.total=4", "initial.random=4", "budget.per_round=4", "budget.total=8")
    campaign.round().round()
    (end,) = campaign.planned(do.Conclude)
    assert end.outcome == "exhausted"
    campaign.do(cmd.Conclude(end.outcome, end.reason))
    campaign.do(cmd.Extend(2))
    assert campaign.state.status == "running"
    assert campaign.steps()["propose", "acquire"].task["n"] == 2
    with pytest.raises(BudgetError, match="at least 1"):
        campaign.do(cmd.Extend(0))
    campaign.round()
    assert campaign.account() == (10, 0, 10, 0)
    _sound(campaign)


def test_a_proposal_beyond_the_budget_is_refused(paper):
    campaign = paper()
    campaign.done(campaign.steps()["prepare_pool", None])
    step = campaign.steps()["propose", "initial"]
    with pytest.raises(BudgetError, match="must stay within 10"):
        campaign.done(step, queries=[campaign.row() for _ in range(11)])
    assert campaign.account() == (10, 0, 0, 0)


def test_a_step_that_is_recorded_twice_counts_once(paper):
    campaign = paper()
    for name in (("prepare_pool", None), ("propose", "validation")):
        step = campaign.steps()[name]
        assert len(campaign.done(step)) == 1
        assert campaign.done(step) == []
    campaign.ask().answer()
    for _ in range(2):
        (step,) = campaign.planned(do.Step)
        assert len(campaign.done(step)) == 1
        assert campaign.done(step) == []


def test_a_step_that_broke_pauses_with_its_reason(paper):
    campaign = paper()
    step = campaign.steps()["prepare_pool", None]
    campaign.do(cmd.StepError(step.key, step.method, "error", "the pool must exist, but got none."))
    assert campaign.state.paused.cause == "error"
    assert campaign.state.paused.reason == "the pool must exist, but got none."
    assert _kinds(campaign.do(cmd.StepError(step.key, step.method, "error", "again"))) == ["step_failed"]
    campaign.do(cmd.Resume())
    assert campaign.steps()["prepare_pool", None].key == step.key


def test_an_interrupted_pause_is_not_turned_into_an_error(paper):
    campaign = paper()
    step = campaign.steps()["prepare_pool", None]
    campaign.do(cmd.Pause(reason="asked for"))
    campaign.do(cmd.StepError(step.key, step.method, "error", "broke"))
    assert campaign.state.paused.cause == "user"


def test_a_twin_is_recorded_once(paper):
    campaign = paper()
    assert _kinds(campaign.do(cmd.AddTwin("random", "tiny.random"))) == ["twin_spawned"]
    assert campaign.do(cmd.AddTwin("random", "tiny.random")) == []
