"""Which slices of tumours to annotate next: disagreement and gradient-guided latent suggestion beside random choice.

Slices of six gliomas at 3 mm; two patients are held out for the test, the slices of the four others are the pool. A
2-D U-Net (16/32/48) is fitted anew in each round, three members of 250 steps; it starts from 10 random slices and asks
for 10 at a time up to 120. ``snn`` walks up the loss in the latent space of a VAE and takes the nearest slices, after
Dai et al., 2020 (suggestive annotation with gradient-guided sampling); ``snn_0_steps`` is the same without the walk.
``suggestion_ratio`` is that of ``committee``, named before anything was measured; the table holds all methods.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import mean
from typing import Any

from benchmarks.harness import Benchmark, Cell, Json, Result, Table
from benchmarks.segmentation.scans import tumours
from dataeff_al.efficiency import LearningCurve, fitted, labels_to_target
from dataeff_al.metrics import evaluate
from dataeff_al.numerics import prepare_thread
from dataeff_al.randomness import rng_for, seed_for
from dataeff_al.samplers.protocol import SamplerContext
from dataeff_al.samples.types import SampleId
from dataeff_al.testing.views import built, fitted_generator, labelled, latents_of, learner_maker, toy_view
from dataeff_al.trainers.protocol import TrainerContext
from dataeff_al.view import View

METHODS: dict[str, dict[str, Any]] = {
    "random": {"kind": "random"},
    "typical": {"kind": "typical"},
    "entropy": {"kind": "entropy", "diversity": 5},
    "committee": {"kind": "committee", "diversity": 5},
    "snn": {"kind": "snn"},
    "snn_0_steps": {"kind": "snn", "steps": 0},
    "latent_walk": {"kind": "latent_walk", "climb": "entropy"},
}
NAMED = "committee"
FIRST, PER_ROUND, LAST = 10, 10, 120
STEPS, MEMBERS, SPACING_MM = 250, 3, 3.0
TESTED = 2
METRIC = "dice/WT"


def _cells(seeds: Sequence[int], quick: bool) -> list[Cell]:
    methods = ["random", "committee"] if quick else list(METHODS)
    return [Cell(f"{name}-seed{seed}", partial(_measure, name, seed, quick)) for seed in seeds for name in methods]


def _measure(method: str, seed: int, quick: bool) -> Json:
    """The learning curve of one method: annotated slices against Dice on the held-out patients."""
    prepare_thread()
    view, test = _start(seed, quick)
    settings = {name: value for name, value in METHODS[method].items() if name != "kind"}
    sampler = built("samplers", METHODS[method]["kind"], SamplerContext(), **settings)
    trainer = built(
        "trainers", "standard", TrainerContext(), steps=10 if quick else STEPS, ensemble="members",
        ensemble_size=2 if quick else MEMBERS, learning_rate=3e-3,
    )  # fmt: skip
    points, search_s, last = [], 0.0, 3 * PER_ROUND if quick else LAST
    while True:
        count = len(view.labelled)
        learner = trainer.fit(view, None, seed_for(seed, "fit", count)).learner
        points.append({"labels": count, **_scores(view, learner, test)})
        if count >= last:
            break
        began = time.process_time()
        chosen = sampler.propose(replace(view, learner=learner), PER_ROUND, rng_for(seed, "propose", count))
        search_s += time.process_time() - began
        view = _with(view, [SampleId(str(proposal.sample)) for proposal in chosen])
    return {"method": method, "seed": seed, "points": points, "search_cpu_s": search_s}


def _start(seed: int, quick: bool) -> tuple[View, Sequence[SampleId]]:
    """A view of the first slices, the same for all methods of a seed, and the slices of the held-out patients."""
    pool = tumours(6.0 if quick else SPACING_MM, "slice")
    patients = list(dict.fromkeys(pool.group(each) for each in pool.ids()))
    tested = {patients[row] for row in rng_for(seed, "patients").permutation(len(patients))[:TESTED]}
    free = [each for each in pool.ids() if pool.group(each) not in tested]
    first = [free[row] for row in rng_for(seed, "first").permutation(len(free))[:FIRST]]
    # The held-out patients' images are kept from the generator too.
    kind, drawn = "pca" if quick else "conv_vae", seed_for(seed, "generator")
    generator = fitted_generator(kind, pool, drawn, ids=free, latent_dim=16)
    view = replace(
        toy_view("mask", "unet"),
        pool=pool,
        codec=pool.codec(),
        target=pool.target,
        generator=generator,
        latents=latents_of(generator, pool, pool.codec(), free),
        new_learner=learner_maker("unet", pool, channels=[8, 16] if quick else [16, 32, 48]),
        labelled=labelled(pool, first),
        validation=[],
        unlabelled=[each for each in free if each not in first],
        pending=[],
    )
    return view, [each for each in pool.ids() if pool.group(each) in tested]


def _with(view: View, chosen: Sequence[SampleId]) -> View:
    new = labelled(_answered(view), chosen)
    return replace(
        view,
        labelled=[*view.labelled, *new],
        unlabelled=[each for each in view.unlabelled if each not in set(chosen)],
        round=view.round + 1,
    )


def _answered(view: View) -> Any:
    """The view's pool, which knows its answers."""
    return view.pool


def _scores(view: View, learner: Any, test: Sequence[SampleId]) -> dict[str, float]:
    prediction = learner.predict(view.codec.soften(view.pool.read(test))).numpy()
    found = evaluate(view.target, prediction, [entry.label for entry in labelled(_answered(view), test)])
    return {name: found[name] for name in (METRIC, "dice/CT", "dice/ET") if name in found}


def _assemble(found: Mapping[str, Json]) -> Result:
    curves: dict[str, dict[int, LearningCurve]] = {}
    for cell in found.values():
        points = [(point["labels"], point[METRIC]) for point in cell["points"]]
        curve = LearningCurve([labels for labels, _ in points], [value for _, value in points])
        curves.setdefault(cell["method"], {})[cell["seed"]] = curve
    ratios = {method: _ratio(each, curves.get("random", {})) for method, each in curves.items()}
    figures: dict[str, float | None] = {f"suggestion_ratio_{method}": ratio for method, ratio in ratios.items()}
    figures["suggestion_ratio"] = ratios.get(NAMED)
    rows: list[list[str | float | int | None]] = [
        [method, len(each), _final(each), ratios[method]] for method, each in curves.items()
    ]
    table = Table(
        "slices to random's last Dice, as a part of random's", ["method", "seeds", "last Dice WT", "ratio"], rows
    )
    shown = {key: cell["points"] for key, cell in found.items()}
    return Result(figures, [table], shown, [__doc__.partition("\n\n")[2].replace("\n", " ").strip()])


def _ratio(ours: Mapping[int, LearningCurve], random: Mapping[int, LearningCurve]) -> float | None:
    """Mean over seeds of the labels to random's last value over random's own; None where a seed does not get there."""
    parts = []
    for seed, curve in ours.items():
        if seed not in random:
            continue
        target = float(fitted(random[seed], more_is_better=True)[1][-1])
        needed, theirs = (labels_to_target(each, target, more_is_better=True) for each in (curve, random[seed]))
        if needed is None or theirs is None:
            return None
        parts.append(needed / theirs)
    return mean(parts) if parts else None


def _final(curves: Mapping[int, LearningCurve]) -> float:
    return mean(float(curve.values[-1]) for curve in curves.values())


BENCHMARK = Benchmark(seeds=3, cells=_cells, assemble=_assemble, piecewise=True)
