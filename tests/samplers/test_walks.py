from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataeff_al.errors import CapabilityError, DataError
from dataeff_al.samplers.density import Sparsity
from dataeff_al.samplers.expedition import expeditions
from dataeff_al.samplers.latent import latent_table, squared_distances
from dataeff_al.samplers.protocol import SamplerContext
from dataeff_al.samplers.spec import SnnParams
from dataeff_al.samplers.starts import from_labelled, from_uncertain
from dataeff_al.samplers.walk import Slope, WalkRules, walk, within
from dataeff_al.samples.gate import CountingGate
from dataeff_al.samples.types import Invalid
from dataeff_al.testing.views import built, toy_view, with_generator
from dataeff_al.trainers.protocol import TrainerContext

VAE = {"latent_dim": 4, "steps": 100, "batch_size": 8, "width": 8, "precision": "float32"}


def ready(toy, learner, generator, fit_steps=40, **params):
    view = with_generator(toy_view(toy, learner), generator, **params)
    trainer = built("trainers", "standard", TrainerContext(), steps=fit_steps, batch_size=8)
    return replace(view, learner=trainer.fit(view, None, 1).learner)


@pytest.fixture(scope="module")
def field_view():
    return ready("field", "unet", "conv_vae", **VAE)


@pytest.fixture(scope="module")
def class_view():
    return ready("class", "mlp", "conv_vae", fit_steps=6, **VAE)


@pytest.fixture(scope="module")
def table_view():
    return ready("table", "mlp", "pca", latent_dim=3)


def sampler(name, **params):
    return built("samplers", name, SamplerContext(), **params)


def slope_of(view, penalty):
    sparsity = Sparsity(torch.from_numpy(latent_table(view, "snn").z), 5)
    return Slope(view.generator, view.learner, sparsity, penalty)


def first_walks(view, **params):
    return next(expeditions(view, SnnParams(**params), "snn", np.random.default_rng(0)))


@pytest.mark.parametrize("name", ["field_view", "class_view", "table_view"])
@pytest.mark.parametrize("penalty", [0.0, 0.5])
@pytest.mark.parametrize("source", ["original", "decoded"])
def test_the_walks_gradient_is_the_slope_of_loss_through_learner_and_decoder(request, name, penalty, source):
    view = request.getfixturevalue(name)
    params = SnnParams(input=source)
    walkers = from_labelled(view, view.generator, view.learner, params, np.random.default_rng(0))
    slope, z = slope_of(view, penalty), walkers.z + 0.05
    gradient, height, _ = slope.gradient(z, walkers, 1.0)
    direction = torch.nn.functional.normalize(gradient, dim=1)
    step = 2e-3 * latent_table(view, "snn").scale
    ahead = slope.gradient(z + step * direction, walkers, 1.0)[1]
    behind = slope.gradient(z - step * direction, walkers, 1.0)[1]
    measured = (ahead - behind) / (2 * step)
    steep = gradient.norm(dim=1) > 0.1 * gradient.norm(dim=1).max()
    expected = gradient.norm(dim=1)
    assert bool(steep.any())
    assert torch.isfinite(height).all()
    # A rectifier's kink may lie between the two places, so that single walkers may differ.
    near = ((measured - expected).abs() <= 0.05 * expected)[steep]
    assert near.float().mean() >= 0.7


@pytest.mark.parametrize("axis", range(3))
def test_each_component_of_the_gradient_matches_finite_differences(table_view, axis):
    view = table_view
    walkers = from_labelled(view, view.generator, view.learner, SnnParams(), np.random.default_rng(0))
    slope = slope_of(view, 0.0)
    gradient = slope.gradient(walkers.z, walkers, 1.0)[0][:, axis]
    offset = torch.zeros(3)
    offset[axis] = 1e-2
    rise = slope.loss(walkers.z + offset, walkers) - slope.loss(walkers.z - offset, walkers)
    measured = rise.detach() / 2e-2
    assert torch.allclose(measured, gradient, atol=0.05 * gradient.abs().max().item())


def test_the_original_input_is_what_the_network_sees_where_a_walk_starts(field_view):
    view = field_view
    walkers = from_labelled(view, view.generator, view.learner, SnnParams(), np.random.default_rng(0))
    x = view.codec.soften([entry.sample for entry in view.labelled])
    expected = view.learner.loss(x, walkers.targets)
    assert torch.allclose(slope_of(view, 0.0).loss(walkers.z, walkers), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["field_view", "table_view"])
def test_most_walks_end_where_the_loss_is_higher(request, name):
    walks = first_walks(request.getfixturevalue(name), density_penalty=0.0)
    assert (walks.score > walks.loss[:, 0]).mean() >= 0.9
    assert walks.score.mean() > 1.5 * walks.loss[:, 0].mean()


def test_a_walk_is_better_than_a_random_direction(field_view):
    view, rng = field_view, np.random.default_rng(0)
    walks = first_walks(view, density_penalty=0.0)
    walkers = from_labelled(view, view.generator, view.learner, SnnParams(), rng)
    length = np.linalg.norm(walks.latent - walks.path[:, 0], axis=1, keepdims=True)
    direction = rng.standard_normal(walks.latent.shape)
    direction *= length / np.linalg.norm(direction, axis=1, keepdims=True)
    aside = torch.from_numpy((walks.path[:, 0] + direction).astype(np.float32))
    assert walks.score.mean() > slope_of(view, 0.0).loss(aside, walkers).mean().item()


@pytest.mark.parametrize("radius", [0.05, 0.2, 0.6])
def test_no_walk_leaves_its_trust_region(field_view, radius):
    walks = first_walks(field_view, trust_radius=radius, step_size=0.1)
    limit = radius * latent_table(field_view, "snn").scale
    distance = np.linalg.norm(walks.path - walks.path[:, :1], axis=2)
    assert distance.max() <= limit * (1 + 1e-4)


def test_every_step_has_the_stated_length_inside_the_trust_region(field_view):
    walks = first_walks(field_view, trust_radius=50.0, step_size=0.03)
    lengths = np.linalg.norm(np.diff(walks.path, axis=1), axis=2)
    assert lengths == pytest.approx(0.03 * latent_table(field_view, "snn").scale, rel=1e-3)


def test_a_published_step_is_the_gradient_of_the_loss_times_the_step_size(field_view):
    view = field_view
    rule = {"step_rule": "gradient", "step_size": 0.01, "trust_radius": 100.0, "steps": 1}
    walks = first_walks(view, density_penalty=0.0, precision="float32", **rule)
    walkers = from_labelled(view, view.generator, view.learner, SnnParams(), np.random.default_rng(0))
    gradient, _, _ = slope_of(view, 0.0).gradient(walkers.z, walkers, 1.0)
    moved = walks.path[:, 1] - walks.path[:, 0]
    assert np.abs(moved).max() > 0
    assert moved == pytest.approx(0.01 * gradient.numpy(), rel=1e-2, abs=1e-6)


def test_the_density_penalty_keeps_walks_near_the_pool(field_view):
    sparsity = Sparsity(torch.from_numpy(latent_table(field_view, "snn").z), 5)
    ends = [
        sparsity(torch.from_numpy(first_walks(field_view, density_penalty=penalty, trust_radius=3.0).latent)).mean()
        for penalty in (0.0, 20.0)
    ]
    assert ends[1] < ends[0]


def test_no_steps_stay_where_they_start(field_view):
    walks = first_walks(field_view, steps=0)
    assert walks.path.shape[1] == 1
    assert np.array_equal(walks.latent, walks.path[:, 0])


def test_labels_without_a_valid_entry_start_no_walk(field_view):
    from dataeff_al.testing.views import with_invalid_labels

    view = with_invalid_labels(field_view, 5)
    walkers = from_labelled(view, view.generator, view.learner, SnnParams(), np.random.default_rng(0))
    assert walkers.parents == [entry.sample.id for entry in view.labelled[5:]]
    bare = with_invalid_labels(field_view, len(field_view.labelled))
    with pytest.raises(DataError, match="valid label"):
        from_labelled(bare, view.generator, view.learner, SnnParams(), np.random.default_rng(0))


def test_many_labelled_samples_are_thinned_to_the_walkers_allowed(field_view):
    walkers = from_labelled(
        field_view, field_view.generator, field_view.learner, SnnParams(walkers=3), np.random.default_rng(0)
    )
    assert len(walkers) == 3
    assert set(walkers.parents) <= {entry.sample.id for entry in field_view.labelled}


def test_uncertain_starts_are_candidates_with_the_smallest_margins(class_view):
    walkers = from_uncertain(
        class_view, class_view.generator, class_view.learner, SnnParams(walkers=4), np.random.default_rng(0)
    )
    margin = sampler("margin").propose(class_view, 4, np.random.default_rng(0))
    assert walkers.parents == [proposal.sample for proposal in margin]


def test_snn_takes_the_candidate_nearest_to_the_end_of_its_walk(field_view):
    proposal = sampler("snn").propose(field_view, 1, np.random.default_rng(0))[0]
    table = latent_table(field_view, "snn")
    distance = squared_distances(proposal.latent[None], table.of(field_view.unlabelled))[0]
    assert proposal.sample == field_view.unlabelled[int(distance.argmin())]
    assert proposal.parent in {entry.sample.id for entry in field_view.labelled}


def test_si_decodes_the_end_of_its_walk(field_view):
    proposal = sampler("si").propose(field_view, 1, np.random.default_rng(0))[0]
    decoded = field_view.generator.decode(torch.from_numpy(proposal.latent[None]))
    (expected,) = field_view.codec.harden(decoded)
    assert proposal.sample.id == expected.id
    assert np.array_equal(proposal.sample.fields["mask"], expected.fields["mask"])


class Gate:
    """A codec that refuses masks with more wall than ``most``."""

    def __init__(self, codec, most):
        self.inner, self.most, self.tensor = codec, most, codec.tensor

    def soften(self, samples):
        return self.inner.soften(samples)

    def harden(self, x):
        found = self.inner.harden(x)
        return [s if (s.fields["mask"] == 1).mean() <= self.most else Invalid("too much wall") for s in found]


def test_si_proposes_only_what_the_gate_lets_through_and_counts_the_rest(field_view):
    strict = sampler("si", attempts=2)
    walls = [(entry.sample.fields["mask"] == 1).mean() for entry in field_view.labelled]
    gate = CountingGate(Gate(field_view.codec, most := float(np.median(walls))))
    proposals = strict.propose(replace(field_view, codec=gate), 6, np.random.default_rng(0))
    assert proposals
    assert all((proposal.sample.fields["mask"] == 1).mean() <= most for proposal in proposals)
    assert gate.refusals["too much wall"] > 0


def test_si_gives_fewer_when_the_gate_refuses_everything(field_view):
    strict = sampler("si", attempts=2, steps=4)
    gate = CountingGate(Gate(field_view.codec, -1.0))
    assert strict.propose(replace(field_view, codec=gate), 3, np.random.default_rng(0)) == []
    assert gate.refusals["too much wall"] >= 2 * len(field_view.labelled)


def test_si_scatters_its_starts_to_find_more_samples_than_it_has_parents(field_view):
    few = replace(field_view, labelled=field_view.labelled[:2])
    proposals = sampler("si").propose(few, 6, np.random.default_rng(0))
    assert len(proposals) == 6
    assert len({proposal.sample.id for proposal in proposals}) == 6


def test_a_pending_synthesised_sample_is_not_proposed_again(field_view):
    first = sampler("si").propose(field_view, 2, np.random.default_rng(0))
    view = replace(field_view, pending=[*field_view.pending, *(proposal.sample for proposal in first)])
    again = sampler("si").propose(view, 2, np.random.default_rng(0))
    assert not {p.sample.id for p in first} & {p.sample.id for p in again}


@pytest.mark.parametrize("part", ["learner", "latents", "generator"])
def test_a_walk_says_what_it_lacks(field_view, part):
    with pytest.raises(CapabilityError, match="must have"):
        sampler("snn").propose(replace(field_view, **{part: None}), 2, np.random.default_rng(0))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.floats(0.01, 5.0), st.integers(0, 2**31))
def test_a_place_is_drawn_back_onto_its_ball_and_no_further(d, radius, seed):
    generator = torch.Generator().manual_seed(seed)
    centre, z = torch.randn(2, 5, d, generator=generator)
    kept = within(z, centre, radius)
    before, after = (z - centre).norm(dim=1), (kept - centre).norm(dim=1)
    assert torch.allclose(after, before.clamp(max=radius), rtol=1e-4, atol=1e-5)


def test_a_vanishing_gradient_stays_put():
    class Flat:
        def gradient(self, z, walkers, unit):
            return torch.zeros_like(z), torch.zeros(len(z)), torch.ones(len(z))

    view = ready("table", "mlp", "pca", latent_dim=3)
    walkers = from_labelled(view, view.generator, view.learner, SnnParams(), np.random.default_rng(0))
    walks = walk(Flat(), walkers, WalkRules(3, 0.1, 1.0, 0.0))
    assert np.array_equal(walks.path[:, 0], walks.path[:, -1])


def test_sparsity_is_about_one_in_the_pool_and_grows_outside():
    pool = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    sparsity = Sparsity(pool, 5)
    held = torch.randn(100, 4, generator=torch.Generator().manual_seed(1))
    assert 0.5 < sparsity(held).median().item() < 2.0
    assert sparsity(held + 10.0).min() > 20.0
