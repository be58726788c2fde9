"""Where mesh lines stand around the lumen: denser where borders bend and where inclusions are small.

Angles are mapped to *places*, in which mesh lines are even. The map is a periodic cumulative density whose mean shift
is zero and whose table starts in a direction that belongs to the section: so mesh lines turn and flip with it.
"""

from dataclasses import dataclass

import numpy as np

from dataeff_al.vessel.contours import Contour
from dataeff_al.vessel.section import VesselSection

TABLE = 1440
BENDING = 0.5
"""Share of the lines that follows how far borders turn instead of the angle."""
SMOOTHED = 1.5
"""Standard deviation of the density's smoothing, in elements."""
LEAST_ELEMENTS = 16.0
"""Elements that an inclusion gets across its angle, as far as MOST_BOOST allows."""
MOST_BOOST = 4.0


@dataclass(frozen=True)
class Grading:
    """A monotone periodic map between angles and places, both in rad and free to exceed one turn.

    ``places`` are tabulated at ``TABLE + 1`` equal angles that start at ``start``. ``offset``: the place of line 0, the
    line nearest to the x axis of those that stand at ``start`` and at whole elements from it.
    """

    places: np.ndarray
    start: float
    offset: float

    def place(self, angle: np.ndarray) -> np.ndarray:
        """Places of angles, counted from line 0."""
        turns, rest = np.divmod(angle - self.start, 2 * np.pi)
        return turns * 2 * np.pi + np.interp(rest, _table(), self.places) + self.start - self.offset

    def angle(self, place: np.ndarray) -> np.ndarray:
        """Angles of places that are counted from line 0: the inverse of :meth:`place`."""
        turns, rest = np.divmod(place + self.offset - self.start - self.places[0], 2 * np.pi)
        return self.start + turns * 2 * np.pi + np.interp(rest, self.places - self.places[0], _table())


def graded(
    contours: tuple[Contour, ...], centre: np.ndarray, start: float, extents: list[tuple[float, float]], around: int
) -> Grading:
    """The grading for star-shaped contours and for inclusions between angles ``extents``, rad.

    ``start``: a direction that belongs to the section, see :func:`own_direction`.
    """
    middle = start + (np.arange(TABLE) + 0.5) * (2 * np.pi / TABLE)
    bends = [_bending(contour, centre, start) for contour in (contours[0], contours[-1])]
    density = 1 - BENDING + BENDING * np.mean(bends, axis=0)
    density = _smooth(density, SMOOTHED / around)
    boost = np.ones(TABLE)
    for first, last in extents:
        within = (middle - first) % (2 * np.pi) < last - first
        share = float(np.sum(density[within]) / np.sum(density))
        wanted = np.clip(LEAST_ELEMENTS / max(share * around, 1e-9), 1.0, MOST_BOOST)
        boost = np.maximum(boost, np.where(within, wanted, 1.0))
    density = density * _smooth(boost, SMOOTHED / around)
    places = np.concatenate([[0.0], np.cumsum(density)]) * (2 * np.pi / density.sum())
    places -= np.mean((places - _table())[:-1])
    element = 2 * np.pi / around
    return Grading(places, start, start - element * np.round(start / element))


def own_direction(section: VesselSection) -> float:
    """An angle that turns and flips with the section: towards the outer contour's centroid, or the first inclusion.

    0 for concentric contours without inclusions.
    """
    least = 1e-6 * float(np.ptp(section.outer.dense[:, 0]))
    towards = [section.outer.centroid, *(polygon.mean(axis=0) for _, polygon in section.regions[:1])]
    for point in towards:
        x, y = point - section.centre
        if np.hypot(x, y) > least:
            return float(np.arctan2(y, x))
    return 0.0


def _table() -> np.ndarray:
    return np.linspace(0, 2 * np.pi, TABLE + 1)


def _bending(contour: Contour, centre: np.ndarray, start: float) -> np.ndarray:
    """How far the tangent turns ``(TABLE,)`` between the table's angles, in multiples of a circle's."""
    angles = start + _table()[:-1]
    points = contour.radius(angles, centre)[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    step = np.roll(points, -1, axis=0) - points
    after = np.roll(step, -1, axis=0)
    turn = np.arctan2(step[:, 0] * after[:, 1] - step[:, 1] * after[:, 0], np.sum(step * after, axis=1))
    # the turn between two steps belongs to the angle between them: half to the step before, half to the one after
    turn = np.abs(turn)
    return (turn + np.roll(turn, 1)) / 2 * (TABLE / (2 * np.pi))


def _smooth(density: np.ndarray, width: float) -> np.ndarray:
    """Periodic Gaussian smoothing; ``width`` in turns."""
    order = np.fft.rfftfreq(len(density), 1 / len(density))
    return np.fft.irfft(np.fft.rfft(density) * np.exp(-2 * (np.pi * width * order) ** 2), len(density))
