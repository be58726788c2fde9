"""Sections described around a centre: lumen radius, wall thickness and inclusions over the angle."""

from dataclasses import dataclass

import numpy as np

from dataeff_al.vessel.raster import pixel_centres
from dataeff_al.vessel.section import VesselSection
from dataeff_al.vessel.tissues import ADVENTITIA, LUMEN, TISSUES, WALL, code_of

ANGLES = 128
"""Number of equally spaced angles at which radii are given."""


def angles() -> np.ndarray:
    """The angles ``(ANGLES,)`` rad at which radii are given."""
    return np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)


def at_angle(values: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Periodic linear interpolation of ``(ANGLES,)`` values at ``theta`` (any shape)."""
    return np.interp(theta % (2 * np.pi), np.linspace(0, 2 * np.pi, ANGLES + 1), np.append(values, values[0]))


@dataclass(frozen=True)
class Inclusion:
    """A superellipse in angle and depth below the lumen.

    ``half_width`` rad and ``half_thickness`` are its half axes, ``cap`` its least depth, ``power`` its exponent (2:
    ellipse, larger: arc with blunt ends). Depths are mm, or shares of the local wall thickness when ``relative``.
    """

    tissue: str
    angle: float
    half_width: float
    cap: float
    half_thickness: float
    power: float = 2.0
    relative: bool = False

    def covers(self, theta: np.ndarray, depth_mm: np.ndarray, wall_mm: np.ndarray) -> np.ndarray:
        """Which points, by angle, depth below the lumen and wall thickness there, lie inside (any shape, bool)."""
        depth = depth_mm / wall_mm if self.relative else depth_mm
        turn = (theta - self.angle + np.pi) % (2 * np.pi) - np.pi
        u = np.abs(turn / self.half_width)
        v = np.abs((depth - self.cap - self.half_thickness) / self.half_thickness)
        return u**self.power + v**self.power < 1

    def outline(self, wall_mm: np.ndarray, count: int = 96) -> tuple[np.ndarray, np.ndarray]:
        """Angle and depth mm ``(count,)`` of points along the border, in a wall of thickness ``(ANGLES,)``."""
        t = np.linspace(0, 2 * np.pi, count, endpoint=False)
        c, s = np.cos(t), np.sin(t)
        u, v = np.sign(c) * np.abs(c) ** (2 / self.power), np.sign(s) * np.abs(s) ** (2 / self.power)
        theta, depth = self.angle + self.half_width * u, self.cap + self.half_thickness * (1 + v)
        return theta, depth * at_angle(wall_mm, theta) if self.relative else depth


@dataclass(frozen=True)
class PolarSection:
    """``lumen_mm`` and ``wall_mm``: lumen radius and wall thickness ``(ANGLES,)`` mm; inclusions lie in the wall."""

    lumen_mm: np.ndarray
    wall_mm: np.ndarray
    adventitia_mm: float
    centre_mm: tuple[float, float] = (0.0, 0.0)
    inclusions: tuple[Inclusion, ...] = ()

    @property
    def reach_mm(self) -> float:
        """Largest distance of the outer boundary from the raster's centre, along x or y."""
        outer = self.lumen_mm + self.wall_mm + self.adventitia_mm
        x, y = outer * np.cos(angles()) + self.centre_mm[0], outer * np.sin(angles()) + self.centre_mm[1]
        return float(max(np.abs(x).max(), np.abs(y).max()))

    def mask(self, shape: tuple[int, int], pixel_size_mm: float) -> np.ndarray:
        """Class codes ``(h, w)`` uint8 at the pixel centres."""
        x, y = pixel_centres(shape, pixel_size_mm)
        dx, dy = x[None] - self.centre_mm[0], y[:, None] - self.centre_mm[1]
        r, theta = np.hypot(dx, dy), np.arctan2(dy, dx)
        depth = r - at_angle(self.lumen_mm, theta)
        wall = at_angle(self.wall_mm, theta)
        mask = np.zeros(shape, dtype=np.uint8)
        mask[depth < wall + self.adventitia_mm] = ADVENTITIA
        mask[depth < wall] = WALL
        mask[depth < 0] = LUMEN
        for inclusion in self.inclusions:
            mask[inclusion.covers(theta, depth, wall) & (mask == WALL)] = code_of(inclusion.tissue)
        return mask

    def section(self) -> VesselSection:
        """The same section by contours and polygons, for solvers that follow the borders exactly."""
        theta = angles()
        outward = np.column_stack([np.cos(theta), np.sin(theta)])
        radii = (self.lumen_mm, self.lumen_mm + self.wall_mm, self.lumen_mm + self.wall_mm + self.adventitia_mm)
        regions = [(i.tissue, self._polygon(i)) for i in self.inclusions]
        contours = [radius[:, None] * outward + self.centre_mm for radius in radii]
        return VesselSection(contours, [TISSUES[WALL], TISSUES[ADVENTITIA]], regions)

    def _polygon(self, inclusion: Inclusion) -> np.ndarray:
        theta, depth = inclusion.outline(self.wall_mm)
        r = at_angle(self.lumen_mm, theta) + depth
        return np.column_stack([r * np.cos(theta), r * np.sin(theta)]) + self.centre_mm
