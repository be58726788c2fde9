import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from dataeff_al.samplers.protocol import SamplerContext
from dataeff_al.testing.samplers import check_sampler, fingerprint
from dataeff_al.testing.views import built, toy_view, with_generator
from dataeff_al.trainers.protocol import TrainerContext

SAMPLERS = [
    ("random", {}),
    ("typical", {}),
    ("typical", {"clusters": "graph"}),
    ("margin", {}),
    ("margin", {"diversity": 3}),
    ("snn", {}),
    ("snn", {"steps": 0}),
    ("snn", {"start": "uncertain", "input": "decoded"}),
    ("si", {}),
    ("si", {"steps": 0}),
    ("si", {"start": "uncertain"}),
]


def ready_view(toy, learner):
    view = with_generator(toy_view(toy, learner), "pca", latent_dim=4)
    trainer = built("trainers", "standard", TrainerContext(), steps=30, batch_size=8)
    return replace(view, learner=trainer.fit(view, None, 1).learner)


@pytest.fixture(scope="module")
def views():
    pairs = {"class": "small_cnn", "mask": "unet", "volume": "unet", "field": "unet", "table": "mlp"}
    return {toy: ready_view(toy, learner) for toy, learner in pairs.items()}


@pytest.mark.parametrize(("name", "params"), SAMPLERS)
@pytest.mark.parametrize("toy", ["class", "mask"])
def test_every_sampler_keeps_its_contract_where_there_are_probabilities(views, toy, name, params):
    check_sampler(lambda: built("samplers", name, SamplerContext(), **params), views[toy])


@pytest.mark.parametrize(("name", "params"), [("random", {}), ("typical", {}), ("snn", {}), ("si", {})])
@pytest.mark.parametrize("toy", ["volume", "field", "table"])
def test_samplers_without_probabilities_keep_their_contract_on_volumes_fields_and_tables(views, toy, name, params):
    check_sampler(lambda: built("samplers", name, SamplerContext(), **params), views[toy])


FRESH = """
import sys, json, torch
torch.set_num_threads(1)
sys.path.insert(0, {folder!r})
from test_sampler_contract import proposals_by_name
print(json.dumps(proposals_by_name()))
"""


def proposals_by_name():
    view = ready_view("class", "mlp")
    return {
        name: fingerprint(built("samplers", name, SamplerContext()).propose(view, 4, np.random.default_rng(3)))
        for name in ("random", "typical", "margin", "snn", "si")
    }


def test_a_fresh_process_proposes_the_same(request):
    import torch

    torch.set_num_threads(1)
    script = FRESH.format(folder=str(request.path.parent))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == proposals_by_name()


def test_the_contract_refuses_a_sampler_that_proposes_a_labelled_sample(views):
    from dataeff_al.samplers.protocol import Proposal

    class Repeats:
        needs = frozenset()

        def propose(self, view, n, rng):
            return [Proposal(view.labelled[0].sample.id)][:n]

    with pytest.raises(AssertionError, match="labelled"):
        check_sampler(Repeats, views["class"])


def test_the_contract_refuses_a_sampler_that_ignores_its_random_numbers(views):
    from dataeff_al.samplers.protocol import Proposal

    class Careless:
        needs = frozenset()

        def propose(self, view, n, rng):
            order = np.random.default_rng().permutation(len(view.unlabelled))
            return [Proposal(view.unlabelled[row]) for row in order[:n]]

    with pytest.raises(AssertionError, match="same"):
        check_sampler(Careless, views["class"])
