from dataclasses import replace

import numpy as np
import pytest
import torch

from dataeff_al.errors import CapabilityError
from dataeff_al.learners.ensemble import EnsembleLearner
from dataeff_al.parts import read_part
from dataeff_al.priors.spec import SymmetryParams
from dataeff_al.priors.symmetry import Symmetry
from dataeff_al.samplers.badge import _seeds
from dataeff_al.samplers.disagreement import answers, disagreements
from dataeff_al.samplers.embedding import SPACES
from dataeff_al.samplers.protocol import SamplerContext
from dataeff_al.samples.regions import defined
from dataeff_al.testing.samplers import check_sampler
from dataeff_al.testing.views import built, labelled, latents_of, toy_view, with_generator
from dataeff_al.trainers.protocol import TrainerContext
from dataeff_al.view import Latents

TYPICAL, MARGIN = {"kind": "typical"}, {"kind": "margin"}


def sampler(name, **params):
    return built("samplers", name, SamplerContext(), **params)


def trained(view, seed=1):
    return built("trainers", "standard", TrainerContext(), steps=30, batch_size=8).fit(view, None, seed).learner


def ready(toy, learner, **changes):
    view = with_generator(toy_view(toy, learner), "pca", latent_dim=4)
    return replace(view, learner=trained(view), **changes)


@pytest.fixture(scope="module")
def views():
    mirror = (Symmetry(SymmetryParams(group="mirror")),)
    classes, field = ready("class", "small_cnn"), ready("field", "unet", priors=mirror)
    return {
        "class": classes,
        "ensemble": replace(classes, learner=EnsembleLearner([trained(classes, seed) for seed in (1, 2)])),
        "mask": ready("mask", "unet", priors=mirror),
        "field": field,
        "table": ready("table", "mlp"),
    }


CASES = [
    ("class", "entropy", {}),
    ("class", "entropy", {"diversity": 3}),
    ("class", "badge", {}),
    ("mask", "badge", {}),
    ("class", "core_set", {}),
    ("field", "core_set", {"space": "latent"}),
    ("table", "core_set", {}),
    ("table", "lcmd", {}),
    ("field", "lcmd", {"stretch": "committee"}),
    ("field", "committee", {}),
    ("mask", "committee", {"diversity": 2}),
    ("ensemble", "committee", {}),
    ("class", "stochastic", {}),
    ("field", "stochastic", {"measure": "committee"}),
    ("class", "latent_walk", {}),
    ("mask", "latent_walk", {"steps": 0}),
    ("ensemble", "latent_walk", {"climb": "committee", "steps": 3}),
    ("class", "staged", {"first": TYPICAL, "then": MARGIN, "labels": 1}),
    ("class", "staged", {"first": TYPICAL, "then": MARGIN, "labels": 1000}),
]


@pytest.mark.parametrize(("toy", "name", "params"), CASES)
def test_every_strong_sampler_keeps_its_contract(views, toy, name, params):
    check_sampler(lambda: sampler(name, **_parts(params)), views[toy])


def _parts(params):
    """Plugins within plugins are read as a campaign's YAML would be."""
    return {key: read_part("samplers", value) if isinstance(value, dict) else value for key, value in params.items()}


def with_latents(z, known=()):
    """A view whose candidates lie at ``z`` and whose labelled samples lie at ``known``."""
    view = toy_view("class", "mlp", n=len(z) + len(known) + 8, labels=len(known), pending=0)
    ids = list(view.pool.ids())
    places = dict(zip(ids, [*known, *z], strict=False))
    table = np.array([places.get(sample_id, (1e3, 1e3)) for sample_id in ids], np.float32)
    return replace(view, latents=Latents(ids, table), unlabelled=ids[len(known) : len(known) + len(z)])


def rows(view, proposals):
    return [list(view.unlabelled).index(proposal.sample) for proposal in proposals]


def test_core_set_takes_the_farthest_from_everything_known():
    view = with_latents([(0, 0), (1, 0), (5, 0), (9, 0)], known=[(0, 0)])
    found = sampler("core_set", space="latent").propose(view, 2, np.random.default_rng(0))
    assert rows(view, found) == [3, 2]
    assert [proposal.score for proposal in found] == pytest.approx([9.0, 4.0])


def test_core_set_begins_in_the_middle_when_nothing_is_known():
    view = with_latents([(0, 0), (4, 0), (10, 0)])
    assert rows(view, sampler("core_set", space="latent").propose(view, 2, np.random.default_rng(0))) == [1, 2]


def test_lcmd_prefers_the_crowded_place_to_the_lonely_one():
    crowd = [(3 + 0.01 * k, 0) for k in range(12)]
    view = with_latents([*crowd, (0, 5)], known=[(0, 0), (0, 2)])
    lcmd = sampler("lcmd", space="latent").propose(view, 2, np.random.default_rng(0))
    assert rows(view, lcmd) == [11, 12]
    assert rows(view, sampler("core_set", space="latent").propose(view, 1, np.random.default_rng(0))) == [11]


def test_badge_takes_the_longest_gradient_first_and_then_another_direction(views):
    view = views["class"]
    found = sampler("badge").propose(view, 5, np.random.default_rng(0))
    x = view.codec.soften(view.pool.read(view.unlabelled))
    p, h = view.learner.predict(x), view.learner.features(x)
    residual = p - torch.nn.functional.one_hot(p.argmax(1), p.shape[1])
    gradient = (residual[:, :, None] * h[:, None, :]).flatten(1).double()
    length = (gradient**2).sum(1)
    first = view.unlabelled[int(length.argmax())]
    assert found[0].sample == first
    assert found[0].score == pytest.approx(float(length.max()), rel=1e-4)


def test_distances_of_badge_are_those_of_the_whole_gradients():
    rng = np.random.default_rng(0)
    a, h = rng.standard_normal((30, 4)), rng.standard_normal((30, 6))
    whole = (a[:, :, None] * h[:, None, :]).reshape(30, -1)
    length = (whole**2).sum(1)
    chosen = _seeds(a, h, length, 6, np.random.default_rng(5))
    expected, draw = [int(length.argmax())], np.random.default_rng(5)
    while len(expected) < 6:
        distance = ((whole[:, None] - whole[expected][None]) ** 2).sum(2).min(1)
        distance[expected] = 0
        expected.append(int(draw.choice(30, p=distance / distance.sum())))
    assert chosen == expected


def test_a_committee_of_equal_models_never_disagrees(views):
    view = views["class"]
    same = EnsembleLearner([view.learner, view.learner])
    assert disagreements(view, same, view.unlabelled) == pytest.approx(0.0, abs=1e-6)
    assert disagreements(view, views["ensemble"].learner, view.unlabelled).max() > 1e-4


def test_answers_under_symmetries_come_back_into_the_frame_of_the_question(views):
    view = views["mask"]
    x = view.codec.soften(view.pool.read(view.unlabelled[:3]))
    assert not torch.equal(x, x.flip(-1))
    plain, mirrored = answers(view, view.learner, x)
    assert torch.equal(plain, view.learner.predict(x))
    assert torch.equal(mirrored, view.learner.predict(x.flip(-1)).flip(-1))


def test_no_committee_is_a_clear_error(views):
    with pytest.raises(CapabilityError, match="a committee must be an ensemble or have a prior with symmetries"):
        disagreements(views["class"], views["class"].learner, views["class"].unlabelled)


def test_relative_disagreement_does_not_follow_the_size_of_the_values(views):
    view = views["field"]
    absolute = disagreements(view, view.learner, view.unlabelled, 0.0)
    relative = disagreements(view, view.learner, view.unlabelled, 1.0)
    half = disagreements(view, view.learner, view.unlabelled, 0.5)
    assert half == pytest.approx((absolute + relative) / 2)


def test_disagreement_counts_only_where_the_target_has_values(views):
    view = views["field"]
    x = view.codec.soften(view.pool.read(view.unlabelled[:2]))
    assert bool(defined(view.target, view.pool.spec, x).all())
    target = replace(view.target, undefined_in=("lumen", "outside"))
    assert torch.equal(defined(target, view.pool.spec, x), x.argmax(1) == 1)


def test_stochastic_without_sharpness_is_random_and_with_much_takes_the_most_uncertain(views):
    view = views["class"]
    sharp = sampler("stochastic", sharpness=100.0).propose(view, 3, np.random.default_rng(0))
    margin = sampler("margin").propose(view, 8, np.random.default_rng(0))
    assert {each.sample for each in sharp} <= {each.sample for each in margin}
    counts = dict.fromkeys(view.unlabelled, 0)
    rng = np.random.default_rng(0)
    for _ in range(200):
        for each in sampler("stochastic", sharpness=0.0).propose(view, 5, rng):
            counts[each.sample] += 1
    expected = 1000 / len(counts)
    assert all(abs(count - expected) < 5 * np.sqrt(expected) for count in counts.values())


def test_staged_switches_when_there_are_enough_labels_and_says_so(views):
    view = views["class"]
    staged = sampler("staged", **_parts({"first": TYPICAL, "then": MARGIN, "labels": len(view.labelled)}))
    assert {each.regime for each in staged.propose(view, 4, np.random.default_rng(0))} == {"margin"}
    fewer = replace(view, labelled=labelled(view.pool, view.pool.ids()[:3]))
    assert {each.regime for each in staged.propose(fewer, 4, np.random.default_rng(0))} == {"typical"}


def test_a_walk_of_no_steps_takes_its_own_starts(views):
    view = views["class"]
    found = sampler("latent_walk", steps=0, input="decoded").propose(view, 4, np.random.default_rng(0))
    assert [each.parent for each in found] == [each.sample for each in found]


def test_a_walk_ends_where_the_model_is_less_sure_than_at_its_start(views):
    view = views["class"]
    found = sampler("latent_walk", steps=8, density_penalty=0.0).propose(view, 4, np.random.default_rng(0))
    start = sampler("latent_walk", steps=0, density_penalty=0.0).propose(view, 4, np.random.default_rng(0))
    by_parent = {each.parent: each.score for each in start}
    shared = [each for each in found if each.parent in by_parent]
    assert shared
    assert all(each.score >= by_parent[each.parent] - 1e-6 for each in shared)


def test_latents_of_synthesised_samples_are_their_encodings(views):
    view = views["class"]
    x = view.codec.soften(view.pool.read(view.unlabelled[:2]))
    made = list(view.codec.harden(x))
    space = SPACES["latent"](view, "core_set")
    table = latents_of(view.generator, view.pool, view.codec).z
    known = space.of_samples(view.pool.read(view.unlabelled[:2]))
    assert known.shape == (2, table.shape[1])
    assert space.of_samples(made) == pytest.approx(known, abs=1e-3)
