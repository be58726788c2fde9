from pathlib import Path

import numpy as np
import pytest

from benchmarks import blockwise, suggestion
from benchmarks.segmentation.judging import hausdorff_mm
from dataeff_al.efficiency import LearningCurve
from dataeff_al.randomness import seed_for
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import TargetSpec
from dataeff_al.testing.views import built, fitted_generator


def generated(spacing_mm, unit):
    settings = {"cases": 4, "anatomy": "tumour", "unit": unit, "shape": [16, 16, 16], "places": False}
    return built("pools", "heads", PoolContext(Path(), None, 0), **settings)


def test_held_out_patients_are_kept_from_generator_pool_and_labels(monkeypatch):
    monkeypatch.setattr(suggestion, "tumours", generated)
    view, test = suggestion._start(1, quick=True)
    tested = {view.pool.group(each) for each in test}
    seen = [*view.latents.ids, *view.unlabelled, *(entry.sample.id for entry in view.labelled)]
    assert len(tested) == suggestion.TESTED
    assert not tested & {view.pool.group(each) for each in seen}
    drawn = seed_for(1, "generator")
    alone = fitted_generator("pca", view.pool, drawn, ids=view.latents.ids, latent_dim=16)
    assert alone.state() == view.generator.state()
    assert alone.state() != fitted_generator("pca", view.pool, drawn, latent_dim=16).state()


def test_a_ratio_counts_the_slices_to_where_random_ends():
    random = {0: LearningCurve([10, 20, 40], [0.2, 0.4, 0.6]), 1: LearningCurve([10, 20, 40], [0.2, 0.4, 0.6])}
    ours = {seed: LearningCurve([10, 20], [0.2, 0.6]) for seed in random}
    assert suggestion._ratio(ours, random) == pytest.approx(0.5)
    assert suggestion._ratio(random, random) == pytest.approx(1.0)
    assert suggestion._ratio({0: LearningCurve([10, 40], [0.2, 0.5])}, random) is None
    assert suggestion._ratio({5: ours[0]}, random) is None


def test_patients_are_paired_over_their_seeds():
    def fit(arm, patient, seed, value):
        return {"arm": arm, "patient": patient, "seed": seed, "mean": {"dice/WT": value}}

    fits = [fit("blockwise", "a", 0, 0.8), fit("blockwise", "a", 1, 0.6), fit("joint", "a", 0, 0.5)]
    fits += [fit("blockwise", "b", 0, 0.9), fit("joint", "b", 0, 0.6), fit("joint", "c", 0, 0.1)]
    gaps = blockwise._gaps(fits, "joint", "dice/WT")
    assert gaps == pytest.approx([0.2, 0.3])
    low, high = blockwise._interval(gaps)[1:]
    assert (low, high) == (0.2, 0.3)
    assert blockwise._interval([0.1]) == [0.1, None, None]


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")
def test_surfaces_lie_apart_in_millimetres_of_their_own_axis():
    target = TargetSpec("mask", "mask", (12, 12, 12), ("background", "a"), regions=(("A", ("a",)),))
    truth = np.zeros((12, 12, 12), np.uint8)
    truth[3:6, 3:6, 3:6] = 1
    for axis, spacing in enumerate((2.0, 3.0, 5.0)):
        moved = np.roll(truth, 2, axis)
        assert hausdorff_mm(target, moved, truth, (2.0, 3.0, 5.0))["hd95_mm/A"] == pytest.approx(2 * spacing)
    assert hausdorff_mm(target, np.zeros_like(truth), truth, (1.0, 1.0, 1.0)) == {}
