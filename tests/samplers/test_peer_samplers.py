from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataeff_al import registry
from dataeff_al.errors import CapabilityError
from dataeff_al.samplers.protocol import SamplerContext
from dataeff_al.testing.samplers import check_sampler
from dataeff_al.testing.views import built, toy_view, with_generator
from dataeff_al.trainers.protocol import TrainerContext

pytest.importorskip("skactiveml", reason="scikit-activeml is not installed")

FILE = Path(__file__).parents[2] / "benchmarks" / "peers" / "skactiveml_samplers.py"
STRATEGIES = ("TypiClust", "ProbCover", "CoreSet", "Badge", "Clue", "Falcun", "DropQuery", "MaxHerding")


@pytest.fixture(scope="module")
def plugin():
    return registry.load_file(FILE)[0]


@pytest.fixture(scope="module")
def view():
    view = with_generator(toy_view("class", "mlp"), "pca", latent_dim=4)
    trainer = built("trainers", "standard", TrainerContext(), steps=30, batch_size=8)
    return replace(view, learner=trainer.fit(view, None, 1).learner)


def made(plugin, **params):
    return plugin.factory()(plugin.params(**params), SamplerContext())


@pytest.mark.parametrize("strategy", [*STRATEGIES, "UncertaintySampling"])
def test_every_strategy_of_the_peer_keeps_the_contract(plugin, view, strategy):
    check_sampler(lambda: made(plugin, strategy=strategy), view)


def test_gradients_may_be_taken_from_the_models_own_features(plugin, view):
    check_sampler(lambda: made(plugin, strategy="Badge", space="features"), view)


def test_the_peers_margin_is_our_margin(plugin, view):
    peer = made(plugin, strategy="UncertaintySampling").propose(view, 6, np.random.default_rng(0))
    ours = built("samplers", "margin", SamplerContext()).propose(view, 6, np.random.default_rng(0))
    assert [each.sample for each in peer] == [each.sample for each in ours]


def test_pending_samples_count_as_labelled(plugin, view):
    here = made(plugin, strategy="CoreSet")
    first = here.propose(view, 1, np.random.default_rng(0))[0].sample
    waiting = replace(view, pending=[*view.pending, *view.pool.read([first])])
    both = here.propose(view, 2, np.random.default_rng(0))
    assert here.propose(waiting, 1, np.random.default_rng(0))[0].sample == both[1].sample


def test_strategies_of_quadratic_cost_get_a_random_part_of_the_candidates(plugin, view):
    few = made(plugin, strategy="ProbCover", most=10)
    asked = [{each.sample for each in few.propose(view, 3, np.random.default_rng(seed))} for seed in range(12)]
    assert len(set.union(*asked)) > 6
    assert len(few.propose(view, 20, np.random.default_rng(0))) == 20


def test_duplicates_do_not_make_the_peer_repeat_itself(plugin, view):
    z = np.tile(view.latents.z[:1], (len(view.latents.ids), 1))
    flat = replace(view, latents=replace(view.latents, z=z))
    for strategy in STRATEGIES:
        found = made(plugin, strategy=strategy).propose(flat, 9, np.random.default_rng(0))
        assert len({each.sample for each in found}) == 9


def test_one_class_per_sample_is_asked_for(plugin):
    masks = with_generator(toy_view("mask", "unet"), "pca", latent_dim=4)
    masks = replace(masks, learner=masks.new_learner(0))
    with pytest.raises(CapabilityError, match="one class per sample"):
        made(plugin, strategy="Falcun").propose(masks, 3, np.random.default_rng(0))
