"""A section of contours as a mesh whose rings follow every contour exactly, and inclusions as far as they allow."""

from dataclasses import dataclass, replace

import numpy as np

from dataeff_al.errors import GeometryError
from dataeff_al.vessel.section import VesselSection
from labelers.fem_stress.fitting import TIP, Window, angular_extent, place, ray_hits, relaxed, turned_places
from labelers.fem_stress.grading import Grading, graded, own_direction
from labelers.fem_stress.laws import Law
from labelers.fem_stress.polar_mesh import gauss_points, layer_counts, ring_nodes
from labelers.fem_stress.settings import StressSettings


@dataclass(frozen=True)
class SectionMesh:
    """Nodes ``(2 around, 2 radial + 1, 2)`` mm and what fills the elements.

    ``laws``: the laws in use; ``law_of`` ``(around, radial, 9)`` int: the law's index at each Gauss point. ``sampled``:
    regions that the mesh does not follow.
    """

    nodes: np.ndarray
    centre: np.ndarray
    laws: tuple[Law, ...]
    law_of: np.ndarray
    sampled: tuple[int, ...] = ()

    @property
    def moduli(self) -> np.ndarray:
        """Moduli ``(around, radial, k, 9)`` at the Gauss points."""
        return np.moveaxis(np.array([law.moduli for law in self.laws])[self.law_of], -1, 2)


def mesh_section(section: VesselSection, settings: StressSettings) -> SectionMesh:
    """The mapped polar mesh of a section.

    Raises:
        GeometryError: a contour is not star-shaped about the lumen's centroid, fewer elements across than layers, or
            a tissue without a law.
    """
    centre, (radial, around) = section.centre, settings.mesh
    for i, contour in enumerate(section.contours):
        if not contour.is_star(centre):
            raise GeometryError(
                f"contours must be star-shaped about the lumen's centroid, but got a fold in contour {i}."
            )
    names = [*section.layers, *(["adventitia"] if settings.outer == "adventitia" else [])]
    if len(names) > radial:
        raise GeometryError(f"a mesh must have an element for each of {len(names)} layers, but got {radial}.")
    polygons = [polygon for _, polygon in section.regions]
    start = own_direction(section)
    extents = [angular_extent(polygon, centre, min(TIP / radial, 0.5), start) for polygon in polygons]
    grading = graded(section.contours, centre, start, [extent for extent in extents if extent], around)
    windows = place([extent and _placed(extent, grading) for extent in extents], around)
    while True:
        angles = grading.angle(turned_places(windows, around))
        borders = _borders(section, settings, angles)
        counts = layer_counts(np.diff(np.log(borders.mean(axis=1))), radial)
        fitted = _ringed(windows, polygons, centre, angles, borders, counts)
        if len(fitted) == len(windows):
            break
        windows = [window for window in windows if window.region in {w.region for w in fitted}]
    radii = _radii(fitted, polygons, centre, angles, borders, counts)
    nodes = ring_nodes(radii, centre, angles)
    laws = tuple(settings.law(name) for name in (*names, *(name for name, _ in section.regions)))
    law_of, sampled = _laws(section, nodes, counts, fitted, len(names))
    return SectionMesh(nodes, centre, laws, law_of, sampled)


def _placed(extent: tuple[float, float], grading: Grading) -> tuple[float, float]:
    start, stop = grading.place(np.array(extent))
    return float(start), float(stop)


def _borders(section: VesselSection, settings: StressSettings, angles: np.ndarray) -> np.ndarray:
    """Radii ``(layers + 1, lines)`` mm of the layer borders."""
    borders = np.stack([c.radius(angles, section.centre) for c in section.contours])
    if settings.outer == "adventitia":
        borders = np.vstack([borders, borders[-1:] + settings.adventitia_mm])
    return borders


def _ringed(
    windows: list[Window],
    polygons: list[np.ndarray],
    centre: np.ndarray,
    angles: np.ndarray,
    borders: np.ndarray,
    counts: list[int],
) -> list[Window]:
    """Windows with their layer and ring lines; those that lie in no single layer of three or more elements fall out."""
    found = []
    for window in windows:
        lines = np.arange(window.first, window.last + 1) % len(angles)
        hits, inner, outer = ray_hits(polygons[window.region], centre, angles[lines])
        for layer, count in enumerate(counts):
            low, high = borders[layer, lines], borders[layer + 1, lines]
            if (
                count >= 3
                and np.all(hits[1:-1] == 2)
                and np.all(inner[1:-1] > low[1:-1])
                and np.all(outer[1:-1] < high[1:-1])
            ):
                ends = [float(np.mean((r - low)[1:-1] / (high - low)[1:-1])) for r in (inner, outer)]
                first = int(np.clip(round(ends[0] * count), 1, count - 2))
                last = int(np.clip(round(ends[1] * count), first + 1, count - 1))
                found.append(replace(window, layer=layer, inner=first, outer=last))
    return found


def _radii(
    windows: list[Window],
    polygons: list[np.ndarray],
    centre: np.ndarray,
    angles: np.ndarray,
    borders: np.ndarray,
    counts: list[int],
) -> np.ndarray:
    """Radii ``(lines, 2 radial + 1)`` mm of all nodes."""
    parts = [borders[:1].T]
    for layer, count in enumerate(counts):
        low, high = borders[layer], borders[layer + 1]
        even = _spacing(float(high.mean() / low.mean()), count)
        shares, fixed = np.tile(even, (len(angles), 1)), np.zeros(len(angles), dtype=bool)
        for window in (w for w in windows if w.layer == layer):
            lines = np.arange(window.first, window.last + 1) % len(angles)
            _, inner, outer = ray_hits(polygons[window.region], centre, _inward(angles[lines]))
            for line, a, b in zip(lines, inner, outer, strict=True):
                ends = (np.array([a, b]) - low[line]) / (high - low)[line]
                rings = [0, 2 * window.inner, 2 * window.outer, 2 * count]
                shares[line] = np.interp(np.arange(2 * count + 1), rings, [0.0, *ends, 1.0])
            fixed[lines] = True
        if fixed.any():
            shares = relaxed(shares, fixed, even)
        parts.append(low[:, None] + shares[:, 1:] * (high - low)[:, None])
    return np.concatenate(parts, axis=1)


def _spacing(ratio: float, count: int) -> np.ndarray:
    """Shares ``(2 count + 1,)`` of a layer at its nodes: radii grow geometrically, for stress falls off with them.

    Nodes between corners stand in the middle.
    """
    corners = (ratio ** (np.arange(count + 1) / count) - 1) / (ratio - 1)
    return np.interp(np.arange(2 * count + 1) / 2, np.arange(count + 1), corners)


def _inward(angles: np.ndarray) -> np.ndarray:
    """The same angles, the first and last moved a little inwards: there the ray may just miss the polygon's corner."""
    moved = angles.copy()
    moved[0] += 1e-6
    moved[-1] -= 1e-6
    return moved


def _laws(
    section: VesselSection, nodes: np.ndarray, counts: list[int], windows: list[Window], layers: int
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Law index ``(around, radial, 9)`` and the regions that are sampled at the Gauss points, in painting order."""
    around, radial = len(nodes) // 2, sum(counts)
    law_of = np.broadcast_to(np.repeat(np.arange(layers), counts)[None, :, None], (around, radial, 9)).copy()
    fitted = {window.region: window for window in windows}
    sampled = tuple(i for i in range(len(section.regions)) if i not in fitted)
    found = section.tissue_at(gauss_points(nodes).reshape(-1, 2)).reshape(law_of.shape) if sampled else None
    for region in range(len(section.regions)):
        if region in fitted:
            window = fitted[region]
            columns = np.arange(window.first // 2, window.last // 2) % around
            start = sum(counts[: window.layer])
            law_of[columns, start + window.inner : start + window.outer] = layers + region
        elif found is not None:
            law_of[found == 1 + len(section.contours) + region] = layers + region
    return law_of, sampled
