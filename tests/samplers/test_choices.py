from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_moons

from dataeff_al.latent_graph import graph_of
from dataeff_al.samplers.diversity import spread
from dataeff_al.samplers.kmeans import kmeans, nearest
from dataeff_al.samplers.latent import squared_distances
from dataeff_al.samplers.protocol import SamplerContext
from dataeff_al.testing.views import built, labelled, toy_view
from dataeff_al.trainers.protocol import TrainerContext
from dataeff_al.view import Latents


def sampler(name, **params):
    return built("samplers", name, SamplerContext(), **params)


def clustered_view():
    """Six far-apart clusters of latents among the candidates of the toy."""
    view = toy_view("class", "mlp", n=68)
    ids = view.pool.ids()
    rng = np.random.default_rng(0)
    z = np.zeros((len(ids), 2), np.float32)
    for row in range(len(ids)):
        angle = 2 * np.pi * (row % 6) / 6
        z[row] = 10 * np.cos(angle), 10 * np.sin(angle)
    return replace(
        view, latents=Latents(ids, z + 0.1 * rng.standard_normal(z.shape).astype(np.float32)), labelled=(), pending=()
    )


def clusters_of(view, proposals):
    rows = {sample_id: row for row, sample_id in enumerate(view.pool.ids())}
    return [rows[proposal.sample] % 6 for proposal in proposals]


def test_typical_takes_one_sample_of_each_cluster():
    view = clustered_view()
    proposals = sampler("typical").propose(view, 6, np.random.default_rng(0))
    assert sorted(clusters_of(view, proposals)) == list(range(6))


def test_typical_goes_where_no_label_is_yet():
    view = clustered_view()
    known = [sample_id for row, sample_id in enumerate(view.pool.ids()) if row % 6 in (0, 1, 2)][:9]
    view = replace(view, labelled=labelled(view.pool, known))
    proposals = sampler("typical").propose(view, 3, np.random.default_rng(0))
    assert {3, 4, 5} >= set(clusters_of(view, proposals))


def crescents():
    """Two half moons, each within the other, and what they are ``(n,)``."""
    z, moon = make_moons(300, noise=0.04, random_state=0)
    view = toy_view("class", "mlp", n=300)
    ids = view.pool.ids()
    # On a dome, so that latents that are near have a high cosine.
    dome = np.concatenate([z, np.full((len(z), 1), 2.0)], 1).astype(np.float32)
    return replace(view, latents=Latents(ids, dome), labelled=(), pending=(), unlabelled=ids), dict(
        zip(ids, moon, strict=True)
    )


def test_clusters_of_the_graph_follow_forms_that_balls_cut_through():
    view, moon = crescents()
    for seed in range(5):
        chosen = sampler("typical", clusters="graph").propose(view, 2, np.random.default_rng(seed))
        assert {moon[each.sample] for each in chosen} == {0, 1}
        first = [each.sample for each in chosen if moon[each.sample] == 0]
        known = replace(
            view, labelled=labelled(view.pool, first), unlabelled=[i for i in view.unlabelled if i not in first]
        )
        (other,) = sampler("typical", clusters="graph").propose(known, 1, np.random.default_rng(seed))
        assert moon[other.sample] == 1


def test_coordinates_of_a_graph_are_the_same_by_both_ways_of_finding_them():
    z = np.random.default_rng(0).standard_normal((400, 3)).astype(np.float32)
    graph = graph_of(z, 6, 1.0)
    iterated = graph.coordinates(4)
    vectors = np.linalg.eigh(graph.walk.toarray())[1][:, -4:]
    exact = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.abs(iterated @ iterated.T - exact @ exact.T).max() < 1e-6
    assert np.array_equal(iterated, graph.coordinates(4))


def test_random_draws_every_candidate_equally_often():
    view = toy_view("class", "mlp")
    rng = np.random.default_rng(0)
    counts = dict.fromkeys(view.unlabelled, 0)
    for _ in range(800):
        for proposal in sampler("random").propose(view, 5, rng):
            counts[proposal.sample] += 1
    expected = 800 * 5 / len(counts)
    assert all(abs(count - expected) < 5 * np.sqrt(expected) for count in counts.values())


def test_margin_asks_where_the_two_best_classes_are_closest():
    view = toy_view("class", "mlp")
    learner = built("trainers", "standard", TrainerContext(), steps=10).fit(view, None, 0).learner
    view = replace(view, learner=learner)
    x = view.codec.soften(view.pool.read(view.unlabelled))
    p = learner.predict(x).numpy()
    order = np.argsort(np.abs(p[:, 0] - p[:, 1]))[:4]
    found = sampler("margin").propose(view, 4, np.random.default_rng(0))
    assert {proposal.sample for proposal in found} == {view.unlabelled[row] for row in order}
    assert [proposal.score for proposal in found] == sorted((proposal.score for proposal in found), reverse=True)


def test_margin_with_diversity_takes_one_uncertain_sample_of_each_cluster():
    view = clustered_view()
    start = replace(view, labelled=labelled(view.pool, view.pool.ids()[:2]))
    learner = built("trainers", "standard", TrainerContext(), steps=5).fit(start, None, 0).learner
    found = sampler("margin", diversity=7).propose(replace(view, learner=learner), 6, np.random.default_rng(0))
    assert sorted(clusters_of(view, found)) == list(range(6))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 2**31), st.data())
def test_every_row_belongs_to_its_nearest_centre(n, d, seed, data):
    z = np.random.default_rng(seed).integers(-3, 4, (n, d)).astype(np.float32)
    k = data.draw(st.integers(1, n))
    centres, cluster = kmeans(z, k, np.random.default_rng(seed))
    assert centres.shape == (k, d)
    distance = squared_distances(z, centres)
    assert distance[np.arange(n), cluster] == pytest.approx(distance.min(1), abs=1e-9)
    assert np.array_equal(cluster, nearest(z, centres))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 25), st.integers(0, 2**31))
def test_an_order_names_each_row_at_most_once_and_starts_with_the_best(m, n, seed):
    rng = np.random.default_rng(seed)
    z, score = rng.standard_normal((m, 2)), rng.random(m)
    order = spread(z, score, n)
    assert len(order) == len(set(order)) == min(m, n)
    assert order[0] == int(score.argmax())


def test_equal_scores_are_ordered_by_distance():
    z = np.array([[0.0], [0.1], [5.0], [9.0]])
    assert spread(z, np.ones(4), 3) == [0, 3, 2]
