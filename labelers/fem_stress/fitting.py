"""A polar mesh whose lines follow inclusions.

Each inclusion that a ray enters and leaves once gets a rectangle of elements: its inner and outer border become ring
lines between the two rays at which it has shrunk to a small share of its thickness, and mesh lines are turned so that
two of them are these rays. The slivers beyond are left to the tissue around; they shrink as the mesh is refined.
Between inclusions the ring lines relax towards even spacing. An inclusion that does not fit (stacked behind another,
across a layer border, winding, or smaller than two elements) is sampled at the Gauss points instead.
"""

from dataclasses import dataclass

import numpy as np

from labelers.fem_stress.polar_mesh import node_angles

TIP = 0.5
"""An inclusion ends in the mesh where it is TIP / (elements across) of its greatest thickness.

More would leave soft tips to the stiff tissue around, less would squeeze elements."""
RAYS = 1440
BISECTIONS = 20
RELAXATION = 0.01
"""Pull towards even spacing, against the pull of the neighbouring line: relaxes over about ten lines."""
LEAST_GAP = 0.3
"""Least angle between mesh lines after turning, in even spacings."""


@dataclass(frozen=True)
class Window:
    """An inclusion's place in the mesh: even lines ``first`` to ``last`` (may exceed the number of lines: it wraps)."""

    region: int
    layer: int
    first: int
    last: int
    start: float
    stop: float
    inner: int = 0
    outer: int = 0


def ray_hits(polygon: np.ndarray, centre: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each ray: how many edges it crosses ``(n,)``, and the least and largest radius at which it does."""
    p = polygon - centre
    q = np.roll(p, -1, axis=0)
    d = np.column_stack([np.cos(theta), np.sin(theta)])
    side_p = d[:, :1] * p[:, 1] - d[:, 1:] * p[:, 0]
    side_q = d[:, :1] * q[:, 1] - d[:, 1:] * q[:, 0]
    crosses = (side_p > 0) != (side_q > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(crosses, side_p / (side_p - side_q), 0.0)
    points = p[None] + t[:, :, None] * (q - p)[None]
    radius = np.einsum("nki,ni->nk", points, d)
    crosses &= radius > 0
    inner, outer = np.where(crosses, radius, np.inf).min(axis=1), np.where(crosses, radius, -np.inf).max(axis=1)
    return crosses.sum(axis=1), inner, outer


def angular_extent(
    polygon: np.ndarray, centre: np.ndarray, share: float, start: float = 0.0
) -> tuple[float, float] | None:
    """Angles between which each ray crosses the polygon twice and it is thicker than ``share`` of its thickest.

    Rays are counted from ``start``, rad.
    """
    theta = start + np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
    hits, inner, outer = ray_hits(polygon, centre, theta)
    thickness = np.where(hits == 2, outer - inner, 0.0)
    if not thickness.any() or np.any(hits > 2):
        return None
    thick = thickness > share * thickness.max()
    edges = np.flatnonzero(thick & ~np.roll(thick, 1)), np.flatnonzero(thick & ~np.roll(thick, -1))
    if len(edges[0]) != 1:
        return None
    least, step = share * float(thickness.max()), theta[1] - theta[0]
    first = _end(polygon, centre, float(theta[edges[0][0]]), -step, least)
    last = _end(polygon, centre, float(theta[edges[1][0]]), step, least)
    return first, last if last > first else last + 2 * np.pi


def _end(polygon: np.ndarray, centre: np.ndarray, angle: float, step: float, least: float) -> float:
    """The last angle within ``step`` of ``angle`` at which the polygon is thicker than ``least``, by bisection."""
    for _ in range(BISECTIONS):
        step /= 2
        hits, inner, outer = ray_hits(polygon, centre, np.array([angle + step]))
        if hits[0] == 2 and outer[0] - inner[0] > least:
            angle += step
    return angle


def turned_places(windows: list[Window], around: int) -> np.ndarray:
    """Places ``(2 around,)`` of the lines, turned so that window borders are lines; even between."""
    even = node_angles(around)
    anchors = {w.first % (2 * around): w.start for w in windows} | {w.last % (2 * around): w.stop for w in windows}
    if not anchors:
        return even
    lines = np.array(sorted(anchors))
    shift = np.array([(anchors[i] - even[i] + np.pi) % (2 * np.pi) - np.pi for i in lines])
    count = 2 * around
    wrapped = np.concatenate([lines - count, lines, lines + count])
    return np.asarray(even + np.interp(np.arange(count), wrapped, np.tile(shift, 3)))


def place(extents: list[tuple[float, float] | None], around: int) -> list[Window]:
    """Windows at the places ``extents`` of inclusions, none overlapping another; layers are not looked at yet."""
    windows: list[Window] = []
    step = np.pi / around
    taken = np.zeros(2 * around, dtype=bool)
    for region, extent in enumerate(extents):
        if extent is None:
            continue
        # the small shift decides ties alike however the section is turned
        first, last = (2 * int(np.floor(end / (2 * step) + 0.5 - 1e-6)) for end in extent)
        lines = np.arange(first, last + 1) % (2 * around)
        if last - first < 4 or last - first > 2 * around - 4 or taken[lines].any():
            continue
        taken[lines] = True
        windows.append(Window(region, -1, first, last, *extent))
    return windows


def relaxed(known: np.ndarray, fixed: np.ndarray, even: np.ndarray) -> np.ndarray:
    """Fill the free lines of ``known`` ``(lines, rings)``: smooth along the ring, pulled towards ``even`` ``(rings,)``.

    A screened Laplace equation on each ring line with the same coefficients, so that ring lines keep their order.
    """
    lines = len(known)
    matrix = np.zeros((lines, lines))
    load = np.where(fixed[:, None], known, RELAXATION * even)
    index = np.arange(lines)
    free = index[~fixed]
    matrix[index[fixed], index[fixed]] = 1.0
    matrix[free, free] = 2.0 + RELAXATION
    matrix[free, (free + 1) % lines] -= 1.0
    matrix[free, (free - 1) % lines] -= 1.0
    return np.asarray(np.linalg.solve(matrix, load))
