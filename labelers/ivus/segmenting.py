"""From a pullback to borders: coarse over the whole pullback, then finer around a smooth reference."""

from dataclasses import dataclass, replace

import numpy as np

from labelers.ivus.coarse import LEAST_WALL_MM, CoarseCosts, Radii, coarse, coarse_costs
from labelers.ivus.evidence import Evidence, Levels, gather, without_eem
from labelers.ivus.held_out import predicted
from labelers.ivus.shadows import Shadows, find_shadows
from labelers.ivus.smoothing import circle_about, smooth_rings
from labelers.ivus.stack import ANGLES, STEP_MM, PolarStack, smoothed
from labelers.ivus.surfaces import closed_pair
from labelers.ivus.visibility import clear_of_ring, confidences

BAND = 25
COARSE_STIFFNESS, MIDDLE_STIFFNESS, FINE_STIFFNESS = 3e-4, 2.4e-4, 1.2e-4
HALF_POWER = 0.07
"""3 dB of the 40 to 50 dB that lie between the dark and the bright of a recording."""
MOST_FLANK_MM = 0.12
AVERAGED = (2.0, 0.09)
"""Angles and mm over which speckle is averaged before classes of grey are told apart."""
LEAST_SAMPLES = 200
LEAST_CONTRAST = 0.75
"""Part of the contrast of the two classes of grey within the EEM that both sides of a lumen must have."""
NEIGHBOURS = 0.25
"""Weight of the frames on both sides of a fully seen place, for a spacing well below a millimetre."""


@dataclass(frozen=True)
class Found:
    """Radii, the confidence of each place ``(n, ANGLES)``, and what hides the borders: guide-wires and calcium."""

    radii: Radii
    lumen_sure: np.ndarray
    eem_sure: np.ndarray
    wire: np.ndarray
    shadows: Shadows


def find_borders(stack: PolarStack, spacing_mm: float | None) -> Found:
    """Both borders of all frames of a stack."""
    say = NEIGHBOURS * float(np.exp(-(spacing_mm or 0.5) / 1.0))
    first = evidence_of(stack, levels_of(stack, None))
    costs = coarse_costs(first, stack.catheter.radius)
    begun = coarse(costs, spacing_mm)
    radii = _smoothed(first, begun, COARSE_STIFFNESS, say)[0]
    stack = replace(stack, wires=stack.wires.within(radii.lumen))
    levels = _levels_within(stack, radii)
    shadows = find_shadows(stack, radii.lumen, levels, spacing_mm)
    costs = coarse_costs(_behind_calcium(first, shadows), stack.catheter.radius)
    evidence = _behind_calcium(evidence_of(stack, levels), shadows)
    # What was taken for blood changes where the lumen is sought; the EEM is sought where it was.
    again = coarse_costs(evidence, stack.catheter.radius)
    costs = CoarseCosts(again.lumen, costs.eem, again.step_mm)
    shown = predicted(stack, costs, shadows.calcified, spacing_mm)
    second = coarse(costs, spacing_mm)
    radii = _smoothed(evidence, second, COARSE_STIFFNESS, say)[0]
    evidence = _behind_calcium(evidence_of(stack, levels_of(stack, radii, shadows.calcified)), shadows)
    radii = _smoothed(evidence, refined(evidence, radii, (0.10, 0.16)), MIDDLE_STIFFNESS, say)[0]
    sharp = refined(evidence, radii, (0.12, 0.20))
    sharp = Radii(sharp.lumen + flank_mm(stack, sharp.lumen), sharp.eem)
    radii, lumen_sure, eem_sure = _smoothed(evidence, sharp, FINE_STIFFNESS, say)
    # Only what is told: an unseen lumen would follow its neighbours rather than the ring-down that it touches.
    lumen_sure = lumen_sure * clear_of_ring(radii.lumen, stack.catheter.ring * STEP_MM)
    return Found(radii, shown[:, :1] * lumen_sure, shown[:, 1:] * eem_sure, stack.wire, shadows)


def _behind_calcium(evidence: list[Evidence], shadows: Shadows) -> list[Evidence]:
    """The evidence of every frame, without any for an EEM behind calcium."""
    return [without_eem(*one) for one in zip(evidence, shadows.calcified, shadows.front_mm, strict=True)]


def _smoothed(
    evidence: list[Evidence], found: Radii, stiffness: float, say: float
) -> tuple[Radii, np.ndarray, np.ndarray]:
    """Borders made smooth by how sure each place is, kept apart; and those confidences ``(n, ANGLES)``."""
    sure = [confidences(e, a, b) for e, a, b in zip(evidence, found.lumen, found.eem, strict=True)]
    lumen_sure, eem_sure = (np.stack(part) for part in zip(*sure, strict=True))
    lumen = smooth_rings(found.lumen, lumen_sure**2, stiffness, say)
    round_mm = np.stack([circle_about(*one) for one in zip(lumen, found.eem, eem_sure, strict=True)])
    eem = round_mm + smooth_rings(found.eem - round_mm, eem_sure**2, 2 * stiffness, say)
    return Radii(lumen, np.maximum(eem, lumen + LEAST_WALL_MM)), lumen_sure, eem_sure


def refined(evidence: list[Evidence], reference: Radii, slopes: tuple[float, float]) -> Radii:
    """Both borders of every frame within a band around their references, at full resolution."""
    offsets = (np.arange(BAND) - BAND // 2) * STEP_MM
    lumen, eem = np.empty_like(reference.lumen), np.empty_like(reference.eem)
    for f, one in enumerate(evidence):
        inner = _band(one.lumen_near, reference.lumen[f], offsets)
        outer = _band(one.eem, reference.eem[f], offsets)
        gap = np.ceil((LEAST_WALL_MM - (reference.eem[f] - reference.lumen[f])) / STEP_MM).astype(np.int64)
        levels = closed_pair(inner, outer, gap, *slopes)
        lumen[f] = reference.lumen[f] + offsets[levels[0]] + _between(inner, levels[0])
        eem[f] = reference.eem[f] + offsets[levels[1]] + _between(outer, levels[1])
    return Radii(lumen, eem)


def flank_mm(stack: PolarStack, lumen: np.ndarray) -> float:
    """How far the display's edge of the lumen lies before the border itself, mm, one number for a recording.

    The pulse's flank before a bright border is displayed bright, for a display is logarithmic. The border is where the
    echo has half its power: HALF_POWER of the grey range below the brightest part of the mean profile across the edge.
    """
    offsets = np.arange(-4, 9)
    profiles = []
    for f in range(0, len(lumen), max(1, len(lumen) // 16)):
        place = np.rint(lumen[f] / STEP_MM - 0.5).astype(np.intp)
        columns = np.clip(place[:, None] + offsets, 0, stack.grey.shape[2] - 1)
        free = ~stack.wire[f] & (place > stack.catheter.ring + 4)
        profiles.append(np.take_along_axis(stack.grey[f], columns, axis=1)[free])
    across = np.concatenate(profiles)
    if len(across) < ANGLES // 4:
        return 0.0
    mean = across.mean(axis=0)
    peak = int(mean.argmax())
    wanted = mean[peak] - min(HALF_POWER, 0.4 * (mean[peak] - mean[0]))
    rising = np.flatnonzero(mean[: peak + 1] < wanted)
    if not rising.size or rising[-1] == peak:
        return 0.0
    low = int(rising[-1])
    place = offsets[low] + (wanted - mean[low]) / (mean[low + 1] - mean[low])
    return float(np.clip(place * STEP_MM, 0.0, MOST_FLANK_MM))


def _band(cost: np.ndarray, reference: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Costs ``(angles, BAND)`` at the radii of a band, linear between samples; dear beyond the grid."""
    place = (reference[:, None] + offsets[None]) / STEP_MM - 0.5
    low = np.clip(np.floor(place).astype(np.int64), 0, cost.shape[1] - 2)
    share = np.clip(place - low, 0, 1)
    rows = np.arange(len(cost))[:, None]
    values = cost[rows, low] * (1 - share) + cost[rows, low + 1] * share
    return np.where((place < 0) | (place > cost.shape[1] - 1), 6.0, values)


def _between(cost: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Where between the levels the cost is least, mm: the vertex of a parabola through three levels."""
    rows = np.arange(len(cost))
    at = np.clip(levels, 1, cost.shape[1] - 2)
    before, here, after = cost[rows, at - 1], cost[rows, at], cost[rows, at + 1]
    bend = before - 2 * here + after
    shift = np.where(bend > 1e-9, 0.5 * (before - after) / np.maximum(bend, 1e-9), 0.0)
    return np.where(levels == at, np.clip(shift, -0.5, 0.5), 0.0) * STEP_MM


def levels_of(stack: PolarStack, radii: Radii | None, calcified: np.ndarray | None = None) -> list[Levels]:
    """Blood and tissue of each frame: from the borders where known, else from the recording as a whole.

    ``calcified`` ``(n, ANGLES)``: angles that show neither wall nor tissue as they are.
    """
    if radii is None:
        return [_first_levels(stack)] * len(stack.grey)
    r = stack.radii_mm
    found = []
    for f, grey in enumerate(stack.grey):
        free = ~stack.wire[f]
        bare = free if calcified is None else free & ~calcified[f]
        lumen = radii.lumen[f][:, None]
        blood = (r > stack.radii_mm[stack.catheter.ring]) & (r < lumen - 0.1)
        tissue = (r > lumen + 0.05) & (r < radii.eem[f][:, None] + 0.4)
        wall = (r > lumen + 0.03) & (r < np.minimum(radii.eem[f][:, None] - 0.1, lumen + 0.3))
        parts = ((blood, free), (wall, bare), (tissue, bare))
        found.append([_level(grey[angles], part[angles], 50) for part, angles in parts])
    return _steady(np.array(found))


def _level(grey: np.ndarray, where: np.ndarray, percentile: float) -> float:
    values = grey[where]
    return float(np.percentile(values, percentile)) if values.size > 50 else np.nan


def _steady(found: np.ndarray) -> list[Levels]:
    """Levels ``(n, 3)`` drawn half-way to those of all frames; frames without some take those of all frames."""
    known = [column[np.isfinite(column)] for column in found.T]
    usual = np.array([np.median(c) if c.size else g for c, g in zip(known, (0.2, 0.5, 0.6), strict=True)])
    mixed = 0.5 * np.where(np.isfinite(found), found, usual) + 0.5 * usual
    return [Levels(float(b), float(max(w, b + 0.05)), float(max(t, b + 0.08))) for b, w, t in mixed]


def _first_levels(stack: PolarStack) -> Levels:
    """The two classes of grey (Otsu, 1979) between the catheter and 3 mm, speckle averaged.

    Unsmoothed, the two classes would be the dark and the bright of the speckle where blood is nearly as bright as wall.
    """
    first = stack.catheter.ring
    chosen = stack.grey[:: max(1, len(stack.grey) // 24), :, : int(3.0 / STEP_MM)]
    part = np.stack([smoothed(grey, *AVERAGED) for grey in chosen])[:, :, first:]
    blood, tissue = _two_classes(part)
    return Levels(blood, 0.3 * blood + 0.7 * tissue, tissue)


def _levels_within(stack: PolarStack, radii: Radii) -> list[Levels]:
    """Levels of each frame; or the two classes of grey within the EEM for all, where the lumen seems to lie wrong.

    Levels on both sides of a lumen that lies wrong would confirm it, and they differ too little.
    """
    eem = radii.eem
    r, first = stack.radii_mm, stack.catheter.ring
    inside, outside = [], []
    for f in range(0, len(stack.grey), max(1, len(stack.grey) // 24)):
        grey, free = smoothed(stack.grey[f], *AVERAGED), ~stack.wire[f][:, None]
        within = (r > r[first]) & (r < eem[f][:, None] - 0.15) & free
        inside.append(grey[within])
        outside.append(grey[(r > eem[f][:, None]) & (r < eem[f][:, None] + 0.4) & free])
    grey, beyond = np.concatenate(inside), np.concatenate(outside)
    if min(grey.size, beyond.size) < LEAST_SAMPLES:
        return levels_of(stack, radii)
    blood, wall = _two_classes(grey)
    own = levels_of(stack, radii)
    if np.median([level.wall - level.blood for level in own]) > LEAST_CONTRAST * (wall - blood):
        return own
    return [Levels(blood, wall, max(wall, float(np.median(beyond)), blood + 0.08))] * len(stack.grey)


def _two_classes(grey: np.ndarray) -> tuple[float, float]:
    """Means of the dark and the bright class of grey levels that a threshold parts best (Otsu, 1979)."""
    counts, edges = np.histogram(grey, bins=64, range=(0.0, 1.25))
    middle = (edges[1:] + edges[:-1]) / 2
    weight = np.cumsum(counts) / counts.sum()
    mean = np.cumsum(counts * middle) / counts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mean[-1] * weight - mean) ** 2 / (weight * (1 - weight))
    cut = int(np.nanargmax(np.where(np.isfinite(between), between, -1)))
    return float(mean[cut] / weight[cut]), float((mean[-1] - mean[cut]) / (1 - weight[cut]))


def evidence_of(stack: PolarStack, levels: list[Levels]) -> list[Evidence]:
    """Evidence of every frame."""
    first = stack.catheter.ring
    return [gather(g, level, first, hidden) for g, level, hidden in zip(stack.grey, levels, stack.wire, strict=True)]
