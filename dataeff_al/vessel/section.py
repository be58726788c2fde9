"""A vessel cross-section as nested contours with tissue between them, and inclusions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from dataeff_al.errors import GeometryError
from dataeff_al.vessel.contours import Contour, clean_points, cross_each_other, crosses_itself, inside, signed_area
from dataeff_al.vessel.tissues import SOLID, TISSUES


@dataclass(frozen=True)
class VesselSection:
    """Contours from inside out (lumen first, outer boundary last), a tissue for each layer between them, regions.

    ``contours_mm``: ``(k, 2)`` arrays, each joined by a periodic cubic spline; a repeated end point is dropped.
    ``layers``: one tissue name fewer than contours. ``regions``: ``(tissue, polygon_mm)`` pairs, painted in order over
    the layers; polygons have straight edges. Coordinates are mm; x grows along the columns of a raster and y along its
    rows; the raster's centre is the origin.

    Example::

        circle = lambda r: r * np.column_stack([np.cos(t), np.sin(t)])
        VesselSection([circle(1.0), circle(1.6)], ["wall"], [("lipid", circle(0.15) + [1.3, 0.0])])

    Raises:
        GeometryError: empty, open, crossing or inside-out contours, a region outside the tissue, unknown tissues, NaN;
            the text names the rule.
    """

    contours_mm: Sequence[np.ndarray]
    layers: Sequence[str]
    regions: Sequence[tuple[str, np.ndarray]] = ()
    contours: tuple[Contour, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_names(self.contours_mm, self.layers, self.regions)
        contours = tuple(Contour(clean_points(c, f"contour {i}")) for i, c in enumerate(self.contours_mm))
        _check_nesting(contours)
        polygons = tuple((name, clean_points(p, f"region {i} ({name})")) for i, (name, p) in enumerate(self.regions))
        _check_regions(polygons, contours[0], contours[-1])
        object.__setattr__(self, "contours_mm", tuple(c.points for c in contours))
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "regions", polygons)
        object.__setattr__(self, "contours", contours)

    @property
    def lumen(self) -> Contour:
        """The innermost contour, on which the pressure acts."""
        return self.contours[0]

    @property
    def outer(self) -> Contour:
        """The outermost contour."""
        return self.contours[-1]

    @property
    def centre(self) -> np.ndarray:
        """Centroid of the lumen ``(2,)`` mm: polar coordinates are taken about it."""
        return self.lumen.centroid

    def is_star(self) -> bool:
        """Whether every contour is star-shaped about :attr:`centre`, as the mapped polar mesh needs."""
        return all(contour.is_star(self.centre) for contour in self.contours)

    def tissue_at(self, points_mm: np.ndarray) -> np.ndarray:
        """Index ``(n,)`` int into ``("outside", "lumen", *layers, *regions)`` for points ``(n, 2)``."""
        count = len(self.contours)
        depth = sum(inside(points_mm, contour.dense).astype(np.int64) for contour in self.contours)
        found = np.where(depth == 0, 0, count + 1 - depth)
        for i, (_, polygon) in enumerate(self.regions):
            found[inside(points_mm, polygon)] = count + 1 + i
        return found

    def codes(self) -> np.ndarray:
        """Tissue code of each index that :meth:`tissue_at` answers."""
        names = (*self.layers, *(name for name, _ in self.regions))
        return np.array([0, 1, *(TISSUES.index(name) for name in names)], dtype=np.uint8)


def _check_names(contours: Sequence[object], layers: Sequence[str], regions: Sequence[tuple[str, object]]) -> None:
    if len(contours) < 2:
        raise GeometryError(f"a section must have a lumen and an outer contour, but got {len(contours)} contours.")
    if len(layers) != len(contours) - 1:
        raise GeometryError(f"a section of {len(contours)} contours must have one layer fewer, but got {len(layers)}.")
    for name in (*layers, *(name for name, _ in regions)):
        if name not in SOLID:
            raise GeometryError(f"a tissue must be one of {', '.join(SOLID)}, but got {name!r}.")


def _check_nesting(contours: Sequence[Contour]) -> None:
    for i, contour in enumerate(contours):
        if crosses_itself(contour.dense):
            raise GeometryError(f"a contour must not cross itself, but got a crossing in contour {i}.")
    for i, (a, b) in enumerate(pairwise(contours)):
        if cross_each_other(a.dense, b.dense):
            raise GeometryError(f"contours must not meet, but got contours {i} and {i + 1} that do.")
        if inside(b.dense[:1], a.dense)[0]:
            raise GeometryError(f"contours must run from inside out, but got contour {i + 1} inside contour {i}.")
        if not inside(a.dense[:1], b.dense)[0]:
            raise GeometryError(f"the lumen must lie inside the wall, but got contour {i} beside contour {i + 1}.")


def _check_regions(regions: Sequence[tuple[str, np.ndarray]], lumen: Contour, outer: Contour) -> None:
    for i, (name, polygon) in enumerate(regions):
        if crosses_itself(polygon):
            raise GeometryError(f"a region must not cross itself, but got a crossing in region {i} ({name}).")
        out = not inside(polygon, outer.dense).all() or inside(polygon, lumen.dense).any()
        if out or inside(lumen.dense[:1], polygon)[0] or signed_area(polygon) <= 0:
            raise GeometryError(
                f"a region must lie between lumen and outer contour, but got region {i} ({name}) outside."
            )
