"""Greedy block-wise training beside joint training of the same network, and the memory that each takes.

Six gliomas at 2 mm, leave one patient out, slices of two modalities, three blocks (1/4, 1/2, full resolution) of equal
parameters in all arms. ``joint`` has as many updates of each block as ``blockwise``; ``joint_by_steps`` as many steps
in all. Memory: a 3-D network of three blocks at full resolution on volumes of 64 voxels a side, the highest resident
memory of a process that trains it, less what it had taken before its first step.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark, Cell, Json, Result, Table
from benchmarks.segmentation.judging import judged
from benchmarks.segmentation.scans import tumours, view_of
from dataeff_al.numerics import prepare_thread
from dataeff_al.testing.views import built
from dataeff_al.trainers.protocol import TrainerContext

BLOCKS = [{"coarser": 4, "levels": 2}, {"coarser": 2}, {"coarser": 1}]
WIDTH, LAYERS, STEPS, SPACING_MM = 24, 4, 600, 2.0
ARMS: dict[str, dict[str, Any]] = {
    "blockwise": {"order": "greedy", "steps": 1.0},
    "joint": {"order": "joint", "steps": 1.0},
    "joint_by_steps": {"order": "joint", "steps": 3.0},
    "blockwise_tuned": {"order": "greedy", "steps": 1.0, "fine_tune_steps": 0.5},
    "blockwise_nearest": {"order": "greedy", "steps": 1.0, "reduction": "nearest"},
    "blockwise_majority": {"order": "greedy", "steps": 1.0, "reduction": "majority"},
    "blockwise_any": {"order": "greedy", "steps": 1.0, "reduction": "any"},
}
ABLATION = ("blockwise_tuned", "blockwise_nearest", "blockwise_majority", "blockwise_any")
REGIONS = ("WT", "CT", "ET")
PATIENTS = 6
RESAMPLES = 10_000


def _cells(seeds: Sequence[int], quick: bool) -> list[Cell]:
    memory = [Cell(f"memory-{order}", partial(_memory, order, quick)) for order in ("greedy", "joint")]
    arms = ["blockwise", "joint"] if quick else list(ARMS)
    patients = range(1) if quick else range(PATIENTS)
    fits = [
        Cell(f"{arm}-patient{patient}-seed{seed}", partial(_measure, arm, patient, seed, quick))
        for seed in seeds
        for arm in arms
        for patient in patients
        # The ways of reducing labels are compared once.
        if seed == 0 or arm not in ABLATION
    ]
    return [*memory, *fits]


def _measure(arm: str, patient: int, seed: int, quick: bool) -> Json:
    prepare_thread()
    pool = tumours(4.0 if quick else SPACING_MM)
    held_out = str(pool.ids()[patient])
    full = [str(name) for name in pool.ids() if name != held_out]
    blocks = [{**block, "width": 8 if quick else WIDTH, "layers": LAYERS} for block in BLOCKS]
    view = view_of(pool, full, [], {"kind": "cascade", "dims": 2, "blocks": blocks})
    settings = dict(ARMS[arm])
    for name in ("steps", "fine_tune_steps"):
        if name in settings:
            settings[name] = round(float(settings[name]) * (20 if quick else STEPS))
    trainer = built("trainers", "blockwise", TrainerContext(), **settings)
    began = time.process_time()
    report = trainer.fit(view, None, seed)
    about = {"arm": arm, "patient": held_out, "seed": seed, "steps": report.steps, "loss": report.loss}
    return {
        **about,
        "fit_cpu_s": time.process_time() - began,
        "notes": dict(report.notes),
        **judged(pool, report.learner, [held_out], surfaces=True),
    }


def _memory(order: str, quick: bool) -> Json:
    """In a process of its own, whose memory nothing else has touched."""
    call = [sys.executable, "-m", "benchmarks.segmentation.memory", order, "24" if quick else "64"]
    done = subprocess.run(call, check=True, capture_output=True, text=True)
    found: Json = json.loads(done.stdout.splitlines()[-1])
    return found


def _assemble(found: Mapping[str, Json]) -> Result:
    fits = [cell for key, cell in found.items() if not key.startswith("memory-")]
    # A mean over other patients is no comparison.
    arms = [arm for arm in ARMS if _patients(fits, arm) >= _patients(fits, "blockwise") > set()]
    figures: dict[str, float | None] = {}
    for arm in arms:
        for region in REGIONS:
            for short, metric in (("dice", "dice"), ("sens", "sensitivity"), ("hd95_mm", "hd95_mm")):
                figures[f"{short}_{region.lower()}_{arm}"] = _mean(fits, arm, f"{metric}/{region}")
    memory = {order: found[key] for order in ("greedy", "joint") if (key := f"memory-{order}") in found}
    if len(memory) == 2:
        figures["memory_ratio"] = memory["greedy"]["peak_bytes"] / memory["joint"]["peak_bytes"]
        figures["activations_ratio"] = memory["greedy"]["saved_bytes"] / memory["joint"]["saved_bytes"]
    tables = [_overlaps(fits, arms, figures), _paired(fits), _memory_table(memory)]
    return Result(figures, tables, notes=[__doc__.partition("\n\n")[2].replace("\n", " ").strip()])


def _patients(fits: Sequence[Json], arm: str) -> set[str]:
    return {cell["patient"] for cell in fits if cell["arm"] == arm}


def _mean(fits: Sequence[Json], arm: str, metric: str) -> float | None:
    values = [cell["mean"][metric] for cell in fits if cell["arm"] == arm and metric in cell["mean"]]
    return mean(values) if values else None


def _overlaps(fits: Sequence[Json], arms: Sequence[str], figures: Mapping[str, float | None]) -> Table:
    columns = ["arm", "fits", *(f"{short} {region}" for short in ("dice", "sens", "hd95 mm") for region in REGIONS)]
    keys = [(short, region.lower()) for short in ("dice", "sens", "hd95_mm") for region in REGIONS]
    rows: list[list[str | float | int | None]] = [
        [
            arm,
            sum(cell["arm"] == arm for cell in fits),
            *(_rounded(figures[f"{short}_{region}_{arm}"]) for short, region in keys),
        ]
        for arm in arms
    ]
    return Table("held-out patients: mean over patients and seeds, of arms with all patients", columns, rows)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _paired(fits: Sequence[Json]) -> Table:
    """Block-wise less joint training, patient by patient, with an interval by resampling patients."""
    rows: list[list[str | float | int | None]] = []
    for control in ("joint", "joint_by_steps"):
        for name in ("dice", "sensitivity"):
            for region in REGIONS:
                gaps = _gaps(fits, control, f"{name}/{region}")
                if gaps:
                    rows.append([control, f"{name}/{region}", len(gaps), *_interval(gaps)])
    return Table(
        "block-wise less joint, paired by patient", ["against", "metric", "patients", "mean", "low", "high"], rows
    )


def _gaps(fits: Sequence[Json], control: str, metric: str) -> list[float]:
    def by_patient(arm: str) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for cell in fits:
            if cell["arm"] == arm and metric in cell["mean"]:
                found.setdefault(cell["patient"], []).append(cell["mean"][metric])
        return found

    ours, theirs = by_patient("blockwise"), by_patient(control)
    return [mean(ours[patient]) - mean(theirs[patient]) for patient in ours if patient in theirs]


def _interval(gaps: Sequence[float]) -> list[float | None]:
    """Mean and 95 % interval over resampled patients; no interval of one patient."""
    if len(gaps) < 2:
        return [round(gaps[0], 4), None, None]
    rng = np.random.default_rng(0)
    means = np.asarray(gaps)[rng.integers(len(gaps), size=(RESAMPLES, len(gaps)))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return [round(mean(gaps), 4), round(float(low), 4), round(float(high), 4)]


def _memory_table(memory: Mapping[str, Json]) -> Table:
    rows = [
        [order, *(round(cell[key] / 2**20, 1) for key in ("peak_bytes", "saved_bytes"))]
        for order, cell in memory.items()
    ]
    return Table("3-D network, three blocks at full resolution [MiB]", ["order", "peak", "kept for the gradient"], rows)


BENCHMARK = Benchmark(seeds=3, cells=_cells, assemble=_assemble, piecewise=True)
