"""Borders in synthetic ultrasound frames: ``python -m benchmarks ivus``.

Every recording has its own vessel, catheter, gain, blood level, noise, depth and dynamic range, drawn from wide ranges;
the truth is what was put in. Frames shaped after real contours are added where DATAEFF_DATA is set. These numbers are
of a simulator and say nothing about patients.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.harness import Benchmark, Cell, Json, Result, Table
from benchmarks.ivus_calcium import calcified_vessel, calcium_cells, calcium_figures, calcium_row
from benchmarks.ivus_overlap import area_difference, hausdorff_mm, jaccard
from dataeff_al.vessel.ivus_contours import ARCHIVE, read_frames
from labelers.ivus import Pullback, measure, segment
from labelers.ivus.borders import drawn_borders
from labelers.ivus.simulator.recording import SyntheticPullback, simulate, simulate_vessel
from labelers.ivus.simulator.settings import CLEAN, Artefacts, settings_for, varied
from labelers.ivus.simulator.vessels import real_vessel

FRAMES = 12
SPACING_MM = 0.5
KINDS = {"artefacts": Artefacts(), "clean": CLEAN, "shadows": replace(CLEAN, calcium_shadow=True)}
"""All artefacts, none, and the shadow of calcium alone: without one, calcium is no more than bright tissue."""
TAILS = {"generated": "", "real": "_real_shapes", "calcified": "_wide_arcs"}
BORDERS = ("lumen", "eem")
SPEED_SIDE_PX, SPEED_FRAMES = 512, 60
NOTES = [
    "Synthetic frames, not clinical data: each recording with its own gain, noise, blood level, depth and dynamic "
    "range. 'real' shapes are the contours of one artery; 'calcified' ones are generated, with wide arcs of calcium.",
    "JM: Jaccard measure; HD: Hausdorff distance; PAD: difference of areas as a share; p5: the worst twentieth.",
    "Calcium is judged angle by angle: a beam is calcified that passes 0.05 mm of it or more. Sensitivity is the share "
    "of these that is found, false the share of those without any that is marked; the arc's error is that of frames of "
    "which 15 degrees or more are calcified. Clean frames show no shadow, so that calcium cannot be told there.",
]


def recording(frequency: int, kind: str, seed: int) -> SyntheticPullback:
    """A recording that depends on its arguments alone."""
    rng = np.random.default_rng([frequency, seed, 11])
    return simulate_vessel(FRAMES, varied(settings_for(frequency, KINDS[kind]), rng), rng)


def real_recording(frequency: int, kind: str, seed: int) -> SyntheticPullback:
    """Frames shaped after contours of one real artery, in its order."""
    frames = [f for f in read_frames(Path(os.environ["DATAEFF_DATA"]) / ARCHIVE) if f.phase == "diastolic"]
    start = (seed * FRAMES) % (len(frames) - FRAMES)
    rng = np.random.default_rng([frequency, seed, 12])
    sections = real_vessel(frames[start : start + FRAMES])
    settings = varied(settings_for(frequency, KINDS[kind]), rng)
    return simulate([s for s, _ in sections], settings, rng, drawn=[extra for _, extra in sections])


def calcified_recording(frequency: int, kind: str, seed: int) -> SyntheticPullback:
    """Frames of a generated vessel with wide arcs of calcium."""
    rng = np.random.default_rng([frequency, seed, 14])
    sections = calcified_vessel(FRAMES, SPACING_MM, rng)
    settings = varied(settings_for(frequency, KINDS[kind]), rng)
    return simulate([s for s, _ in sections], settings, rng, spacing_mm=SPACING_MM, drawn=[d for _, d in sections])


RECORDINGS = {"generated": recording, "real": real_recording, "calcified": calcified_recording}


def scored(source: str, frequency: int, kind: str, seed: int) -> Json:
    """Agreement with the truth, frame by frame."""
    made = RECORDINGS[source](frequency, kind, seed)
    borders = segment(made.pullback)
    rows = []
    for found, truth in zip(
        zip(borders.lumen_mm, borders.eem_mm, strict=True), zip(made.lumen_mm, made.eem_mm, strict=True), strict=True
    ):
        row: dict[str, float] = {}
        for name, a, b in zip(BORDERS, found, truth, strict=True):
            row |= {
                f"{name}_jm": jaccard(a, b),
                f"{name}_hd_mm": hausdorff_mm(a, b),
                f"{name}_pad": area_difference(a, b),
            }
        rows.append(row)
    calcium = [calcium_row(scene, arcs) for scene, arcs in zip(made.scenes, borders.calcium, strict=True)]
    return {"source": source, "frequency": frequency, "kind": kind, "rows": rows, "calcium": calcium}


def speed(frames: int) -> Json:
    """Frames a second of one core's CPU time, from Cartesian frames of 512 x 512 to borders, the best of three runs."""
    rng = np.random.default_rng(5)
    made = simulate_vessel(6, settings_for(20), rng).pullback
    merge = SPEED_SIDE_PX // made.frames.shape[1]
    large = np.repeat(np.repeat(made.frames, merge, axis=1), merge, axis=2)
    pullback = Pullback(np.tile(large, (frames // 6, 1, 1)), made.pixel_size_mm / merge, 0.5)
    segment(pullback.part(slice(0, 6)))
    rates = []
    for _ in range(3):
        started = time.process_time()
        segment(pullback)
        rates.append(len(pullback) / (time.process_time() - started))
    return {"figures": {"frames_per_s": max(rates)}}


def analytic() -> Json:
    """Greatest relative error of areas and diameters on circles and ellipses of known size."""
    t = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    errors = []
    for a, b in ((1.0, 1.0), (1.6, 1.1), (2.4, 1.9)):
        lumen, eem = (np.column_stack([s * a * np.cos(t) + 0.2, s * b * np.sin(t) - 0.1]) for s in (1.0, 1.5))
        row = measure(drawn_borders([lumen], [eem]))[0]
        exact = {
            "lumen_area_mm2": np.pi * a * b,
            "eem_area_mm2": 2.25 * np.pi * a * b,
            "plaque_burden_percent": 100 * (1 - 1 / 2.25),
            "lumen_min_diameter_mm": 2 * b,
            "lumen_max_diameter_mm": 2 * a,
        }
        errors += [abs(row[name] / value - 1) for name, value in exact.items()]
    return {"figures": {"measures_worst_rel": float(max(errors))}}


def cells(seeds: Sequence[int], quick: bool) -> list[Cell]:
    """One recording a cell."""
    sources = list(RECORDINGS) if os.environ.get("DATAEFF_DATA") and not quick else ["generated", "calcified"]
    grid = [
        Cell(f"{source}-{frequency}-{kind}-{seed}", partial(scored, source, frequency, kind, seed))
        for seed in seeds
        for source in sources
        for frequency in (20, 40)
        for kind in KINDS
        if (source, kind) != ("calcified", "clean")
    ]
    return [Cell("speed", partial(speed, 12 if quick else SPEED_FRAMES)), Cell("analytic", analytic), *grid]


def assemble(found: Mapping[str, Json]) -> Result:
    """Means over all frames of a kind; recordings with artefacts give the plain figures."""
    figures: dict[str, float | None] = {}
    borders: list[list[str | float | int | None]] = []
    calcium: list[list[str | float | int | None]] = []
    for source, frequency, kind in product(RECORDINGS, (20, 40), KINDS):
        chosen = [cell for cell in found.values() if _is(cell, source, frequency, kind)]
        if not chosen:
            continue
        frames = [row for cell in chosen for row in cell["rows"]]
        arcs = [row for cell in chosen for row in cell["calcium"]]
        means = {name: float(np.mean([frame[name] for frame in frames])) for name in frames[0]}
        marked = calcium_figures(arcs, KINDS[kind].calcium_shadow)
        tail = f"{frequency}mhz{'' if kind == 'artefacts' else '_' + kind}{TAILS[source]}"
        shown = {name: value for name, value in means.items() if not name.endswith("_pad")}
        figures |= {f"{name}_{tail}": value for name, value in (shown | marked).items()}
        worst = [float(np.percentile([f[f"{b}_jm"] for f in frames], 5)) for b in BORDERS]
        borders.append([source, frequency, kind, len(frames), *means.values(), *worst])
        calcium.append([source, frequency, kind, len(frames), *calcium_cells(arcs, marked)])
    for name in ("speed", "analytic"):
        figures |= found[name]["figures"]
    first = ["shapes", "MHz", "frames are", "n"]
    of_borders = ["lumen JM", "lumen HD mm", "lumen PAD", "EEM JM", "EEM HD mm", "EEM PAD", "lumen JM p5", "EEM JM p5"]
    of_calcium = ["with an arc", "its mean deg", "sensitivity", "false", "arc error deg", "frames without, marked"]
    tables = [
        Table("Borders in synthetic frames", first + of_borders, borders),
        Table("Calcium in synthetic frames", first + of_calcium, calcium),
    ]
    return Result(figures, tables, notes=NOTES)


def _is(cell: Json, source: str, frequency: int, kind: str) -> bool:
    return (cell.get("source"), cell.get("frequency"), cell.get("kind")) == (source, frequency, kind)


BENCHMARK = Benchmark(seeds=5, cells=cells, assemble=assemble)
