"""Which angles calcium hides: a front brighter than the tissue around, and shadow from there to the end of the depth.

How dark a shadow is depends on depth, beam, gain and display. So the grey behind a front is compared with that of the
recording itself at the same depth: a shadow stays below it all the way, as nothing else does. Blood of a side branch
or of a vein is dark for a part of the way and has no bright front; a guide-wire lies in the lumen (see ``wire``); what
lies behind more tissue than usual at its depth is darker, too, but gradually, and that is taken off.

The recording's usual grey is found twice: first as a percentile that is tissue's even where half of all angles lie in
shadow, then as the median of the angles without.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from labelers.ivus.compiled import kernel
from labelers.ivus.evidence import Levels
from labelers.ivus.stack import ANGLES, STEP_MM, PolarStack

MERGED = 2
"""Samples of depth that are averaged into one."""
DEPTH_STEP_MM = MERGED * STEP_MM
AVERAGED = 2.0
"""Angles over which speckle and scores are averaged."""
SAMPLED_FRAMES = 32
FAINT = 0.12
"""Depths at which the usual grey is this dark show no shadow: the end of penetration."""
FIRST_PERCENTILE, FIRST_SHADOW, SUSPECT = 65.0, 0.15, 0.11
SHADOW, FRONT = 0.115, 0.05
"""Least grey that a shadow lies below the usual one, and a front above the tissue of its frame."""
SPREAD = 0.04
"""Grey by which a score of 1 exceeds both."""
SURE, POSSIBLE = 0.5, -0.5
"""Scores that a run of angles needs somewhere, and that each of its angles needs."""
BEYOND_LUMEN_MM, LEAST_BEHIND_MM, FRONT_MM = 1.4, 0.6, 1.2
"""How far beyond the lumen a shadow begins at most, how long it is at least, and how far before it its front lies."""
NEAR_MM, REVERBERATION = 0.8, 0.02
"""A shadow is dark from its beginning; so much brighter it may be there, for calcium echoes more than once."""
LOSS_FROM_MM, MOST_LOSS = 0.5, 0.15
"""Depth of tissue from which its loss is looked at; the most grey that a millimetre of it takes."""
NEIGHBOURS = 0.15
"""Weight of the frames on both sides, half a millimetre away; it falls to a third with each millimetre."""


@dataclass(frozen=True)
class Shadows:
    """``calcified`` ``(n, ANGLES)`` bool, and where its bright front lies, mm."""

    calcified: np.ndarray
    front_mm: np.ndarray


@dataclass(frozen=True)
class Usual:
    """The recording's grey ``(radii,)`` at each depth; the tissue passed there, mm, and the grey a mm of it takes."""

    grey: np.ndarray
    passed_mm: np.ndarray
    loss: float


def find_shadows(stack: PolarStack, lumen_mm: np.ndarray, levels: list[Levels], spacing_mm: float | None) -> Shadows:
    """Calcified angles of all frames behind a lumen ``(n, ANGLES)`` mm."""
    grey = _merged(stack)
    tissue = np.array([level.tissue for level in levels])
    say = NEIGHBOURS * float(np.exp(0.5 - (spacing_mm or 0.5)))
    free = ~stack.wire
    usual = _percentile(grey, free, FIRST_PERCENTILE)
    found, drop = _shadows(grey, usual, lumen_mm, tissue, FIRST_SHADOW, stack.wire, say)
    suspect = ndimage.maximum_filter1d(found.calcified, 9, axis=1, mode="wrap") | (_steady(drop) > SUSPECT)
    if (free & ~suspect).sum() > ANGLES // 4:
        free &= ~suspect
    usual = _with_loss(grey, _percentile(grey, free, 50.0), lumen_mm, free)
    return _shadows(grey, usual, lumen_mm, tissue, SHADOW, stack.wire, say)[0]


def _merged(stack: PolarStack) -> np.ndarray:
    """Grey ``(n, ANGLES, radii)`` on a coarser grid of depths, as deep as all angles are imaged, speckle averaged."""
    reach = int(stack.seen.min()) if stack.seen.min() > 20 else stack.grey.shape[2]
    n, radii = len(stack.grey), reach // MERGED
    merged = stack.grey[:, :, : radii * MERGED].reshape(n, ANGLES, radii, MERGED).mean(axis=3)
    return ndimage.gaussian_filter1d(merged, AVERAGED, axis=1, mode="wrap", truncate=2.5)


def _percentile(grey: np.ndarray, free: np.ndarray, percentile: float) -> Usual:
    """The usual grey of the free angles ``(n, ANGLES)``, as deep as there is enough of it."""
    every = max(1, len(grey) // SAMPLED_FRAMES)
    shown = grey[::every, ::2][free[::every, ::2]]
    usual = np.percentile(shown, percentile, axis=0) if len(shown) else np.zeros(grey.shape[2])
    lit = np.flatnonzero(usual > FAINT)
    usual = usual[: int(lit[-1]) + 1 if lit.size else 0]
    return Usual(usual, np.zeros(len(usual)), 0.0)


def _with_loss(grey: np.ndarray, usual: Usual, lumen_mm: np.ndarray, free: np.ndarray) -> Usual:
    """The same with what tissue takes from the echo: at one depth, more where the lumen's border lies nearer."""
    depth = len(usual.grey)
    every = max(1, len(grey) // SAMPLED_FRAMES)
    chosen = free[::every]
    place = (np.arange(depth) + 0.5) * DEPTH_STEP_MM
    passed = place - lumen_mm[::every][chosen][:, None]
    missing = usual.grey - grey[::every, :, :depth][chosen]
    deep = passed > LOSS_FROM_MM
    count = np.maximum(deep.sum(axis=0), 1)
    usual_passed = np.where(deep, passed, 0.0).sum(axis=0) / count
    more = np.where(deep, passed - usual_passed, 0.0)
    rest = missing - np.where(deep, missing, 0.0).sum(axis=0) / count
    loss = float(np.clip((more * rest).sum() / max((more**2).sum(), 1.0), 0.0, MOST_LOSS))
    return Usual(usual.grey, usual_passed, loss)


def _shadows(
    grey: np.ndarray,
    usual: Usual,
    lumen_mm: np.ndarray,
    tissue: np.ndarray,
    least: float,
    hidden: np.ndarray,
    neighbours: float,
) -> tuple[Shadows, np.ndarray]:
    """Calcified angles by so dark a shadow; and how dark ``(n, ANGLES)`` it is."""
    drop, front, bright = _behind(grey, usual.grey, usual.passed_mm, usual.loss, lumen_mm, least / 2, DEPTH_STEP_MM)
    excess = np.minimum(drop - least, bright - tissue[:, None] - FRONT) / SPREAD
    scores = np.stack([_across(e, h) for e, h in zip(np.clip(excess, -2.0, 2.0), hidden, strict=True)])
    calcified = np.stack([_linked(frame) for frame in _joined(_steady(scores), neighbours)])
    return Shadows(calcified, front), drop


@kernel
def _behind(
    grey: np.ndarray,
    usual: np.ndarray,
    passed_mm: np.ndarray,
    loss: float,
    lumen_mm: np.ndarray,
    half: float,
    step: float,
) -> np.ndarray:
    """How far the grey lies below the usual one behind the place where it falls off, and what lies before that.

    The place is a change point: of all places near the lumen, the one behind which most is missing, less ``half`` for
    each sample. Returns ``(3, n, angles)``: the grey missing, and depth in mm and grey of the brightest before.
    """
    n, angles, _ = grey.shape
    depth = len(usual)
    found = np.full((3, n, angles), -1.0)
    missing = np.zeros(depth)
    for f in range(n):
        for a in range(angles):
            lumen = lumen_mm[f, a]
            last = min(int((lumen + BEYOND_LUMEN_MM) / step), depth - int(LEAST_BEHIND_MM / step))
            first = int(lumen / step) + 1
            total, most, at = 0.0, -np.inf, last
            for r in range(depth - 1, first - 1, -1):
                taken = loss * ((r + 0.5) * step - lumen - passed_mm[r])
                missing[r] = usual[r] - grey[f, a, r] - taken
                total += missing[r] - half
                if r <= last and total > most:
                    most, at = total, r
            if last < first:
                continue
            near = missing[at : at + int(NEAR_MM / step)].mean()
            found[0, f, a] = min(most / (depth - at) + half, near + REVERBERATION)
            for r in range(max(first - 1, at - int(FRONT_MM / step)), at + 1):
                if grey[f, a, r] > found[2, f, a]:
                    found[2, f, a] = grey[f, a, r]
                    found[1, f, a] = (r + 0.5) * step
    return found


def _steady(values: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter1d(values, AVERAGED, axis=1, mode="wrap")


def _across(values: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Values ``(ANGLES,)``, where hidden from one side to the other."""
    known = np.flatnonzero(~hidden)
    if not known.size or known.size == len(values):
        return values
    return np.interp(np.arange(len(values)), known, values[known], period=len(values))


def _joined(scores: np.ndarray, neighbours: float) -> np.ndarray:
    """Scores ``(n, ANGLES)`` with those of the frames on both sides."""
    weights = np.array([neighbours, 1.0, neighbours])
    total = ndimage.correlate1d(scores, weights, axis=0, mode="constant")
    return total / ndimage.correlate1d(np.ones(len(scores)), weights, mode="constant")[:, None]


def _linked(score: np.ndarray) -> np.ndarray:
    """Runs of possible angles, closed in angle, that are sure somewhere."""
    turns = np.tile(score, 2)
    labels, count = ndimage.label(turns > POSSIBLE)
    sure = np.zeros(count + 1, dtype=bool)
    if count:
        sure[1:] = ndimage.maximum(turns, labels, np.arange(1, count + 1)) > SURE
    return sure[labels][:ANGLES] | sure[labels][ANGLES:]
