"""Few fully annotated brains and partial annotations of all: MO-Net and the atlas beside every control.

2 mm, coronal slices with two neighbours on both sides (2.5-D), U-Net 24/48/96/96, 1,200 steps of 8 slices at full
annotations for every arm and 600 at partial ones before; two folds of one younger and one older brain held out, six to
learn from. ``pseudo`` takes the steps at full annotations twice, and so does ``whole``: MO-Net that goes on with its
own answers as ``pseudo`` does, the policy that is compared with the best control. An arm at k fully annotated brains
takes the same k in all arms; ``no_atlas``: without the atlas prior; ``aligned``: brains laid onto one of them (that is
not held out) by their images, and an atlas of finer cells.
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import mean
from typing import Any

from benchmarks.harness import Benchmark, Cell, Json, Result, Table
from benchmarks.segmentation.judging import judged
from benchmarks.segmentation.scans import brains, view_of
from dataeff_al.numerics import prepare_thread
from dataeff_al.randomness import rng_for
from dataeff_al.testing.views import built
from dataeff_al.trainers.protocol import TrainerContext

FOLDS = (("1007", "1116"), ("1008", "1122"))
ARMS: dict[str, dict[str, Any]] = {
    "monet": {"policy": "monet"},
    "whole": {"policy": "monet", "self_training": True},
    "scratch": {"policy": "scratch"},
    "finetune": {"policy": "finetune"},
    "pseudo": {"policy": "pseudo"},
    "frozen": {"policy": "frozen_random"},
    "frozen_pretrained": {"policy": "frozen_pretrained"},
}
CONTROLS = ("scratch", "finetune", "pseudo", "frozen", "frozen_pretrained")
ATLASES: dict[str, list[dict[str, Any]]] = {"": [{}], "aligned": [{"cells": 64, "smooth": 0.7}], "no_atlas": []}
STEPS, PARTIAL_STEPS, SPACING_MM, CONTEXT = 1200, 600, 2.0, 2
CHANNELS = [24, 48, 96, 96]
MEASURES = {"dice": "dice", "dice_sub": "dice/sub-cortical"}


def _grid() -> list[tuple[str, int, str]]:
    """Arm, fully annotated brains, and the atlas; what the goals need first."""
    with_atlas = [(arm, k, "") for k in (1, 2) for arm in ARMS]
    aligned = [(arm, 1, "aligned") for arm in ("whole", "pseudo", "scratch")]
    without = [("scratch", 4, "no_atlas"), *((arm, k, "no_atlas") for k in (1, 2) for arm in ARMS)]
    return [*with_atlas, *aligned, *without, ("scratch", 4, ""), ("scratch", 6, "")]


def _cells(seeds: Sequence[int], quick: bool) -> list[Cell]:
    grid = [("monet", 1, ""), ("scratch", 1, "")] if quick else _grid()
    folds = range(1) if quick else range(len(FOLDS))
    return [
        Cell(_key(arm, k, atlas, fold, seed), partial(_measure, arm, k, atlas, fold, seed, quick))
        for seed in seeds
        for fold in folds
        for arm, k, atlas in grid
    ]


def _key(arm: str, k: int, atlas: str, fold: int, seed: int) -> str:
    return f"{_arm(arm, k, atlas)}-fold{fold}-seed{seed}"


def _arm(arm: str, k: int, atlas: str) -> str:
    return f"{arm}_k{k}{f'_{atlas}' if atlas else ''}"


def _measure(arm: str, k: int, atlas: str, fold: int, seed: int, quick: bool) -> Json:
    prepare_thread()
    pool = brains(4.0 if quick else SPACING_MM, aligned=atlas == "aligned")
    train = [name for name in pool.ids() if name not in FOLDS[fold]]
    order = [train[row] for row in rng_for(seed, "brains", fold).permutation(len(train))]
    priors = tuple(built("priors", "atlas", None, **settings) for settings in ATLASES[atlas])
    network = {"kind": "segmenter", "channels": [8, 16, 24] if quick else CHANNELS, "dims": 2, "context": CONTEXT}
    view = view_of(pool, order[:k], order[k:], network, priors)
    steps = {"steps": 30, "partial_steps": 20} if quick else {"steps": STEPS, "partial_steps": PARTIAL_STEPS}
    trainer = built("trainers", "transfer", TrainerContext(), **ARMS[arm], **steps)
    began, cpu_began = time.monotonic(), time.process_time()
    report = trainer.fit(view, None, seed)
    spent = {"fit_s": time.monotonic() - began, "fit_cpu_s": time.process_time() - cpu_began}
    found = judged(pool, report.learner, FOLDS[fold])
    about = {"arm": _arm(arm, k, atlas), "fold": fold, "seed": seed, "loss": report.loss, "steps": report.steps}
    return {**about, **spent, "notes": dict(report.notes), "full": order[:k], **found}


def _assemble(found: Mapping[str, Json]) -> Result:
    arms: dict[str, list[Json]] = {}
    for cell in found.values():
        arms.setdefault(cell["arm"], []).append(cell)
    # A mean over other brains is no comparison.
    folds = {cell["fold"] for cell in found.values()}
    whole = [arm for arm, cells in arms.items() if {cell["fold"] for cell in cells} == folds]
    figures: dict[str, float | None] = {}
    for measure, metric in MEASURES.items():
        for arm in whole:
            figures[f"{measure}_{arm}"] = mean(cell["mean"][metric] for cell in arms[arm])
    figures |= _goals(arms)
    rows: list[list[str | float | int | None]] = [
        [arm, len(cells), *(_shown(cells, metric) for metric in MEASURES.values()), *_cost(cells)]
        for arm, cells in arms.items()
    ]
    columns = ["arm", "cells", "mean Dice", "sub-cortical", "steps", "cpu s a fit"]
    tables = [Table("held-out brains: mean over folds and seeds", columns, rows)]
    return Result(figures, tables, notes=[__doc__.partition("\n\n")[2].replace("\n", " ").strip()])


def _shown(cells: Sequence[Json], metric: str) -> float:
    return round(mean(cell["mean"][metric] for cell in cells), 4)


def _cost(cells: Sequence[Json]) -> list[float]:
    return [mean(cell["steps"] for cell in cells), round(mean(cell["fit_cpu_s"] for cell in cells))]


def _goals(arms: Mapping[str, Sequence[Json]]) -> dict[str, float | None]:
    """What the arms gain on each other."""
    controls = {f"{arm}_k1": gain for arm in CONTROLS if (gain := _gain(arms, "whole_k1", f"{arm}_k1")) is not None}
    best = min(controls, key=controls.__getitem__, default="")
    return {
        "sub_gain_k1": _gain(arms, "monet_k1", "scratch_k1", "dice_sub"),
        "sub_gain_k2": _gain(arms, "monet_k2", "scratch_k2", "dice_sub"),
        "overall_vs_best_control_k1": _gain(arms, "whole_k1", best),
        "monet_vs_best_control_k1": _gain(arms, "monet_k1", best),
        "policy_k1_minus_scratch_k4": _gain(arms, "whole_k1", "scratch_k4_no_atlas"),
        "policy_sub_k1_minus_scratch_k4": _gain(arms, "whole_k1", "scratch_k4_no_atlas", "dice_sub"),
        "aligned_overall_vs_pseudo_k1": _gain(arms, "whole_k1_aligned", "pseudo_k1_aligned"),
        "aligned_policy_k1_minus_scratch_k4": _gain(arms, "whole_k1_aligned", "scratch_k4_no_atlas"),
        "aligned_policy_sub_k1_minus_scratch_k4": _gain(arms, "whole_k1_aligned", "scratch_k4_no_atlas", "dice_sub"),
    }


def _gain(arms: Mapping[str, Sequence[Json]], one: str, other: str, measure: str = "dice") -> float | None:
    """By how much one arm is better than another, on the folds and seeds that both have been measured under."""
    values = [
        {(cell["fold"], cell["seed"]): cell["mean"][MEASURES[measure]] for cell in arms.get(arm, ())}
        for arm in (one, other)
    ]
    shared = values[0].keys() & values[1].keys()
    return mean(values[0][key] - values[1][key] for key in shared) if shared else None


BENCHMARK = Benchmark(seeds=3, cells=_cells, assemble=_assemble, piecewise=True)
