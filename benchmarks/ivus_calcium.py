"""Calcium in synthetic frames: what was put in, beside what was found; and vessels with wide arcs of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.harness import Json
from dataeff_al.vessel.polar import PolarSection, angles
from labelers.ivus import CalciumArc
from labelers.ivus.simulator.scene import TISSUES, Scene
from labelers.ivus.simulator.vessels import DrawnInclusion, generated_vessel

DEGREES = np.arange(360)
LEAST_MM, STEP_MM, REACH_MM = 0.05, 0.02, 7.0
"""A beam that passes so much calcium is calcified; one that passes none is not; what lies between counts as neither."""
LEAST_ARC_DEG = 15
SIZE = {"half_width": (0.3, 2.2), "cap_mm": (0.05, 0.3), "thin_mm": (0.15, 0.35), "thick_mm": (0.4, 0.8)}
"""Arcs from 30 degrees to most of the circle, as drawn in real frames, thin and thick ones."""


def calcium_row(scene: Scene, arcs: Sequence[CalciumArc]) -> dict[str, float]:
    """One frame in degrees: calcified and found of them, free of calcium and marked of them, all that is marked."""
    tissues = scene.tissues((np.arange(int(REACH_MM / STEP_MM)) + 0.5) * STEP_MM)[0]
    passed_mm = (tissues == TISSUES.index("calcium")).sum(axis=1) * STEP_MM
    at_degree = passed_mm[((DEGREES + 0.5) * len(passed_mm) / 360).astype(int) % len(passed_mm)]
    marked = np.zeros(360, dtype=bool)
    for arc in arcs:
        marked |= (DEGREES - arc.start) % 360 <= arc.arc_deg
    calcified, free = at_degree >= LEAST_MM, at_degree == 0
    parts = {"calcified": calcified, "found": calcified & marked, "free": free, "false": free & marked,
             "marked": marked}  # fmt: skip
    return {name: float(part.sum()) for name, part in parts.items()}


def calcium_figures(rows: Sequence[Mapping[str, float]], shadows: bool) -> dict[str, float | None]:
    """Shares of angles found and falsely marked; mean error of the arc in frames that hold one, degrees.

    Without ``shadows``, calcium is no more than bright tissue, and only what is falsely marked can be told.
    """
    total = {name: sum(row[name] for row in rows) for name in rows[0]}
    figures: dict[str, float | None] = {"calcium_false": total["false"] / max(total["free"], 1.0)}
    holding = [row for row in rows if row["calcified"] >= LEAST_ARC_DEG]
    if shadows and holding:
        figures["calcium_sensitivity"] = total["found"] / total["calcified"]
        figures["calcium_arc_error_deg"] = float(np.mean([abs(r["marked"] - r["calcified"]) for r in holding]))
    return figures


def calcium_cells(rows: Sequence[Mapping[str, float]], figures: Json) -> list[float | int | None]:
    """A table's cells: frames with an arc, its mean, and the figures."""
    holding = [row["calcified"] for row in rows if row["calcified"] >= LEAST_ARC_DEG]
    free = [row for row in rows if row["calcified"] == 0]
    alarmed = float(np.mean([row["marked"] > 0 for row in free])) if free else None
    names = ("calcium_sensitivity", "calcium_false", "calcium_arc_error_deg")
    return [len(holding), float(np.mean(holding)) if holding else None, *(figures.get(n) for n in names), alarmed]


def calcified_vessel(
    count: int, spacing_mm: float, rng: np.random.Generator
) -> list[tuple[PolarSection, tuple[DrawnInclusion, ...]]]:
    """A generated vessel whose calcium is one or two arcs, wide and long as those drawn in real frames."""
    sections = [_without_calcium(section) for section in generated_vessel(count, spacing_mm, rng)]
    found: list[tuple[DrawnInclusion, ...]] = [() for _ in sections]
    for _ in range(rng.integers(1, 3)):
        middle_mm, half_length_mm = rng.uniform(0, count * spacing_mm), rng.uniform(1.0, 4.0)
        angle, width, cap_mm = rng.uniform(0, 2 * np.pi), rng.uniform(*SIZE["half_width"]), rng.uniform(*SIZE["cap_mm"])
        thick_mm = rng.uniform(*SIZE["thin_mm" if rng.random() < 0.5 else "thick_mm"])
        for i, section in enumerate(sections):
            size = 1 - ((i * spacing_mm - middle_mm) / half_length_mm) ** 2
            if size > 0.05:
                found[i] += (_arc(section, angle, width * np.sqrt(size), cap_mm, thick_mm),)
    return list(zip(sections, found, strict=True))


def _without_calcium(section: PolarSection) -> PolarSection:
    return replace(section, inclusions=tuple(i for i in section.inclusions if i.tissue != "calcium"))


def _arc(section: PolarSection, angle: float, half_width: float, cap_mm: float, thick_mm: float) -> DrawnInclusion:
    turn = np.abs((angles() - angle + np.pi) % (2 * np.pi) - np.pi)
    inner = np.minimum(cap_mm, 0.3 * section.wall_mm)
    outer = np.minimum(inner + thick_mm * np.clip((half_width - turn) / 0.1, 0.0, 1.0), 0.9 * section.wall_mm)
    return DrawnInclusion("calcium", inner, np.where(turn < half_width, outer, inner))
