import threading
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dataeff_al.labeling import drawings
from dataeff_al.labeling.combinators import Escalate, Pipeline
from dataeff_al.labeling.packing import pack_request, unpack_request
from dataeff_al.labeling.picturing import MOST_EACH, drawn
from dataeff_al.labeling.spool import FileSpool
from dataeff_al.labeling.types import Deferred, Done, Label, LabelFailure, Request, Running
from dataeff_al.samples.types import Sample, SampleId

PNG = b"\x89PNG\r\n\x1a\n picture"
SAMPLE = Sample(SampleId("s"), {"x": np.ones((1, 2, 2), np.float32)}, "g")


@pytest.fixture
def painter(toy):
    """A labeler that draws: ``paint(sample, path)`` may be replaced to misbehave."""

    class Painter(toy):
        def __init__(self, *given, paint=None, **changes):
            super().__init__(*given, **changes)
            self.seen = []
            self._paint = paint or (lambda sample, path: path.write_bytes(PNG))

        def plot(self, sample, label, path):
            self.seen.append(label)
            self._paint(sample, path)

        def plot_failure(self, sample, failure, path):
            self.seen.append(failure)
            self._paint(sample, path)

    return Painter


def label(**changes):
    return Label({"label": np.int64(1)}, **changes)


def picture(made, attempt):
    done = made.poll(attempt)
    assert isinstance(done, Done)
    return done.picture and made.blobs.get(done.picture)


@pytest.mark.parametrize("effect", ["pure", "blind"])
def test_the_first_few_answers_have_a_picture_and_all_have_their_label(painter, hosted, effect):
    keys = [f"a{number}" for number in range(MOST_EACH + 2)]
    made = hosted(painter(effect, preferred_batch=2)).start(*keys).wait(*keys)
    assert [picture(made, key) for key in keys] == [PNG] * MOST_EACH + [None] * 2
    assert all(made.outcome(key).target["label"] == 1 for key in keys)
    assert all(made.heard[key] == 1 for key in keys)


def test_refusals_are_drawn_beside_answers(painter, hosted):
    outcomes = {"good": label(), "bad": LabelFailure("dark")}
    one = painter(answer=lambda request: outcomes[request.key])
    made = hosted(one).start("good", "bad").wait("good", "bad")
    assert picture(made, "good") == picture(made, "bad") == PNG
    assert {type(seen) for seen in one.seen} == {Label, LabelFailure}


def _raise(sample, path):
    raise SystemExit("no ink")


BAD = {
    "raises": _raise,
    "draws nothing": lambda sample, path: None,
    "writes no picture": lambda sample, path: path.write_bytes(b"<svg>"),
    "writes too much": lambda sample, path: path.write_bytes(PNG + bytes(2**20)),
}


@pytest.mark.parametrize("paint", BAD.values(), ids=BAD.keys())
def test_a_picture_that_fails_costs_no_label(painter, hosted, paint):
    made = hosted(painter("blind", paint=paint)).start("a", "b").wait("a", "b")
    assert picture(made, "a") is None
    assert made.outcome("a").target["label"] == made.outcome("b").target["label"] == 1


def test_all_answers_of_a_batch_are_in_safety_before_anything_is_drawn(painter, hosted, tmp_path):
    kept = []

    def paint(sample, path):
        kept.append([FileSpool(tmp_path / "spool").outcome(key) is not None for key in ("a", "b", "c")])
        path.write_bytes(PNG)

    one = painter("blind", paint=paint, preferred_batch=3)
    made = hosted(one)
    one.label = _held(one.label, (gate := threading.Event()))
    made.start("a", "b", "c")
    gate.set()
    made.wait("a", "b", "c")
    assert all(kept[-1])
    assert picture(made, "c") == PNG


def _held(call, gate):
    def label(batch):
        gate.wait(30)
        return call(batch)

    return label


def test_who_draws_without_end_is_not_waited_for(painter, hosted, monkeypatch):
    monkeypatch.setattr(drawings, "DRAWING_S", 0.05)
    gate, begun = threading.Event(), threading.Event()

    def paint(sample, path):
        begun.set()
        gate.wait(30)
        path.write_bytes(PNG)

    made = hosted(painter(paint=paint)).start("a")
    assert begun.wait(30)
    while isinstance(made.poll("a"), Running):
        pass
    assert picture(made, "a") is None
    assert made.wait("a").outcome("a").target["label"] == 1
    gate.set()
    made.start("b").wait("b")
    assert made.heard["a"] == 1


def test_a_picture_outlives_its_host_and_an_outcome_without_one_is_read_too(painter, hosted, tmp_path):
    made = hosted(painter("blind")).start("a").wait("a")
    assert picture(made.again(), "a") == PNG
    (tmp_path / "spool" / "old.done").write_text('["0a", 0.5, 1.0, 1.0]')
    assert FileSpool(tmp_path / "spool").outcome("old").picture is None


def test_labels_that_only_measure_are_not_drawn(painter, hosted):
    made = hosted(one := painter())
    made.host.start("a", made.blobs.put(pack_request(Request("", SAMPLE, measures=True))))
    made.wait("a")
    assert picture(made, "a") is None
    assert not one.seen


class TestPipeline:
    def _steps(self, painter, *answers, effects=("pure", "pure")):
        sizes = [(4, 2), (8, 3)]
        return [
            painter(effect, answer=answer, paint=lambda _, path, size=size: Image.new("RGB", size).save(path))
            for effect, answer, size in zip(effects, answers, sizes, strict=True)
        ]

    def _drawn(self, steps, tmp_path):
        both, request = Pipeline(steps), Request("k", SAMPLE)
        (outcome,) = both.label([request])
        return drawn(both, request, outcome, tmp_path / "a.png")

    def test_every_step_is_drawn_below_the_one_before_as_wide_as_the_widest(self, painter, tmp_path):
        steps = self._steps(painter, lambda r: label(confidence=0.5), lambda r: label())
        assert self._drawn(steps, tmp_path)
        with Image.open(tmp_path / "a.png") as picture:
            assert picture.size == (8, 4 + 3)
        assert [len(step.seen) for step in steps] == [1, 1]
        # The last one's answer is at hand and is not asked for again.
        assert [len(step.batches) for step in steps] == [2, 1]

    def test_a_later_step_is_drawn_with_the_answer_before_it(self, painter, tmp_path):
        seen = []
        first, last = self._steps(painter, lambda r: label(), lambda r: label())
        last._paint = lambda sample, path: (seen.append(set(sample.fields)), Image.new("RGB", (1, 1)).save(path))
        assert self._drawn([first, last], tmp_path)
        assert seen == [{"x", "label"}]

    def test_what_a_step_refused_is_the_last_that_is_drawn(self, painter, tmp_path):
        steps = self._steps(painter, lambda r: LabelFailure("dark"), lambda r: label())
        assert self._drawn(steps, tmp_path)
        assert [len(step.seen) for step in steps] == [1, 0]

    def test_nobody_is_paid_for_a_picture(self, painter, tmp_path):
        steps = self._steps(painter, lambda r: label(), lambda r: label(), effects=("blind", "pure"))
        assert not self._drawn(steps, tmp_path)
        assert sum(steps[0].invoices.values()) == 1

    def test_steps_that_do_not_draw_make_no_picture(self, toy, tmp_path):
        assert not self._drawn([toy(), toy()], tmp_path)


class TestEscalate:
    def _drawn(self, steps, tmp_path):
        for number, step in enumerate(steps):
            step.info = replace(step.info, name=f"step {number}")
        both, request = Escalate(steps, 0.9), Request("k", SAMPLE)
        (outcome,) = both.label([request])
        return drawn(both, request, outcome, tmp_path / "a.png")

    def test_who_answered_draws_its_answer(self, painter, toy, tmp_path):
        first = painter(answer=lambda request: label(confidence=0.95))
        assert self._drawn([first, toy()], tmp_path)
        assert [seen.confidence for seen in first.seen] == [0.95]
        assert sum(first.invoices.values()) == 1

    @pytest.mark.parametrize("unsure", [label(confidence=0.4), LabelFailure("dark"), Deferred(label(), 0.4)])
    def test_what_was_passed_on_is_drawn_by_who_passed_it_on(self, painter, toy, tmp_path, unsure):
        first = painter(answer=lambda request: unsure)
        assert self._drawn([first, toy()], tmp_path)
        assert len(first.seen) == 1

    def test_nobody_is_paid_for_a_picture(self, painter, toy, tmp_path):
        first = painter("blind", answer=lambda request: LabelFailure("dark"))
        assert not self._drawn([first, toy()], tmp_path)
        assert sum(first.invoices.values()) == 1

    def test_what_measures_goes_to_the_last_step_and_costs_its_cost(self, toy):
        first, last = toy(answer=lambda r: label(confidence=1.0)), toy(answer=lambda r: label(cost=4))
        requests = [Request("k0", SAMPLE, measures=True), Request("k1", SAMPLE), Request("k2", SAMPLE, measures=True)]
        outcomes = list(Escalate([first, last], 0.9).label(requests))
        assert [outcome.cost for outcome in outcomes] == [4, 1, 4]
        assert set(first.invoices) == {"k1-0"}
        assert set(last.invoices) == {"k0-1", "k2-1"}

    def test_within_another_one_what_measures_still_goes_to_the_last(self, toy):
        wrong = toy(answer=lambda r: label(confidence=1.0))
        inner = Escalate([wrong, toy()], 0.9)
        list(Escalate([wrong, inner], 0.9).label([Request("k", SAMPLE, measures=True)]))
        assert not wrong.invoices


def test_a_question_that_does_not_measure_is_packed_as_ever():
    plain, measuring = (Request("", SAMPLE, seed=3, measures=told) for told in (False, True))
    assert b"measures" not in pack_request(plain)
    assert unpack_request(pack_request(measuring), "k").measures
    assert not unpack_request(pack_request(plain), "k").measures
