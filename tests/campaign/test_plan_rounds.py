import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataeff_al import events as ev
from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign import plan as do
from dataeff_al.campaign.rounds import round_size, rounds_for
from dataeff_al.campaign.rules import MOST_GRANTED
from dataeff_al.campaign.state import QueryStatus


def _refuse_all(campaign, reason="no wall"):
    for attempt in campaign.grant():
        campaign.do(cmd.Fail(attempt, "refused", reason))
    return campaign


def test_a_campaign_begins_with_its_pool_and_then_asks_what_measures_and_what_trains(paper):
    campaign = paper()
    assert set(campaign.steps()) == {("prepare_pool", None)}
    campaign.done(campaign.steps()["prepare_pool", None])
    assert set(campaign.steps()) == {("propose", p) for p in ("validation", "test", "initial")}


def test_first_proposals_stay_the_same_while_other_labels_come_in(paper):
    campaign = paper("evaluation.reference=5", "generator={kind: pca, latent_dim: 2}")
    campaign.done(campaign.steps()["prepare_pool", None])
    before = {name: step.key for name, step in campaign.steps().items()}
    campaign.done(campaign.steps()["propose", "validation"])
    campaign.done(campaign.steps()["propose", "initial"])
    campaign.done(campaign.steps()["fit_generator", None])
    campaign.answer()
    now = {name: step.key for name, step in campaign.steps().items()}
    assert set(now) == {("propose", "test"), ("propose", "reference")}
    assert all(before[name] == key for name, key in now.items())


def test_what_measures_is_asked_as_far_as_its_money_goes_once_some_was_wasted(paper):
    campaign = paper("evaluation.validation=1", "evaluation.test=3", max_cost=1)
    campaign.done(campaign.steps()["prepare_pool", None])
    campaign.done(campaign.steps()["propose", "validation"])
    for attempt in campaign.grant():
        campaign.do(cmd.Fail(attempt, "refused", "no wall", 1))
    before = campaign.steps()["propose", "test"]
    assert before.task["most"] == 3
    assert len(campaign.done(before)[0].queries) == 3
    assert campaign.account("evaluation") == (4, 3, 0, 1)


def test_a_sampler_that_chooses_the_first_samples_waits_for_the_manifold(paper):
    campaign = paper(
        "initial={sampler: typical, n: 4}", "generator={kind: pca, latent_dim: 2}", "evaluation.validation=0",
        "stop.target=null",
    )  # fmt: skip
    campaign.done(campaign.steps()["prepare_pool", None])
    assert ("propose", "initial") not in campaign.steps()
    campaign.done(campaign.steps()["fit_generator", None])
    step = campaign.steps()["propose", "initial"]
    assert step.task["generator"] == "g" * 64
    campaign.done(campaign.steps()["propose", "test"])
    campaign.answer()
    assert campaign.steps()["propose", "initial"].key == step.key


def test_no_label_is_paid_for_before_the_generator_has_learnt(paper):
    campaign = paper("generator={kind: pca, latent_dim: 2}")
    campaign.done(campaign.steps()["prepare_pool", None])
    for purpose in ("validation", "test", "initial"):
        campaign.done(campaign.steps()["propose", purpose])
    assert {step.method for step in campaign.planned(do.Step)} == {"fit_generator"}
    assert campaign.planned(do.Grant) == []
    campaign.done(campaign.steps()["fit_generator", None])
    assert campaign.grant()


def test_rounds_go_on_until_the_budget_is_spent(paper):
    campaign = paper().round().round()
    assert campaign.steps()["propose", "acquire"].task["n"] == 3
    campaign.round()
    (end,) = campaign.planned(do.Conclude)
    assert (end.outcome, end.reason) == ("exhausted", "the budget is spent")
    assert campaign.account() == (10, 0, 10, 0)


def test_without_a_target_a_spent_budget_is_a_completed_campaign(paper):
    campaign = paper("stop.target=null", "evaluation.validation=0").round().round().round()
    assert campaign.planned(do.Conclude)[0].outcome == "completed"


def test_the_last_round_takes_what_is_left(paper):
    campaign = paper("budget.total=9").round().round()
    assert campaign.steps()["propose", "acquire"].task["n"] == 2


def test_the_target_ends_the_campaign(paper):
    campaign = paper().round(0.95)
    (end,) = campaign.plan()
    assert end.outcome == "reached"
    assert "meets the target" in end.reason


def test_a_metric_that_the_split_does_not_define_reaches_no_target(paper):
    campaign = paper().ask().answer()
    (train,) = campaign.planned(do.Step)
    campaign.done(train)
    (evaluate,) = campaign.planned(do.Step)
    campaign.done(evaluate, validation={}, test={})
    assert ("propose", "acquire") in campaign.steps()


def test_a_plateau_ends_the_campaign(paper):
    campaign = paper("stop={metric: accuracy, plateau: 2}", "budget.total=30")
    for value in (0.5, 0.6, 0.55, 0.6):
        campaign.round(value)
    (end,) = campaign.planned(do.Conclude)
    assert end.outcome == "plateau"


def test_an_empty_proposal_ends_the_campaign(paper):
    campaign = paper().round()
    campaign.done(campaign.steps()["propose", "acquire"], queries=[])
    assert campaign.planned(do.Conclude)[0].outcome == "pool_empty"


def test_refused_first_labels_stop_the_campaign_and_say_why(paper):
    campaign = _refuse_all(paper().ask())
    (stall,) = campaign.plan()
    assert isinstance(stall, do.Stall)
    assert stall.reason == "round 0 must end with at least one label, but got none: no wall"


def test_a_round_that_brings_no_label_is_tried_again_with_other_samples_but_not_for_ever(paper):
    campaign = paper("budget.total=30").round()
    model = campaign.state.trained["main", 0].model
    for number in (1, 2, 3):
        step = campaign.steps()["propose", "acquire"]
        assert step.task["model"] == model
        assert len(step.task["asked"]) == 3 * (number - 1)
        campaign.done(step)
        _refuse_all(campaign)
    (end,) = campaign.planned(do.Conclude)
    assert end.outcome == "pool_empty"
    assert "round 3 must end with at least one label" in end.reason


def test_a_round_after_a_fruitless_one_starts_from_the_newest_model(paper):
    campaign = paper("budget.total=30").round()
    campaign.done(campaign.steps()["propose", "acquire"])
    _refuse_all(campaign)
    campaign.done(campaign.steps()["propose", "acquire"])
    campaign.answer()
    task = campaign.steps()["train", None].task
    assert task["previous"] == campaign.state.trained["main", 0].model
    assert task["earlier"] == [campaign.state.trained["main", 0].model]
    assert len(task["labelled"]) == 7


def test_refused_money_is_spent_on_other_samples(paper):
    campaign = paper().round()
    campaign.done(campaign.steps()["propose", "acquire"])
    first, *others = campaign.grant()
    campaign.do(cmd.Fail(first, "refused", "no wall"))
    for attempt in others:
        campaign.tell(attempt)
    campaign.learn().round()
    assert campaign.account()[2] == 9
    assert campaign.steps()["propose", "acquire"].task["n"] == 1


def test_a_model_trains_in_slot_order_however_the_answers_came(paper):
    forth, back = paper().ask(), paper().ask()
    for campaign, turn in ((forth, 1), (back, -1)):
        for attempt in campaign.grant()[::turn]:
            campaign.tell(attempt)
    assert [query.slot for query in forth.state.labelled("initial", "acquire")] == [0, 1, 2, 3]
    assert forth.steps()["train", None].key == back.steps()["train", None].key


def test_the_reference_is_fitted_last_and_from_its_own_labels(paper):
    campaign = paper("evaluation.reference=6").round(0.95)
    step = campaign.steps()["train", None]
    assert step.task["role"] == "reference"
    assert len(step.task["labelled"]) == 6
    assert step.task["previous"] is None
    campaign.done(step)
    campaign.done(campaign.steps()["evaluate", None])
    assert campaign.planned(do.Conclude)[0].outcome == "reached"
    assert campaign.account("evaluation") == (11, 0, 11, 0)


def test_twins_are_spawned_once_the_first_labels_are_there_and_before_anything_is_learnt(paper):
    campaign = paper("compare=[{learner: {kind: mlp, width: 9}}, {sampler: {kind: margin}}]").ask()
    assert campaign.planned(do.SpawnTwin) == []
    campaign.answer()
    assert campaign.plan() == [do.SpawnTwin(0)]
    campaign.do(cmd.AddTwin("one", "tiny.one"))
    assert campaign.plan() == [do.SpawnTwin(1)]
    campaign.do(cmd.AddTwin("two", "tiny.two"))
    assert set(campaign.steps()) == {("train", None)}


def test_owned_labels_cost_nothing_and_are_not_asked_for(paper, tmp_path):
    (tmp_path / "mine.npz").touch()
    campaign = paper("initial={labels: mine.npz}", base_dir=tmp_path)
    campaign.done(campaign.steps()["prepare_pool", None])
    assert ("propose", "initial") not in campaign.steps()
    step = campaign.steps()["import_labels", None]
    rows = [{"query": campaign.row(), "label": "f" * 64} for _ in range(3)]
    campaign.do(cmd.StepDone(step.key, step.method, step.task, {"labels": rows}, 0.1))
    assert campaign.account() == (10, 0, 0, 0)
    assert len(campaign.state.labelled("initial")) == 3
    campaign.round()
    assert campaign.steps()["propose", "acquire"].task["n"] == 3
    campaign.round()
    assert [query.slot for query in campaign.of("acquire")] == [3, 4, 5]


class TestInfrastructure:
    def test_a_step_that_was_lost_is_asked_again_and_the_third_loss_stops(self, paper):
        campaign = paper("generator={kind: pca, latent_dim: 2}")
        for name in (("prepare_pool", None), ("fit_generator", None)):
            for number in (1, 2, 3):
                step = campaign.steps()[name]
                campaign.do(cmd.StepError(step.key, step.method, "infra", f"worker lost, {number}"))
            (stall,) = campaign.planned(do.Stall)
            assert stall.reason == f"{name[0]} failed 3 times, at last: worker lost, 3"
            campaign.do(cmd.Pause("error", stall.reason))
            campaign.do(cmd.Resume())
            campaign.done(campaign.steps()[name])

    def test_unknown_outcomes_stop_the_campaign_once_nothing_else_is_left(self, paper):
        campaign = paper().ask()
        first, second, *others = campaign.grant()
        campaign.do(cmd.Lose(first, "killed"))
        campaign.do(cmd.Lose(second, "killed"))
        assert campaign.planned(do.Stall) == []
        for attempt in others:
            campaign.tell(attempt)
        (stall,) = campaign.plan()
        assert stall.cause == "infra"
        assert stall.reason.startswith("whether 2 attempts at the labeler were paid is unknown (killed)")
        campaign.do(cmd.Settle(first, "lost"))
        assert len(campaign.planned(do.Grant)[0].queries) == 1

    def test_open_attempts_are_awaited_and_then_overdue(self, paper):
        campaign = paper(lease_s=10.0).ask()
        attempts = campaign.grant()
        assert [action.attempt for action in campaign.planned(do.Await)] == attempts
        campaign.now += 10
        assert [action.attempt for action in campaign.planned(do.Overdue)] == attempts
        assert campaign.planned(do.Await) == []


class TestClosing:
    def test_a_quorum_closes_a_round_and_the_rest_is_withdrawn(self, paper):
        campaign = paper("round={close: quorum, quorum: 2}").ask()
        attempts = campaign.grant()
        initial = [a for a in attempts if campaign.state.queries[campaign.state.attempts[a].query].purpose == "initial"]
        for attempt in initial[:2]:
            assert campaign.planned(do.Withdraw) == []
            campaign.tell(attempt)
        (withdraw,) = campaign.planned(do.Withdraw)
        assert {campaign.state.attempts[a].query for a in initial[2:]} == set(withdraw.queries)
        campaign.do(cmd.Withdraw(withdraw.queries))
        assert campaign.planned(do.Withdraw) == []
        assert campaign.planned(do.Step) == []
        for attempt in attempts:
            campaign.tell(attempt)
        assert len(campaign.state.labelled("initial")) == 2
        assert campaign.state.extra == 2
        campaign.learn()

    def test_a_deadline_closes_a_round_that_has_an_answer(self, paper):
        campaign = paper("round={close: deadline, deadline_s: 60}", lease_s=1000.0).ask()
        attempts = campaign.grant()
        for attempt in attempts:
            query = campaign.state.queries[campaign.state.attempts[attempt].query]
            if query.purpose != "initial":
                campaign.tell(attempt)
        campaign.now += 61
        assert campaign.planned(do.Withdraw) == []
        initial = [a for a in attempts if a in campaign.state.open]
        campaign.tell(initial[0])
        assert len(campaign.planned(do.Withdraw)[0].queries) == 3

    def test_a_round_with_fewer_queries_than_its_quorum_waits_for_all(self, paper):
        campaign = paper("round={close: quorum, quorum: 3}", "budget.total=6", "initial.random=3").round().round()
        assert campaign.planned(do.Conclude)


def test_what_waits_is_granted_in_the_order_in_which_it_was_proposed_and_not_all_at_once(paper):
    campaign = paper("pool.size=1797", "evaluation.test=400").ask()
    (grant,) = campaign.planned(do.Grant)
    assert len(grant.queries) == MOST_GRANTED
    assert grant.queries == tuple(query.id for query in campaign.state.live_queries()[:MOST_GRANTED])


def test_a_twin_starts_from_its_parents_labels_and_gives_no_slot_twice(paper):
    parent = paper().ask()
    *rest, last = parent.grant()
    refused = rest[-2]
    for attempt in [*rest, last]:
        if attempt == refused:
            parent.do(cmd.Fail(attempt, "refused", "no wall"))
        else:
            parent.tell(attempt)
    labels = [
        ev.InheritedLabel(
            query=ev.QueryRecord(
                id=query.id, slot=query.slot, payload=query.payload, request=query.request, content=query.content
            ),
            purpose=query.purpose,
            label=ev.LabelRecord(label=query.label, cost=query.cost),
        )
        for purpose in ("validation", "test", "initial")
        for query in parent.state.labelled(purpose)
    ]
    twin = paper()
    slots = {purpose: parent.state.proposed[purpose, 0] for purpose in ("validation", "test", "initial")}
    twin.write(parent.state.pool, ev.Inherited(labels=tuple(labels), slots=slots))
    assert twin.account()[2] == 3
    assert set(twin.steps()) == {("train", None)}
    twin.learn().round()
    slots = [query.slot for query in twin.state.of("initial", "acquire")]
    assert len(slots) == len(set(slots))


@pytest.mark.parametrize("n", [1_000, 20_000])
def test_a_plan_looks_at_what_is_in_flight_and_not_at_everything(paper, n):
    """Counted, not timed: with n queries waiting, a plan after a label reads only the first of them."""
    campaign = paper("pool.size=1797")
    campaign.done(campaign.steps()["prepare_pool", None], evaluation_budget=n)
    step = campaign.steps()["propose", "test"]
    row = campaign.row()
    campaign.done(step, queries=[row] * n)
    campaign.done(campaign.steps()["propose", "validation"], queries=[])
    campaign.done(campaign.steps()["propose", "initial"])
    campaign.do(cmd.GrantAttempts(campaign.planned(do.Grant)[0].queries[:8]))

    class Counting(dict):
        reads = 0

        def __getitem__(self, key):
            Counting.reads += 1
            return super().__getitem__(key)

        def values(self):
            raise AssertionError("a plan must not walk over all queries")

    state = dataclasses.replace(campaign.state, queries=Counting(campaign.state.queries))
    assert do.plan(state, campaign.now)
    assert Counting.reads < 50


def test_a_query_that_waits_again_goes_to_the_end_of_the_line(paper):
    campaign = paper().ask()
    first, *_ = [query.id for query in campaign.state.live_queries()]
    (leased,) = campaign.do(cmd.GrantAttempts((first,)))
    campaign.do(cmd.Fail(leased.attempts[0].attempt, "bad_label", "NaN"))
    assert campaign.state.queries[first].status is QueryStatus.PROPOSED
    assert campaign.planned(do.Grant)[0].queries[-1] == first


def ended(paper, *values, stop):
    campaign = paper(f"stop={{metric: accuracy, {stop}}}", "budget.total=30")
    for value in values:
        campaign.round(value)
    return campaign.planned(do.Conclude)


def test_labels_that_are_predicted_to_bring_too_little_end_the_campaign(paper):
    (end,) = ended(paper, 0.50, 0.60, 0.601, stop="least_gain: 0.02")
    assert end.outcome == "not_worth"
    assert "3 more units were predicted to improve accuracy by" in end.reason


def test_labels_that_are_worth_it_are_bought(paper):
    assert not ended(paper, 0.50, 0.60, 0.70, stop="least_gain: 0.001")


def test_two_rounds_predict_nothing(paper):
    assert not ended(paper, 0.50, 0.50, stop="least_gain: 1.0")


def test_rounds_grow_with_what_is_labelled_as_far_as_the_money_goes(paper):
    campaign = paper("budget={unit: label, total: 20, per_round: 3, growth: 1.0}")
    sizes = []
    while ("propose", "acquire") not in campaign.steps():
        campaign.round()
    while ("propose", "acquire") in campaign.steps():
        sizes.append(campaign.steps()["propose", "acquire"].task["n"])
        campaign.round()
    assert sizes[0] >= 3
    assert all(size == sum(sizes[:number]) + 4 for number, size in enumerate(sizes[:-1]))
    assert sum(sizes) == 16


@given(wanted=st.integers(0, 5000), per_round=st.integers(1, 50), growth=st.floats(0, 3), labelled=st.integers(0, 500))
def test_the_forecast_of_rounds_spends_everything_and_nothing_more(wanted, per_round, growth, labelled):
    rounds, left, have = rounds_for(wanted, per_round, growth, labelled), wanted, labelled
    for _ in range(rounds):
        assert left > 0
        size = min(round_size(per_round, growth, have), left)
        left, have = left - size, have + size
    assert left == 0
