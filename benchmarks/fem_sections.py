"""Discretisation error on plaque sections built on real contours: each against a mesh four times as fine.

Both meshes follow sharp tissue interfaces. The contours are real (lumen and external elastic membrane of the frames in
DATAEFF_DATA); the inclusions are laid into the wall by angle and share of its thickness, where it is thickest.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.harness import Json
from dataeff_al.vessel.ivus_contours import ARCHIVE, Frame, read_frames
from labelers.fem_stress import StressSettings, VesselSection, solve

COARSE, FINE = (8, 96), (32, 384)
PIXEL_MM = 0.03


@dataclass(frozen=True)
class Core:
    """A superellipse: its tissue, turn from the thickest wall and half width in rad, depths as shares of the wall."""

    tissue: str
    turn: float
    half_width: float
    depth: tuple[float, float]
    power: float


KINDS: dict[str, Sequence[Core]] = {
    "none": (),
    "lipid core": (Core("lipid", 0.0, 0.6, (0.2, 0.75), 2.0),),
    "calcium arc": (Core("calcium", 0.0, 0.5, (0.3, 0.8), 3.0),),
    "lipid core and calcium arc": (
        Core("lipid", 0.4, 0.5, (0.2, 0.75), 2.0),
        Core("calcium", -0.7, 0.35, (0.3, 0.75), 3.0),
    ),
}


def plaque(frame: Frame, cores: Sequence[Core]) -> VesselSection:
    """The frame's section, moved to the origin, with cores in its wall."""
    middle = frame.lumen.mean(axis=0)
    bare = VesselSection([frame.lumen - middle, frame.membrane - middle], ["wall"])
    t = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    wall = bare.outer.radius(t, bare.centre) - bare.lumen.radius(t, bare.centre)
    thickest = float(t[np.argmax(wall)])
    return VesselSection(bare.contours_mm, ["wall"], [(c.tissue, _polygon(bare, c, thickest)) for c in cores])


def _polygon(bare: VesselSection, core: Core, thickest: float) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    u, v = (np.sign(x) * np.abs(x) ** (2 / core.power) for x in (np.cos(t), np.sin(t)))
    angle = thickest + core.turn + core.half_width * u
    low, high = bare.lumen.radius(angle, bare.centre), bare.outer.radius(angle, bare.centre)
    r = low + (high - low) * (np.mean(core.depth) + (core.depth[1] - core.depth[0]) / 2 * v)
    return np.asarray(bare.centre + r[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))


def relative_error(section: VesselSection) -> float:
    """Relative L2 distance of first principal stress between the two meshes."""
    reach = float(np.abs(section.outer.dense).max()) + 2 * PIXEL_MM
    pixels = 2 * int(np.ceil(reach / PIXEL_MM))
    maps = [solve(section, StressSettings(mesh=mesh)).raster(PIXEL_MM, (pixels, pixels))[0] for mesh in (COARSE, FINE)]
    both = np.isfinite(maps[0]) & np.isfinite(maps[1])
    return float(np.linalg.norm((maps[0] - maps[1])[both]) / np.linalg.norm(maps[1][both]))


def sections(count: int) -> Json:
    """The error of ``count`` sections, every kind of inclusion in turn. Without DATAEFF_DATA there are none."""
    root = os.environ.get("DATAEFF_DATA")
    if not root:
        return {"figures": {"section_rel_l2": None, "section_rel_l2_max": None}, "rows": []}
    frames = read_frames(Path(root) / ARCHIVE)
    rows: list[Json] = []
    for i, place in enumerate(np.linspace(0, len(frames) - 1, count).astype(int)):
        kind = list(KINDS)[i % len(KINDS)]
        error = relative_error(plaque(frames[place], KINDS[kind]))
        rows.append({"section": f"{frames[place].phase} {frames[place].number}", "inclusions": kind, "rel_l2": error})
    errors = [row["rel_l2"] for row in rows]
    return {
        "figures": {"section_rel_l2": float(np.median(errors)), "section_rel_l2_max": float(np.max(errors))},
        "rows": rows,
    }
