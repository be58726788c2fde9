from dataclasses import replace

import numpy as np
import pytest

from dataeff_al.errors import CapabilityError, LabelingError
from dataeff_al.labeling.asking import Raised, acknowledge, asked, tried
from dataeff_al.labeling.combinators import Escalate, Pipeline, build_escalate, build_pipeline
from dataeff_al.labeling.types import Deferred, Label, LabelFailure, Request
from dataeff_al.samples.types import Sample, SampleId


def _requests(n=1):
    samples = [Sample(SampleId(f"s{k}"), {"x": np.full((1, 2, 2), k % 2, np.float32)}, "g") for k in range(n)]
    return [Request(f"k{k}", sample, seed=k) for k, sample in enumerate(samples)]


def _label(code=1, **changes):
    return Label({"label": np.int64(code)}, **changes)


def _one(labeler, n=1):
    return next(iter(labeler.label(_requests(n))))


def _raise(request):
    raise OSError("reset")


class TestPipeline:
    def test_each_step_sees_the_arrays_of_the_one_before_and_the_last_one_answers(self, toy):
        seen = []

        def second(request):
            seen.append(request)
            return _label(1 - int(request.sample.fields["label"]))

        outcome = _one(Pipeline([toy(answer=lambda r: _label(1)), toy(answer=second)]))
        assert outcome.target["label"] == 0
        assert seen[0].key == "k0-1"
        assert seen[0].draft.target["label"] == 1
        assert seen[0].seed == 0

    def test_costs_add_up(self, toy):
        outcome = _one(Pipeline([toy(answer=lambda r: _label(cost=2)), toy(answer=lambda r: _label(cost=3))]))
        assert outcome.cost == 5

    @pytest.mark.parametrize("failure", [LabelFailure("no wall", "refused", 1), None])
    def test_a_failure_ends_the_request_with_what_was_paid_before_it(self, toy, failure):
        third = toy()
        steps = [toy(answer=lambda r: _label(cost=2)), toy(answer=lambda r: failure), third]
        outcome = _one(Pipeline(steps))
        assert isinstance(outcome, LabelFailure)
        assert outcome.cost == (3 if failure else 2)
        assert not third.invoices

    def test_a_pure_step_that_raises_fails_only_its_own_request(self, toy):
        def second(request):
            return _raise(request) if request.key == "k0-1" else _label()

        outcomes = list(Pipeline([toy(answer=lambda r: _label(cost=2)), toy(answer=second)]).label(_requests(2)))
        assert (outcomes[0].kind, outcomes[0].cost) == ("infra", 2)
        assert isinstance(outcomes[1], Label)

    def test_what_a_paid_step_that_raised_has_cost_is_for_the_host_to_judge(self, toy):
        with pytest.raises(LabelingError, match="reset"):
            _one(Pipeline([toy(), toy("blind", answer=_raise)]))

    def test_a_deferred_draft_is_used_and_only_the_last_step_may_defer(self, toy):
        unsure = Deferred(_label(1), 0.2, "dark")
        outcome = _one(Pipeline([toy(answer=lambda r: unsure), toy(answer=lambda r: unsure)]))
        assert isinstance(outcome, Deferred)
        assert outcome.draft.cost == 2

    def test_a_step_that_answers_badly_is_named_by_its_rule(self, toy):
        outcome = _one(Pipeline([toy(answer=lambda r: _label(7)), toy()]))
        assert outcome.kind == "bad_label"
        assert "codes from 0 to 1" in outcome.reason


class TestEscalate:
    def test_the_first_who_is_sure_answers_and_is_named(self, toy):
        second = toy()
        outcome = _one(Escalate([toy(answer=lambda r: _label(confidence=0.95)), second], accept=0.9))
        assert outcome.notes["answered_by"] == "toy"
        assert not second.invoices

    @pytest.mark.parametrize(
        "unsure",
        [_label(0, confidence=0.5), Deferred(_label(0), 0.5), LabelFailure("dark", "refused", 1), _label(9)],
    )
    def test_what_the_first_is_unsure_of_goes_on_with_its_cost(self, toy, unsure):
        outcome = _one(Escalate([toy(answer=lambda r: unsure), toy(answer=lambda r: _label(1, cost=4))], 0.9))
        assert outcome.target["label"] == 1
        assert outcome.cost == 5

    def test_a_later_step_gets_the_draft_as_a_start_and_the_sample_as_it_is(self, toy):
        seen = []

        def second(request):
            seen.append(request)
            return _label()

        _one(Escalate([toy(answer=lambda r: Deferred(_label(0), 0.5)), toy(answer=second)], 0.9))
        assert set(seen[0].sample.fields) == {"x"}
        assert seen[0].draft.target["label"] == 0

    def test_the_last_answer_is_taken_as_it_is(self, toy):
        steps = [toy(answer=lambda r: LabelFailure("no")), toy(answer=lambda r: _label(confidence=0.1))]
        outcome = _one(Escalate(steps, accept=1.0))
        assert outcome.confidence == 0.1

    def test_a_lost_step_says_nothing_about_the_sample(self, toy):
        second = toy()
        outcome = _one(Escalate([toy(answer=_raise), second], 0.9))
        assert outcome.kind == "infra"
        assert not second.invoices

    def test_answers_keep_the_order_of_their_requests(self, toy):
        def first(request):
            return _label(confidence=1.0) if request.sample.id == "s1" else LabelFailure("dark")

        outcomes = list(Escalate([toy(answer=first), toy(answer=lambda r: _label(0))], 0.9).label(_requests(3)))
        assert [int(outcome.target["label"]) for outcome in outcomes] == [0, 1, 0]


class TestOutside:
    def test_an_answer_that_is_sure_enough_needs_nobody_else(self, toy):
        outcome = _one(Escalate([toy(answer=lambda r: _label(confidence=0.95))], 0.9, toy(delivery="pull")))
        assert outcome.notes["answered_by"] == "toy"

    @pytest.mark.parametrize("unsure", [_label(0, confidence=0.5, cost=2), Deferred(_label(0, cost=2), 0.5)])
    def test_a_draft_goes_to_those_outside_with_what_it_cost(self, toy, unsure):
        outcome = _one(Escalate([toy(answer=lambda r: unsure)], 0.9, toy(delivery="pull")))
        assert isinstance(outcome, Deferred)
        assert (outcome.draft.target["label"], outcome.cost) == (0, 2)

    def test_the_best_draft_is_the_newest_and_all_drafts_are_paid(self, toy):
        steps = [toy(answer=lambda r: _label(0, confidence=0.1)), toy(answer=lambda r: _label(1, confidence=0.2))]
        outcome = _one(Escalate(steps, 0.9, toy(delivery="pull")))
        assert (outcome.draft.target["label"], outcome.cost) == (1, 2)

    def test_what_nobody_can_draft_is_passed_on_as_it_is(self, toy):
        outcome = _one(Escalate([toy(answer=lambda r: LabelFailure("dark", "refused", 1))], 0.9, toy(delivery="pull")))
        assert (outcome.kind, outcome.cost) == ("passed_on", 1)

    def test_what_measures_is_asked_of_those_outside_alone(self, toy):
        first = toy(answer=lambda r: _label(confidence=1.0))
        measuring = [replace(request, measures=True) for request in _requests(2)]
        outcomes = Escalate([first], 0.9, toy(delivery="pull")).label(measuring)
        assert {outcome.kind for outcome in outcomes} == {"passed_on"}
        assert not first.invoices


def _part(labeler):
    class Part:
        params = None

        class plugin:  # noqa: N801
            @staticmethod
            def factory():
                return lambda params, context: labeler

    return Part


def _params(toy, deliveries, **changes):
    class Params:
        steps, accept = tuple(_part(toy(delivery=delivery, **changes)) for delivery in deliveries), 0.9

    return Params


def _nested(toy):
    class Params:
        steps = (_part(Escalate([toy()], 0.9, toy(delivery="pull"))), _part(toy()))

    return Params


class TestDeclaration:
    @pytest.mark.parametrize(
        ("effects", "wanted"),
        [
            (("pure", "pure"), "pure"),
            (("pure", "keyed"), "keyed"),
            (("queryable", "pure"), "blind"),
            (("blind", "keyed"), "blind"),
        ],
    )
    def test_together_they_are_as_repeatable_as_the_weakest(self, toy, effects, wanted):
        assert Pipeline([toy(effect) for effect in effects]).info.effect == wanted

    def test_together_they_cost_and_take_what_all_of_them_may(self, toy):
        info = Pipeline([toy(max_cost=2, timeout_s=5.0), toy(max_cost=3, timeout_s=7.0)]).info
        assert (info.max_cost, info.timeout_s) == (5, 12.0)

    @pytest.mark.parametrize(
        ("build", "deliveries"),
        [(build_pipeline, ("pull", "push")), (build_escalate, ("pull", "push")), (build_escalate, ("pull", "pull"))],
    )
    def test_nobody_who_must_be_waited_for_can_be_a_step(self, toy, build, deliveries):
        with pytest.raises(CapabilityError, match="must be a labeler that can be called"):
            build(_params(toy, deliveries), None)

    def test_only_whoever_answers_at_last_may_be_waited_for(self, toy):
        info = build_escalate(_params(toy, ("push", "pull"), max_cost=3, timeout_s=7.0), None).info
        assert (info.delivery, info.outside.delivery) == ("push", "pull")
        assert (info.max_cost, info.outside.max_cost) == (6, 3)
        assert (info.timeout_s, info.outside.timeout_s) == (7.0, 7.0)

    def test_a_lost_call_costs_nothing_of_what_those_outside_would(self, toy):
        steps, outside = [toy("keyed", max_cost=3)], toy("blind", delivery="pull", max_cost=40)
        info = Escalate(steps, 0.9, outside).info
        assert (info.max_cost, info.most_lost) == (43, 3)
        assert Escalate([toy(max_cost=3)], 0.9, outside).info.most_lost == 0

    def test_what_waits_for_people_is_no_step_of_another(self, toy):
        with pytest.raises(CapabilityError, match="must be a labeler that can be called"):
            build_pipeline(_nested(toy), None)


def test_an_empty_batch_asks_nobody(toy):
    steps = [toy(), toy()]
    assert list(Pipeline(steps).label([])) == []
    assert list(Escalate(steps, 0.9).label([])) == []
    assert not any(step.batches for step in steps)


def test_asked_never_raises_and_tried_says_so(toy):
    labeler = toy("blind", answer=_raise)
    assert tried(labeler, _requests()) == [Raised("labeler 'toy' raised OSError('reset')")]
    assert asked(labeler, _requests()) == [LabelFailure("labeler 'toy' raised OSError('reset')", "infra")]


class Keeping:
    """A labeler that keeps outcomes until it hears that they are in safety."""

    def __init__(self, labeler, error=None):
        self._labeler, self._error, self.heard = labeler, error, []

    @property
    def info(self):
        return self._labeler.info

    def label(self, batch):
        return self._labeler.label(batch)

    def ack(self, keys):
        self.heard += keys
        if self._error:
            raise self._error


@pytest.mark.parametrize("combined", [lambda steps: Pipeline(steps), lambda steps: Escalate(steps, 0.5)])
def test_steps_hear_of_their_own_attempts_what_is_in_safety(combined, toy):
    first, last = Keeping(toy()), Keeping(toy())
    acknowledge(combined([first, toy(), last]), ["k0", "k1"])
    assert (first.heard, last.heard) == (["k0-0", "k1-0"], ["k0-2", "k1-2"])


def test_a_labeler_that_cannot_take_note_disturbs_nobody(toy):
    broken, last = Keeping(toy(), OSError("down")), Keeping(toy())
    acknowledge(Pipeline([broken, last]), ["k0"])
    assert last.heard == ["k0-1"]
