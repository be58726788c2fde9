from pathlib import Path

import numpy as np
import pytest

from benchmarks import blockwise, suggestion, transfer
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


def test_an_arm_without_some_patients_has_no_mean():
    def fit(arm, patient):
        mean = {f"{name}/{region}": 0.5 for name in ("dice", "sensitivity", "hd95_mm") for region in blockwise.REGIONS}
        return {"arm": arm, "patient": patient, "seed": 0, "mean": mean}

    fits = [fit("blockwise", "a"), fit("blockwise", "b"), fit("joint", "a"), fit("joint", "b")]
    fits.append(fit("joint_by_steps", "a"))
    found = blockwise._assemble({f"{each['arm']}-{each['patient']}": each for each in fits})
    assert found.figures["dice_wt_joint"] == 0.5
    assert not any(name.endswith("joint_by_steps") for name in found.figures)
    assert {row[0]: row[2] for row in found.tables[1].rows} == {"joint": 2, "joint_by_steps": 1}


def test_gains_are_of_the_folds_and_seeds_that_both_arms_have():
    def cell(arm, fold, value):
        return {"arm": arm, "fold": fold, "seed": 0, "mean": {"dice": value, "dice/sub-cortical": value / 2}}

    arms = {"whole_k1": [cell("whole_k1", 0, 0.5), cell("whole_k1", 1, 0.9)], "pseudo_k1": [cell("pseudo_k1", 0, 0.4)]}
    arms["scratch_k1"] = [cell("scratch_k1", 0, 0.45), cell("scratch_k1", 1, 0.3)]
    assert transfer._gain(arms, "whole_k1", "pseudo_k1") == pytest.approx(0.1)
    assert transfer._gain(arms, "whole_k1", "pseudo_k1", "dice_sub") == pytest.approx(0.05)
    assert transfer._gain(arms, "whole_k1", "monet_k1") is None
    goals = transfer._goals(arms)
    assert goals["overall_vs_best_control_k1"] == pytest.approx(0.1)
    assert goals["monet_vs_best_control_k1"] is None


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")
def test_surfaces_lie_apart_in_millimetres_of_their_own_axis():
    target = TargetSpec("mask", "mask", (12, 12, 12), ("background", "a"), regions=(("A", ("a",)),))
    truth = np.zeros((12, 12, 12), np.uint8)
    truth[3:6, 3:6, 3:6] = 1
    for axis, spacing in enumerate((2.0, 3.0, 5.0)):
        moved = np.roll(truth, 2, axis)
        assert hausdorff_mm(target, moved, truth, (2.0, 3.0, 5.0))["hd95_mm/A"] == pytest.approx(2 * spacing)
    assert hausdorff_mm(target, np.zeros_like(truth), truth, (1.0, 1.0, 1.0)) == {}
