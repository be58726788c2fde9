"""Closed contours in the plane: checks, periodic splines, containment, radial functions."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import CubicSpline

from dataeff_al.errors import GeometryError

DENSE = 360
"""Points of the polyline that stands for a spline where crossing and containment are checked."""

LARGEST_MM = 1000.0

_GAUSS, _GAUSS_WEIGHT = np.polynomial.legendre.leggauss(5)
"""Exact for what area and centroid of a cubic spline integrate: polynomials of degree eight."""


def clean_points(points_mm: object, what: str) -> np.ndarray:
    """A contour's points as ``(k, 2)`` float64, counter-clockwise, the repeated end point dropped.

    Raises:
        GeometryError: not ``(k, 2)`` with k >= 4, not finite, absurdly large, repeated points, open, or no area.
    """
    points = np.array(points_mm, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 4:
        raise GeometryError(f"{what} must have at least 4 points as a (k, 2) array, but got shape {points.shape!r}.")
    if not np.isfinite(points).all() or np.abs(points).max() > LARGEST_MM:
        raise GeometryError(f"{what} must be finite and within {LARGEST_MM:g} mm, but got {_worst(points)!r}.")
    if np.linalg.norm(points[0] - points[-1]) <= 1e-9:
        points = points[:-1]
    _check_closed(points, what)
    area = signed_area(points)
    if abs(area) < 1e-6:
        raise GeometryError(f"{what} must enclose an area, but got {abs(area):.3g} mm^2.")
    return points if area > 0 else points[::-1].copy()


def _worst(points: np.ndarray) -> float:
    bad = points[~np.isfinite(points)]
    return float(bad[0]) if bad.size else float(np.abs(points).max())


def _check_closed(points: np.ndarray, what: str) -> None:
    steps = np.linalg.norm(np.diff(points, axis=0, append=points[:1]), axis=1)
    if len(points) < 4 or steps.min() <= 1e-9:
        raise GeometryError(f"{what} must have distinct neighbouring points, but got a step of {steps.min():.3g} mm.")
    if steps[-1] > 5 * steps[:-1].max() and steps[-1] > 0.1 * steps.sum():
        raise GeometryError(f"{what} must be closed, but got a gap of {steps[-1]:.3g} mm between its ends.")


def signed_area(points: np.ndarray) -> float:
    """Area of the polygon ``(k, 2)``, positive when counter-clockwise."""
    x, y = points.T
    return float(0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def crosses_itself(points: np.ndarray) -> bool:
    """Whether any two edges of the closed polyline ``(k, 2)`` that are not neighbours meet."""
    k = len(points)
    index = np.arange(k)
    distance = np.abs(index[:, None] - index[None])
    apart = (distance > 1) & (distance < k - 1)
    return bool(np.any(_edges_meet(points, points) & apart))


def cross_each_other(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether the closed polylines ``(k, 2)`` and ``(m, 2)`` meet."""
    return bool(np.any(_edges_meet(a, b)))


def _edges_meet(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a1, b1 = np.roll(a, -1, axis=0), np.roll(b, -1, axis=0)
    da, db = (a1 - a)[:, None], (b1 - b)[None]
    start, end = b[None] - a[:, None], b1[None] - a[:, None]
    other, far = a[:, None] - b[None], a1[:, None] - b[None]
    return (_cross(da, start) * _cross(da, end) <= 0) & (_cross(db, other) * _cross(db, far) <= 0)


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """``(n,)`` bool: which of ``points`` ``(n, 2)`` lie inside ``polygon`` ``(k, 2)`` (even-odd rule)."""
    x, y = points[:, 0, None], points[:, 1, None]
    x0, y0 = polygon.T
    x1, y1 = np.roll(polygon, -1, axis=0).T
    above = (y0 > y) != (y1 > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = x < x0 + (y - y0) * (x1 - x0) / (y1 - y0)
    return np.count_nonzero(above & hit, axis=1) % 2 == 1


@dataclass(frozen=True)
class Contour:
    """A closed smooth curve: ``points`` ``(k, 2)`` mm joined by a periodic cubic spline over chord length."""

    points: np.ndarray

    @cached_property
    def _spline(self) -> CubicSpline:
        closed = np.vstack([self.points, self.points[:1]])
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
        return CubicSpline(length / length[-1], closed, bc_type="periodic")

    def at(self, t: np.ndarray) -> np.ndarray:
        """Points ``(n, 2)`` at curve parameters ``t`` in [0, 1)."""
        return np.asarray(self._spline(np.asarray(t) % 1.0))

    @cached_property
    def dense(self) -> np.ndarray:
        """The curve as a polyline ``(DENSE, 2)``, or finer when the contour itself has more points."""
        return self.at(np.linspace(0, 1, max(DENSE, len(self.points)), endpoint=False))

    @cached_property
    def centroid(self) -> np.ndarray:
        """``(2,)`` mm, of the area that the spline itself encloses: wherever its points begin, to round-off."""
        middle = self.points.mean(axis=0)
        knots = self._spline.x
        half = np.diff(knots)[:, None] / 2
        t = (knots[:-1, None] + half * (1 + _GAUSS)).ravel()
        weight = (half * _GAUSS_WEIGHT).ravel()
        x, y = (np.asarray(self._spline(t)) - middle).T
        dx, dy = np.asarray(self._spline(t, 1)).T
        area = np.sum(weight * (x * dy - y * dx)) / 2
        return middle + np.array([np.sum(weight * x**2 * dy), -np.sum(weight * y**2 * dx)]) / (2 * area)

    def is_star(self, centre: np.ndarray) -> bool:
        """Whether every ray from ``centre`` meets the curve once, none of them nearly along the curve."""
        d = self.dense - centre
        step = np.roll(d, -1, axis=0) - d
        turn = _cross(d, step)
        steep = 0.05 * np.linalg.norm(d, axis=1) * np.linalg.norm(step, axis=1)
        return bool(np.all(turn > steep)) and bool(inside(centre[None], self.dense)[0])

    def radius(self, theta: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Distance ``(n,)`` mm from ``centre`` to the curve along the angles ``theta``; the curve must be a star.

        Newton on the spline parameter, so that the point lies on the spline and not on its polyline.
        """
        d = self.dense - centre
        angle = np.unwrap(np.arctan2(d[:, 1], d[:, 0]))
        turned = np.append(angle - angle[0], 2 * np.pi)
        t = np.interp((theta - angle[0]) % (2 * np.pi), turned, np.linspace(0, 1, len(turned)))
        direction = np.column_stack([np.cos(theta), np.sin(theta)])
        slope = self._spline.derivative()
        for _ in range(4):
            t = t - _cross(direction, self.at(t) - centre) / _cross(direction, np.asarray(slope(t % 1.0)))
        return np.sum((self.at(t) - centre) * direction, axis=1)
