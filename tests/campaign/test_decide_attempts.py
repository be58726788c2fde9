import pytest

from dataeff_al import events as ev
from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign.state import AttemptStatus, QueryStatus
from dataeff_al.errors import BudgetError, NotFoundError, StateError
from dataeff_al.stores.checks.money import MoneyCheck
from dataeff_al.stores.checks.order import LeaseCheck, LifeCheck
from dataeff_al.stores.checks.protocol import violations


def _kinds(events):
    return [event.kind for event in events]


def _sound(campaign):
    for check in (MoneyCheck(), LeaseCheck(), LifeCheck()):
        assert violations(check, campaign.stored()) == []
    return campaign


def _initial(campaign, attempts):
    """The attempts at initial queries alone, in slot order."""
    return [key for key in attempts if campaign.state.queries[campaign.state.attempts[key].query].purpose == "initial"]


@pytest.fixture
def leased(paper):
    campaign = paper("budget.total=12", "budget.per_round=1", "initial.random=3", max_cost=3).ask()
    return campaign, _initial(campaign, campaign.grant())


def test_a_label_moves_its_reservation_to_what_is_spent(leased):
    campaign, (first, *_) = leased
    assert campaign.account() == (12, 9, 0, 0)
    campaign.tell(first, cost=2)
    assert campaign.account() == (12, 6, 2, 0)
    _sound(campaign)


def test_a_label_that_costs_more_than_was_reserved_is_extra_above_it(leased):
    campaign, (first, *_) = leased
    campaign.tell(first, cost=10)
    assert campaign.account() == (12, 6, 3, 0)
    assert campaign.state.extra == 7
    _sound(campaign)


def test_the_same_answer_again_changes_nothing(leased):
    campaign, (first, *_) = leased
    campaign.tell(first)
    assert campaign.tell(first) == []


@pytest.mark.parametrize("cost", [-1, 10**16])
def test_a_cost_that_is_none_is_refused(leased, cost):
    campaign, (first, *_) = leased
    with pytest.raises(BudgetError, match="a cost must be 0 to"):
        campaign.tell(first, cost=cost)
    with pytest.raises(BudgetError, match="a cost must be 0 to"):
        campaign.do(cmd.Fail(first, "refused", "r", cost))


def test_an_answer_to_an_unknown_attempt_is_refused(leased):
    campaign, _ = leased
    with pytest.raises(NotFoundError, match="must belong to campaign 'tiny'"):
        campaign.tell("nobody")


def test_a_late_label_takes_the_reservation_and_the_next_one_is_extra(leased):
    campaign, (first, *_) = leased
    campaign.now += 60
    campaign.do(cmd.Expire((first,)))
    second = next(key for key in campaign.grant() if campaign.state.attempts[key].number == 2)
    assert _kinds(campaign.tell(first)) == ["told"]
    assert _kinds(campaign.tell(second, cost=2)) == ["extra_told"]
    assert campaign.account() == (12, 6, 1, 0)
    assert campaign.state.extra == 2
    _sound(campaign)


def test_a_late_failure_of_a_query_that_was_answered_is_booked_beside_the_budget(leased):
    campaign, (first, *_) = leased
    campaign.now += 60
    campaign.do(cmd.Expire((first,)))
    second = next(key for key in campaign.grant() if campaign.state.attempts[key].number == 2)
    campaign.tell(first, cost=3)
    assert _kinds(campaign.do(cmd.Fail(second, "bad_label", "NaN", 3))) == ["extra_failed"]
    assert campaign.state.queries[campaign.state.attempts[second].query].status is QueryStatus.LABELLED
    assert campaign.account() == (12, 6, 3, 0)
    assert campaign.state.extra == 3
    assert campaign.do(cmd.Fail(second, "bad_label", "NaN", 3)) == []
    _sound(campaign)


def test_a_late_failure_of_an_expired_attempt_leaves_the_newer_lease_alone(leased):
    campaign, (first, *_) = leased
    campaign.now += 60
    campaign.do(cmd.Expire((first,)))
    second = next(key for key in campaign.grant() if campaign.state.attempts[key].number == 2)
    query = campaign.state.attempts[second].query
    assert campaign.do(cmd.Fail(first, "infra", "too late", 0)) == []
    campaign.do(cmd.Fail(first, "infra", "too late", 2))
    assert campaign.state.queries[query].status is QueryStatus.LEASED
    assert campaign.state.extra == 2
    _sound(campaign)


def test_a_late_label_of_an_attempt_that_was_booked_as_failed_is_charged_only_once(leased):
    campaign, (first, second, _) = leased
    campaign.do(cmd.Fail(first, "timeout", "no answer", 3))
    (told,) = campaign.tell(first, cost=3)
    assert told.label.cost == 0
    assert campaign.account() == (12, 6, 0, 3)
    campaign.do(cmd.Fail(second, "timeout", "no answer", 4))
    assert campaign.do(cmd.Fail(second, "bad_label", "NaN", 4)) == []
    (told,) = campaign.tell(second, cost=9)
    assert told.label.cost == 5
    assert campaign.account() == (12, 3, 3, 6)
    assert campaign.state.extra == 1 + 2
    _sound(campaign)


def test_failures_are_retried_and_given_up_after_the_third(leased):
    campaign, (first, *_) = leased
    query = campaign.state.attempts[first].query
    for number in (1, 2, 3):
        attempt = next(a for a in campaign.state.attempts.values() if a.query == query and a.number == number)
        events = campaign.do(cmd.Fail(attempt.id, "bad_label", "NaN"))
        if number < 3:
            assert _kinds(events) == ["attempt_failed"]
            campaign.do(cmd.GrantAttempts((query,)))
    assert _kinds(events) == ["attempt_failed", "dead_lettered"]
    assert campaign.state.queries[query].status is QueryStatus.DEAD_LETTER
    assert campaign.account() == (12, 6, 0, 0)
    _sound(campaign)


def test_a_refusal_is_not_repeated(leased):
    campaign, (first, *_) = leased
    assert _kinds(campaign.do(cmd.Fail(first, "refused", "no wall", 1))) == ["attempt_failed", "dead_lettered"]
    assert campaign.account() == (12, 6, 0, 1)
    _sound(campaign)


def test_what_is_passed_on_waits_for_those_outside_with_another_question(leased):
    campaign, (first, *_) = leased
    query = campaign.state.attempts[first].query
    assert _kinds(campaign.do(cmd.Fail(first, "passed_on", "unsure", 1, request="draft"))) == ["attempt_failed"]
    found = campaign.state.queries[query]
    assert (found.status, found.request, found.passed_on) == (QueryStatus.PROPOSED, "draft", True)
    assert query in campaign.state.handed
    assert query not in campaign.state.waiting
    assert campaign.account() == (12, 9, 0, 1)
    _sound(campaign)
    (granted,) = campaign.do(cmd.GrantAttempts((query,), lease_s=1e6))
    assert granted.attempts[0].deadline > 9e5
    assert query not in campaign.state.handed
    campaign.tell(granted.attempts[0].attempt)
    assert campaign.state.queries[query].status is QueryStatus.LABELLED
    _sound(campaign)


def test_those_outside_have_as_many_tries_as_anybody(leased):
    campaign, (first, *_) = leased
    query = campaign.state.attempts[first].query
    campaign.do(cmd.Fail(first, "passed_on", "unsure", request="draft"))
    for number in (2, 3, 4):
        (granted,) = campaign.do(cmd.GrantAttempts((query,)))
        events = campaign.do(cmd.Fail(granted.attempts[0].attempt, "timeout", "given back"))
        assert _kinds(events) == (["attempt_failed"] if number < 4 else ["attempt_failed", "dead_lettered"])
    assert query not in campaign.state.handed
    _sound(campaign)


def test_a_failure_whose_cost_leaves_no_room_for_another_try_ends_its_query(paper):
    campaign = paper("budget.total=6", "budget.per_round=1", "initial.random=1", max_cost=3)
    campaign.ask()
    (first,) = _initial(campaign, campaign.grant())
    query = campaign.state.attempts[first].query
    assert _kinds(campaign.do(cmd.Fail(first, "bad_label", "NaN", 3))) == ["attempt_failed"]
    campaign.do(cmd.GrantAttempts((query,)))
    second = next(a.id for a in campaign.state.attempts.values() if a.query == query and a.number == 2)
    assert _kinds(campaign.do(cmd.Fail(second, "bad_label", "NaN", 3))) == ["dead_lettered", "attempt_failed"]
    assert campaign.account() == (6, 0, 0, 6)
    _sound(campaign)


def test_five_infrastructure_failures_in_a_row_pause_and_say_why(paper):
    campaign = paper("initial.random=6", "budget.total=12").ask()
    attempts = campaign.grant()
    for attempt in attempts[:4]:
        campaign.do(cmd.Fail(attempt, "infra", "no route"))
    campaign.tell(attempts[4])
    for attempt in attempts[5:10]:
        events = campaign.do(cmd.Fail(attempt, "infra", "no route"))
    assert _kinds(events) == ["attempt_failed", "paused"]
    assert campaign.state.paused.cause == "infra"
    assert "no route" in campaign.state.paused.reason
    assert _kinds(campaign.do(cmd.Fail(attempts[10], "infra", "no route"))) == ["attempt_failed"]
    _sound(campaign)


def test_an_attempt_expires_only_after_its_deadline_and_only_once(leased):
    campaign, (first, *_) = leased
    assert campaign.do(cmd.Expire((first,))) == []
    campaign.now += 10
    assert _kinds(campaign.do(cmd.Expire((first, first)))) == ["attempt_expired"]
    assert campaign.do(cmd.Expire((first,))) == []


def test_a_third_expiry_gives_up(leased):
    campaign, (first, *_) = leased
    query = campaign.state.attempts[first].query
    for number in (1, 2, 3):
        attempt = next(a.id for a in campaign.state.attempts.values() if a.query == query and a.number == number)
        campaign.now += 60
        events = campaign.do(cmd.Expire((attempt,)))
        if number < 3:
            campaign.do(cmd.GrantAttempts((query,)))
    assert _kinds(events) == ["attempt_expired", "dead_lettered"]
    _sound(campaign)


def test_a_third_expiry_of_a_query_that_was_answered_late_gives_nothing_up(leased):
    campaign, (first, *_) = leased
    query = campaign.state.attempts[first].query
    for number in (1, 2):
        campaign.now += 60
        campaign.do(cmd.Expire(tuple(a.id for a in campaign.state.attempts.values() if a.number == number)))
        campaign.do(cmd.GrantAttempts((query,)))
    campaign.tell(first)
    campaign.now += 60
    third = next(a.id for a in campaign.state.attempts.values() if a.query == query and a.number == 3)
    assert _kinds(campaign.do(cmd.Expire((third,)))) == ["attempt_expired"]
    assert campaign.state.queries[query].status is QueryStatus.LABELLED
    _sound(campaign)


def test_a_sign_of_life_moves_the_deadline(leased):
    campaign, (first, *_) = leased
    campaign.now += 9
    campaign.do(cmd.Renew((first, "nobody")))
    assert campaign.state.attempts[first].deadline == campaign.now + 10
    assert campaign.state.attempts[first].status is AttemptStatus.RUNNING


def test_a_query_is_leased_to_one_at_a_time(leased):
    campaign, (first, *_) = leased
    query = campaign.state.attempts[first].query
    with pytest.raises(StateError, match="must be waiting to be leased"):
        campaign.do(cmd.GrantAttempts((query,)))
    with pytest.raises(NotFoundError, match="must belong to campaign"):
        campaign.do(cmd.GrantAttempts(("nobody",)))


def test_a_query_named_twice_is_leased_once(paper):
    campaign = paper().ask()
    query = campaign.of("initial")[0].id
    (leased,) = campaign.do(cmd.GrantAttempts((query, query)))
    assert len(leased.attempts) == 1


class TestUnknownOutcomes:
    def test_a_lost_attempt_holds_its_reservation_until_it_is_settled(self, leased):
        campaign, (first, *_) = leased
        campaign.do(cmd.Lose(first, "killed"))
        query = campaign.state.queries[campaign.state.attempts[first].query]
        assert query.status is QueryStatus.OUTCOME_UNKNOWN
        assert campaign.state.unknown == 1
        assert campaign.account() == (12, 9, 0, 0)
        assert campaign.do(cmd.Lose(first)) == []
        _sound(campaign)

    def test_settled_as_lost_it_is_asked_again_at_no_cost(self, leased):
        campaign, (first, *_) = leased
        campaign.do(cmd.Lose(first))
        campaign.do(cmd.Settle(first, "lost"))
        assert campaign.account() == (12, 9, 0, 0)
        assert campaign.state.unknown == 0
        assert any(campaign.state.attempts[key].number == 2 for key in campaign.grant())
        _sound(campaign)

    def test_settled_as_wasted_it_costs_what_was_reserved(self, leased):
        campaign, (first, *_) = leased
        campaign.do(cmd.Lose(first))
        campaign.do(cmd.Settle(first, "wasted"))
        assert campaign.account() == (12, 9, 0, 3)
        _sound(campaign)

    def test_settled_as_wasted_without_room_for_another_try_it_ends_the_query(self, paper):
        campaign = paper("budget.total=4", "budget.per_round=1", "initial.random=1", max_cost=3).ask()
        (first,) = _initial(campaign, campaign.grant())
        campaign.do(cmd.Lose(first))
        assert _kinds(campaign.do(cmd.Settle(first, "wasted"))) == ["dead_lettered", "settled"]
        assert campaign.account() == (4, 0, 0, 3)
        _sound(campaign)

    def test_a_label_that_turns_up_after_all_resolves_it(self, leased):
        campaign, (first, *_) = leased
        campaign.do(cmd.Lose(first))
        assert _kinds(campaign.tell(first)) == ["told"]
        assert campaign.state.unknown == 0
        with pytest.raises(StateError, match="only an attempt of unknown outcome"):
            campaign.do(cmd.Settle(first, "lost"))
        _sound(campaign)

    def test_the_loss_of_an_attempt_at_a_withdrawn_query_brings_no_query_back(self, leased):
        campaign, (first, *_) = leased
        query = campaign.state.attempts[first].query
        campaign.do(cmd.Withdraw((query,)))
        campaign.do(cmd.Lose(first))
        assert campaign.state.queries[query].status is QueryStatus.CANCELLED
        assert query not in campaign.state.live
        assert _kinds(campaign.do(cmd.Settle(first, "wasted"))) == ["settled", "extra_failed"]
        assert campaign.account() == (12, 6, 0, 0)
        assert campaign.state.extra == 3
        _sound(campaign)


def test_a_withdrawn_query_releases_its_money_and_keeps_a_late_answer_as_extra(leased):
    campaign, (first, *_) = leased
    query = campaign.state.attempts[first].query
    campaign.do(cmd.Withdraw((query,)))
    assert campaign.account() == (12, 6, 0, 0)
    assert _kinds(campaign.tell(first, cost=2)) == ["extra_told"]
    assert campaign.state.extra == 2
    assert campaign.state.queries[query].label is None
    assert campaign.do(cmd.Withdraw((query,))) == []
    _sound(campaign)


def test_an_event_survives_being_written_down(leased):
    campaign, (first, second, _) = leased
    campaign.do(cmd.Lose(first, "killed"))
    campaign.do(cmd.Fail(second, "bad_label", "NaN", 1))
    for event in campaign.log:
        assert ev.from_json(ev.to_json(event)) == event
