from pathlib import Path

import pytest

from dataeff_al.campaign.forecast import duration, forecast, lines
from dataeff_al.campaign.money import amount
from dataeff_al.campaign.spec import CampaignSpec

TEXT = """\
version: 1
name: forecast
pool: {kind: digits, size: 500}
evaluation: {validation: 10, test: 40, reference: full}
initial: {random: 20}
generator: {kind: pca}
learner: {kind: mlp, task: classification}
labeler: {kind: external, target: {kind: class, classes: [a, b]}, cost: 2, work_s: 100}
sampler: {kind: snn}
budget: {unit: label, total: 210, per_round: 20}
stop: {metric: accuracy}
compare:
  - sampler: {kind: random}
"""


def made(*settings):
    return forecast(CampaignSpec.parse(TEXT, Path(), settings=settings), Path())


def test_the_budget_buys_initial_and_acquired_labels_at_the_highest_cost():
    own, twin = made()
    assert (own.labels.initial, own.labels.acquired, own.rounds) == (20, 85, 5)
    assert own.cost == 210
    assert twin.labels == own.labels


def test_evaluation_labels_stand_beside_the_budget():
    own = made()[0]
    assert (own.labels.validation, own.labels.test, own.labels.reference) == (10, 40, 450)
    assert own.labels.evaluation == 500
    assert own.evaluation_cost == 1000


def test_twins_share_what_measures_and_what_starts():
    own, twin = made()
    assert own.seconds.labels == 100 * (20 + 85 + 500)
    assert twin.seconds.labels == 100 * 85


def test_training_is_foretold_by_the_size_of_a_sample_where_the_pool_tells_it():
    small, large = (
        made("pool.kind=vessel_sections", f"pool.pixels={side}", "evaluation.reference=0")[0].seconds.training
        for side in (64, 192)
    )
    assert large == pytest.approx(9 * small)


def test_the_smallest_samples_take_their_time_as_well():
    trainer = CampaignSpec.parse(TEXT, Path()).trainer.seconds
    own = made()[0]
    assert own.seconds.training == pytest.approx(0.1 * trainer * (own.rounds + 2))


def test_a_generator_that_twins_share_is_fitted_once():
    twins = "compare=[{sampler: {kind: random}}, {name: other, generator: {kind: pca, latent_dim: 3}}]"
    own, same, other = made(twins)
    assert own.seconds.generator == other.seconds.generator > 0
    assert same.seconds.generator == 0


def test_a_small_pool_bounds_what_can_be_chosen():
    own = made("pool.size=155")[0]
    assert own.labels.acquired == 85
    assert own.labels.reference == 105


def test_samples_that_are_synthesised_do_not_come_from_the_pool():
    changes = ("pool.size=80", "sampler.kind=si", "labeler.synthesised=true", "compare=[]")
    assert made(*changes)[0].labels.acquired == 85


def test_search_that_costs_more_than_labels_is_said_aloud():
    assert made()[0].warning == ""
    cheap = made("labeler.work_s=0.01")
    assert cheap[0].warning.startswith("search would cost more than labels: choosing 85 samples takes about")
    assert cheap[1].warning == ""
    assert any("search would cost more than labels" in line for line in lines(cheap))


def test_what_no_plugin_tells_is_called_unknown():
    own = made("learner={kind: mlp}", "labeler={kind: dataset}")[0]
    assert own.seconds.labels == 0
    assert "an unknown time" in duration(None)


def test_every_paradigm_and_the_repeats_are_in_the_text():
    text = "\n".join(lines(made(), repeats=5))
    assert "20 initial + 85 chosen in 5 rounds, at most 210 labels" in text
    assert "450 reference, at most 1,000 labels beside it" in text
    assert "\nforecast: about 16.8 h of labelling" in text
    assert "\nrandom: about" in text
    assert "5 times" in text


def test_scripts_get_numbers():
    data = made()[0].as_json()
    assert data["labels"]["evaluation"] == 500
    assert data["cost"] == {"unit": "label", "queries": 210, "evaluation": 1000}
    assert set(data["seconds"]) == {"generator", "search", "training", "labels", "acquired"}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.004, "0.004 s"), (59, "59 s"), (100, "1.67 min"), (7200, "2 h"), (1e6, "11.6 days")]
)
def test_durations_are_readable(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [(1, "solve", "1 solve"), (2, "solve", "2 solves"), (1200, "EUR", "1,200 EUR"), (2, "cpu s", "2 cpu s")],
)
def test_amounts_are_readable(number, unit, text):
    assert amount(number, unit) == text
