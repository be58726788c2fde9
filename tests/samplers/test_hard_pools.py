"""Pools as they come: with junk, with copies, with one class or a thousand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dataeff_al.errors import CapabilityError
from dataeff_al.latent_graph import graph_of
from dataeff_al.parts import read_part
from dataeff_al.samplers.crowding import crowding
from dataeff_al.samplers.protocol import SamplerContext
from dataeff_al.testing.samplers import check_sampler
from dataeff_al.testing.views import built, toy_view, with_generator
from dataeff_al.trainers.spreading import certainty
from dataeff_al.view import Latents

JUNK_EVERY = 6


def sampler(name, **params):
    read = {key: read_part("samplers", value) if isinstance(value, dict) else value for key, value in params.items()}
    return built("samplers", name, SamplerContext(), **read)


class Answers:
    """A model that answers by a sample's row: evenly for every sixth row, surely but differently for the others."""

    offers = frozenset({"probabilities", "features", "gradient"})

    def __init__(self, view, classes):
        x = view.codec.soften(view.pool.read(view.pool.ids()))
        self._rows = {row.numpy().tobytes(): place for place, row in enumerate(x)}
        self._classes, self._n = classes, len(x)

    def _place(self, x):
        return [self._rows[row.numpy().tobytes()] for row in x]

    def predict(self, x):
        logits = torch.zeros(len(x), self._classes)
        for row, place in enumerate(self._place(x)):
            logits[row, place % self._classes] = 0.0 if place % JUNK_EVERY == 0 else 1.0 + 2.0 * (place / self._n)
        return torch.softmax(logits, 1)

    def features(self, x):
        return torch.tensor([[1.0, place / self._n, (place * 7 % 11) / 11] for place in self._place(x)])

    def state(self):
        return b""


def junk_view(classes=4, n=120):
    """Every sixth sample lies far out, each in a direction of its own, and is what the model is least sure of."""
    view = toy_view("class", "mlp", n=n, labels=12, pending=2)
    rng = np.random.default_rng(0)
    z = rng.normal(0, 1, (n, 6))
    junk = np.arange(n) % JUNK_EVERY == 0
    z[junk] *= 12
    latents = Latents(list(view.pool.ids()), z.astype(np.float32))
    target = replace(view.target, classes=tuple(f"c{number}" for number in range(classes)))
    return replace(view, latents=latents, target=target, learner=Answers(view, classes))


def junk_share(view, found):
    rows = [list(view.pool.ids()).index(proposal.sample) for proposal in found]
    return np.mean([row % JUNK_EVERY == 0 for row in rows])


CASES = [
    ("margin", {}),
    ("margin", {"diversity": 3}),
    ("entropy", {}),
    ("core_set", {"space": "latent"}),
    ("stochastic", {"sharpness": 20.0}),
]


@pytest.mark.parametrize(("name", "params"), CASES)
def test_density_keeps_junk_from_being_asked_for(name, params):
    view = junk_view()
    plain = junk_share(view, sampler(name, **params).propose(view, 10, np.random.default_rng(0)))
    dense = junk_share(view, sampler(name, **params, density=2.0).propose(view, 10, np.random.default_rng(0)))
    assert plain >= 0.5
    assert dense <= 0.1


@pytest.mark.parametrize(("name", "params"), CASES)
def test_samplers_with_density_keep_their_contract(name, params):
    view = with_generator(junk_view(), "pca", latent_dim=3)
    check_sampler(lambda: sampler(name, **params, density=1.0), view)


def test_density_asks_for_latents_and_nothing_asks_for_none():
    assert "latent" in sampler("margin", density=1.0).needs
    assert "latent" not in sampler("margin").needs
    assert sampler("core_set", density=1.0).needs == {"features", "latent"}
    view = replace(junk_view(), latents=None)
    assert crowding(view, "margin", view.unlabelled, 0.0) == pytest.approx(1.0)
    with pytest.raises(CapabilityError, match="sampler margin must have latents"):
        crowding(view, "margin", view.unlabelled, 1.0)


def test_a_pool_of_one_place_is_dense_everywhere():
    view = junk_view()
    flat = replace(view, latents=replace(view.latents, z=np.zeros_like(view.latents.z)))
    assert crowding(flat, "margin", view.unlabelled, 1.0) == pytest.approx(1.0)


STAGED = {"first": {"kind": "typical"}, "then": {"kind": "margin", "diversity": 3}, "labels": 1}


@pytest.mark.parametrize("classes", [2, 100, 1000])
@pytest.mark.parametrize(
    ("name", "params"),
    [("margin", {"diversity": 3}), ("entropy", {}), ("badge", {}), ("stochastic", {}), ("staged", STAGED)],
)
def test_samplers_work_with_two_classes_and_with_a_thousand(name, params, classes):
    view = with_generator(junk_view(classes), "pca", latent_dim=3)
    found = sampler(name, **params).propose(view, 9, np.random.default_rng(0))
    assert len({each.sample for each in found}) == 9
    assert all(np.isfinite(each.score) for each in found)


@pytest.mark.parametrize("name", ["margin", "entropy", "badge", "lcmd", "typical", "core_set", "stochastic"])
def test_samplers_ask_for_different_samples_where_all_look_alike(name):
    view = with_generator(junk_view(), "pca", latent_dim=3)
    view = replace(view, latents=replace(view.latents, z=np.zeros_like(view.latents.z)))
    found = sampler(name).propose(view, 12, np.random.default_rng(0))
    assert len({each.sample for each in found}) == 12


def test_labels_spread_over_a_thousand_classes_of_which_most_have_no_label_yet():
    rng = np.random.default_rng(0)
    centre = rng.standard_normal((1000, 16))
    code = np.repeat(np.arange(20), 10)
    z = centre[code] + 0.1 * rng.standard_normal((200, 16))
    seeds = np.zeros((200, 1000), np.float32)
    seeds[::10, :][np.arange(20), np.arange(20)] = 1.0
    p = graph_of(z, 5, 3.0).propagate(seeds, 0.99)
    assert p.dtype == np.float32
    assert p.sum(1) == pytest.approx(1.0, abs=1e-4)
    assert (p.argmax(1) == code).mean() > 0.95
    assert not p[:, 20:].any() or p[:, 20:].max() < 1e-3
    assert np.isfinite(certainty(p)).all()
