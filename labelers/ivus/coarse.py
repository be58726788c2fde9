"""Both borders of every frame on a coarse grid: 64 sectors by at most 64 depths."""

from dataclasses import dataclass

import numpy as np

from labelers.ivus.evidence import Evidence
from labelers.ivus.stack import ANGLES, STEP_MM
from labelers.ivus.surfaces import along_pullback, closed_pair

COARSE_ANGLES = 64
COARSE_LEVELS = 64
LEAST_WALL_MM = 0.08
DEAR = 6.0
"""Cost of a place where no border can be."""


@dataclass(frozen=True)
class Radii:
    """Radii ``(n, ANGLES)`` mm of both borders about the catheter."""

    lumen: np.ndarray
    eem: np.ndarray


@dataclass(frozen=True)
class CoarseCosts:
    """Costs ``(n, COARSE_ANGLES, levels)`` of lumen and EEM; a level is ``step_mm`` deep."""

    lumen: np.ndarray
    eem: np.ndarray
    step_mm: float


def coarse_costs(evidence: list[Evidence], least: int) -> CoarseCosts:
    """Costs of every frame on the coarse grid; no lumen lies within ``least`` samples of the axis."""
    merge = int(np.ceil(evidence[0].lumen.shape[1] / COARSE_LEVELS))
    lumen = np.stack([_reduced(e.lumen, merge) for e in evidence])
    eem = np.stack([_reduced(e.eem, merge) for e in evidence])
    lumen[:, :, : least // merge] = DEAR
    return CoarseCosts(lumen, eem, STEP_MM * merge)


def coarse(costs: CoarseCosts, spacing_mm: float | None) -> Radii:
    """The cheapest borders of every frame, frames joined along the pullback."""
    step = costs.step_mm
    share = float(np.exp(-(spacing_mm or 0.5) / 1.0)) * 0.5
    lumen, eem = (along_pullback(c, 6.0 * step, 1.5, share) for c in (costs.lumen, costs.eem))
    gap = np.full(COARSE_ANGLES, max(1, round(LEAST_WALL_MM / step)), dtype=np.int64)
    found = np.stack([closed_pair(a, b, gap, 4.0 * step, 2.5 * step) for a, b in zip(lumen, eem, strict=True)])
    radii = (found + 0.5) * step
    return Radii(_finer(radii[:, 0]), _finer(radii[:, 1]))


def _reduced(cost: np.ndarray, merge: int) -> np.ndarray:
    angles, radii = cost.shape
    around = cost.reshape(COARSE_ANGLES, angles // COARSE_ANGLES, radii).mean(axis=1)
    padded = np.pad(around, ((0, 0), (0, -radii % merge)), constant_values=DEAR)
    return padded.reshape(COARSE_ANGLES, -1, merge).mean(axis=2)


def _finer(radii: np.ndarray) -> np.ndarray:
    """From the coarse sectors' middles to all angles, closed in angle."""
    per = ANGLES // COARSE_ANGLES
    places = np.arange(COARSE_ANGLES) * per + (per - 1) / 2
    at = np.arange(ANGLES)
    return np.stack([np.interp(at, places, row, period=ANGLES) for row in radii])
