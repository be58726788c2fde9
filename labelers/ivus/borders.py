"""Borders of a pullback: what is measured, corrected by hand, drawn, and handed on as sections."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dataeff_al.errors import DataError, GeometryError
from dataeff_al.vessel.contours import clean_points, signed_area
from dataeff_al.vessel.section import VesselSection

SOLVER_POINTS = 96
"""A section's contour has so many points: a cubic spline through them follows a border to a micrometre."""


@dataclass(frozen=True)
class CalciumArc:
    """Calcium from ``start`` to ``stop`` deg (counted from x towards y, ``stop`` above ``start``, at most 360 more).

    ``polygon_mm`` ``(k, 2)``: where it is drawn, from its bright front to as deep as the front is bright. What lies
    behind cannot be seen.
    """

    start: float
    stop: float
    polygon_mm: np.ndarray

    @property
    def arc_deg(self) -> float:
        """Its angle, degrees."""
        return self.stop - self.start


@dataclass(frozen=True)
class Borders:
    """Lumen and EEM of each frame, and how sure they are.

    ``lumen_mm``, ``eem_mm``: for each frame ``(k, 2)`` mm about the raster's centre, x along columns, y along rows,
    closed (the first point is not repeated). ``confidence`` ``(n,)``: mean over both borders and all angles.
    ``lumen_confidence``, ``eem_confidence`` ``(n, angles)``: at angles ``360 i / angles`` deg about ``centre_mm``.
    ``lumen_seen``, ``eem_seen`` ``(n, angles)`` bool: False where it was bridged, not seen. ``calcium``: arcs of
    each frame. Contours drawn by people have confidence 1 everywhere.
    """

    lumen_mm: Sequence[np.ndarray]
    eem_mm: Sequence[np.ndarray]
    confidence: np.ndarray
    lumen_confidence: np.ndarray
    eem_confidence: np.ndarray
    lumen_seen: np.ndarray
    eem_seen: np.ndarray
    frame_spacing_mm: float | None = None
    centre_mm: np.ndarray = field(default_factory=lambda: np.zeros(2))
    calcium: Sequence[Sequence[CalciumArc]] = ()

    def __post_init__(self) -> None:
        if not len(self.lumen_mm) or len(self.lumen_mm) != len(self.eem_mm):
            raise DataError(
                f"each frame must have a lumen and an EEM, but got {len(self.lumen_mm)} and {len(self.eem_mm)}."
            )
        if not self.calcium:
            object.__setattr__(self, "calcium", tuple(() for _ in self.lumen_mm))

    def __len__(self) -> int:
        return len(self.lumen_mm)

    def section(self, frame: int, adventitia_mm: float = 0.0) -> VesselSection:
        """One frame as a section of ``wall`` between lumen and EEM, with its calcium, for solvers.

        ``adventitia_mm``: adds a layer of this thickness, which ultrasound does not show the outer border of. Raises
        GeometryError when the borders make no section.
        """
        contours = [_thinned(self.lumen_mm[frame]), _thinned(self.eem_mm[frame])]
        layers = ["wall"]
        if adventitia_mm > 0:
            contours.append(_grown(contours[1], adventitia_mm))
            layers.append("adventitia")
        plain = VesselSection(contours, layers)
        regions = []
        for arc in self.calcium[frame]:
            try:
                VesselSection(contours, layers, [("calcium", arc.polygon_mm)])
                regions.append(("calcium", arc.polygon_mm))
            except GeometryError:
                continue  # drawn by hand across a border: the borders stay, the region is left out
        return VesselSection(contours, layers, regions) if regions else plain

    def sections(self, adventitia_mm: float = 0.0) -> list[VesselSection]:
        """All frames as sections. Raises GeometryError, naming the frame, when one is none."""
        found = []
        for frame in range(len(self)):
            try:
                found.append(self.section(frame, adventitia_mm))
            except GeometryError as error:
                raise GeometryError(f"frame {frame}: {error}") from error
        return found


def drawn_borders(
    lumen_mm: Sequence[np.ndarray],
    eem_mm: Sequence[np.ndarray],
    frame_spacing_mm: float | None = None,
    calcium: Sequence[Sequence[CalciumArc]] = (),
) -> Borders:
    """Borders from contours that somebody drew: all of them count as seen and sure.

    Raises GeometryError when a contour is none, DataError when lumen and EEM differ in number.
    """
    lumen = [clean_points(c, f"lumen {i}") for i, c in enumerate(lumen_mm)]
    eem = [clean_points(c, f"EEM {i}") for i, c in enumerate(eem_mm)]
    shape = (len(lumen), 72)
    sure, seen = np.ones(shape), np.ones(shape, dtype=bool)
    return Borders(lumen, eem, np.ones(len(lumen)), sure, sure, seen, seen, frame_spacing_mm, calcium=calcium)


def _thinned(points: np.ndarray) -> np.ndarray:
    """At most SOLVER_POINTS points, evenly spaced along the contour."""
    if len(points) <= SOLVER_POINTS:
        return points
    closed = np.vstack([points, points[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.linspace(0, length[-1], SOLVER_POINTS, endpoint=False)
    return np.column_stack([np.interp(at, length, closed[:, i]) for i in (0, 1)])


def _grown(points: np.ndarray, by_mm: float) -> np.ndarray:
    """A contour moved outwards along its normals."""
    points = points if signed_area(points) > 0 else points[::-1]
    along = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    normal = np.column_stack([along[:, 1], -along[:, 0]]) / np.linalg.norm(along, axis=1, keepdims=True)
    return points + by_mm * normal
