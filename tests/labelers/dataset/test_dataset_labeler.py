from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from dataeff_al import registry
from dataeff_al.errors import CapabilityError
from dataeff_al.labeling.types import Label, Labeler, LabelerContext, LabelFailure, Request, Times
from dataeff_al.samples.arrays import array_pool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.npz import columns_from
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import SampleId
from dataeff_al.testing.labelers import check_labeler


def pool_of(name, **params):
    plugin = registry.get("pools", name)
    return plugin.factory()(plugin.params(**params), PoolContext(Path(), None, 7))


def stress_pool():
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 3, (4, 6, 6), dtype=np.uint8)
    return array_pool(columns_from({"mask": mask, "stress": np.where(mask[:, None] > 0, 2.5, np.nan)}), codec_for)


def labeler_on(pool, **params):
    plugin = registry.get("labelers", "dataset")
    return plugin.factory()(plugin.params(**params), LabelerContext(pool, Path(), None))


@pytest.mark.parametrize("pool", [pool_of("digits", size=30), pool_of("phantoms", cases=3), stress_pool()])
def test_it_keeps_the_labeler_contract(pool):
    labeler = labeler_on(pool)
    assert isinstance(labeler, Labeler)
    assert labeler.info.effect == "pure"
    assert labeler.info.target == pool.target
    check_labeler(labeler, pool.read(pool.ids()[:4]))


def test_it_answers_what_the_data_set_knows():
    pool = pool_of("digits", size=30)
    samples = pool.read(pool.ids())
    outcomes = labeler_on(pool).label([Request(key=s.id, sample=s) for s in samples])
    expected = [int(answer["label"]) for answer in pool.answers(pool.ids())]
    assert [int(outcome.target["label"]) for outcome in outcomes] == expected
    assert all(outcome.times.work_s >= 0 for outcome in outcomes)


def test_a_field_is_valid_where_it_is_a_number():
    pool = stress_pool()
    sample = pool.read(pool.ids())[0]
    label = labeler_on(pool).label([Request(key="a", sample=sample)])[0]
    assert np.array_equal(label.valid, sample.fields["mask"] > 0)


def test_what_the_data_set_does_not_hold_is_refused():
    pool = pool_of("digits", size=30)
    sample = pool.read(pool.ids())[0]
    stranger = replace(sample, id=SampleId("synth-1"))
    forged = replace(sample, fields={"x": 1 - sample.fields["x"]})
    failures = labeler_on(pool).label([Request(key="a", sample=stranger), Request(key="b", sample=forged)])
    assert [failure.kind for failure in failures] == ["refused", "refused"]
    assert [failure.cost for failure in failures] == [0, 0]
    assert "synth-1" in failures[0].reason
    assert "other content" in failures[1].reason


def test_slices_of_a_volume_are_answered_too():
    pool = pool_of("phantoms", cases=2)
    part = pool.read(pool.parts(pool.ids()[0]))[8]
    label = labeler_on(pool).label([Request(key="a", sample=part)])[0]
    assert label.target["mask"].shape == (24, 24)


def test_a_pool_without_answers_is_refused():
    silent = array_pool(columns_from({"x": np.random.default_rng(0).random((4, 1, 5, 5))}), codec_for)
    with pytest.raises(CapabilityError, match="pool with answers, but got 'ArrayPool'"):
        labeler_on(silent)


def test_its_needs_and_its_delay_are_declared():
    plugin = registry.get("labelers", "dataset")
    params = plugin.params(delay_s=0.25)
    assert plugin.needs(params) == {"answers"}
    assert plugin.seconds(params) == 0.25
    with pytest.raises(ValidationError):
        plugin.params(delay_s=-1.0)
    with pytest.raises(ValidationError):
        plugin.params(delay=1.0)


def test_a_delay_is_slept_once_a_question(monkeypatch):
    pool = pool_of("digits", size=30)
    slept = []
    monkeypatch.setattr("labelers.dataset.labeler.time.sleep", slept.append)
    labeler = labeler_on(pool, delay_s=0.5)
    labeler.label([Request(key=s.id, sample=s) for s in pool.read(pool.ids()[:3])])
    assert slept == [0.5, 0.5, 0.5]


class Faulty:
    """The dataset labeler with one thing wrong."""

    def __init__(self, fault):
        self._good, self._fault, self._count = labeler_on(pool_of("digits", size=30)), fault, 0
        self.info = self._good.info

    def label(self, batch):
        if self._fault == "raises" and any(not np.isfinite(r.sample.fields["x"]).all() for r in batch):
            raise ValueError("NaN")
        if self._fault == "mutates":
            for request in batch:
                request.sample.fields["x"][...] += 1
        outcomes = list(self._good.label(batch))
        self._count += 1
        return [self._spoil(outcome, place, len(batch)) for place, outcome in enumerate(outcomes)][: self._kept(batch)]

    def _kept(self, batch):
        return len(batch) - 1 if self._fault == "short" and len(batch) > 1 else len(batch)

    def _spoil(self, outcome, place, size):
        if self._fault == "guesses" and isinstance(outcome, LabelFailure):
            return Label({"label": np.array(0)})
        if isinstance(outcome, LabelFailure):
            return outcome
        target = {
            "dtype": np.int32(outcome.target["label"]) * np.ones((), np.int32),
            "shape": outcome.target["label"][None],
            "class": np.array(99),
            "place": np.array((int(outcome.target["label"]) + place) % 10),
            "batch": np.array((int(outcome.target["label"]) + (size == 1)) % 10),
            "drifts": np.array((int(outcome.target["label"]) + self._count) % 10),
        }
        cost = {"dear": 5}.get(self._fault, 1)
        return Label({"label": target.get(self._fault, outcome.target["label"])}, cost=cost, times=Times())


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("raises", "must answer with a LabelFailure, but raised"),
        ("mutates", "must not change its samples|must get an answer"),
        ("short", "one outcome a request"),
        ("guesses", "must be a LabelFailure"),
        ("dtype", "must be .* int64, but got"),
        ("shape", "must be .* int64, but got"),
        ("class", "codes below 10"),
        ("place", "another order|one by one"),
        ("batch", "one by one"),
        ("drifts", "asked again"),
        ("dear", "must cost 0 to 1"),
    ],
)
def test_the_suite_catches_labelers_that_break_the_contract(fault, sentence):
    pool = pool_of("digits", size=30)
    with pytest.raises(AssertionError, match=sentence):
        check_labeler(Faulty(fault), pool.read(pool.ids()[:4]))


def test_the_suite_accepts_a_labeler_that_declares_itself_noisy():
    faulty = Faulty("drifts")
    faulty.info = replace(faulty.info, deterministic=False)
    pool = pool_of("digits", size=30)
    check_labeler(faulty, pool.read(pool.ids()[:4]))
