"""Random vessel sections: a shape, then inclusions that fit into its wall."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.vessel.polar import Inclusion, PolarSection, angles, at_angle

Shape = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]
"""Draws lumen radius and wall thickness, each ``(ANGLES,)`` mm."""

ADVENTITIA_MM = 0.25
LUMEN_MM = (0.70, 1.47)
WALL_MM = (0.08, 1.17)
BACK_MM = 0.06
"""Least wall between an inclusion and the adventitia."""
THIN_MM = 0.3
"""Least wall that an inclusion given by shares of the wall may stand in."""
TRIES = 200


@dataclass(frozen=True)
class InclusionKind:
    """What inclusions of one tissue look like: the chance of 0, 1, 2 of them, and uniform ranges of their form.

    ``relative``: cap and thickness are shares of the local wall thickness instead of mm.
    """

    tissue: str
    counts: tuple[float, ...]
    half_width: tuple[float, float]
    cap: tuple[float, float]
    thickness: tuple[float, float]
    power: float
    relative: bool = False


LIPID_CORES = InclusionKind("lipid", (0.3, 0.45, 0.25), (0.35, 1.0), (0.08, 0.30), (0.18, 0.70), 2.0)
CALCIUM_ARCS = InclusionKind("calcium", (0.45, 0.35, 0.20), (0.25, 0.8), (0.10, 0.45), (0.16, 0.35), 3.0)
FIBROUS_PLAQUES = InclusionKind("fibrous", (0.6, 0.4), (0.4, 0.9), (0.10, 0.25), (0.20, 0.60), 2.5)
CALCIUM_IN_IVUS = InclusionKind("calcium", (0.6, 0.4), (0.4, 2.9), (0.06, 0.25), (0.50, 0.88), 4.0, relative=True)
"""As drawn in the real frames: arcs of most of the wall's depth, often wide, in about two frames of five."""


def modes_shape(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A lumen and a wall from a few random Fourier modes of their logarithms; the wall is thicker on one side."""
    theta = angles()
    lumen = np.log(rng.uniform(0.82, 1.32)) + _modes(rng, (0.03, 0.05, 0.02, 0.01), theta)
    wall = np.log(rng.uniform(0.22, 0.62)) + _modes(rng, (0.42, 0.12, 0.06), theta)
    return np.clip(np.exp(lumen), *LUMEN_MM), _soft_clip(np.exp(wall), *WALL_MM)


def _modes(rng: np.random.Generator, sizes: Sequence[float], theta: np.ndarray) -> np.ndarray:
    phases = rng.uniform(0, 2 * np.pi, len(sizes))
    heights = rng.normal(0, 1, len(sizes)) * np.asarray(sizes)
    return np.sum(
        [a * np.cos((k + 1) * theta - p) for k, (a, p) in enumerate(zip(heights, phases, strict=True))], axis=0
    )


def _soft_clip(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Into (low, high) without kinks: a saturating map that leaves the middle of the range nearly alone."""
    return low + (high - low) * (1 - np.exp(-np.maximum(values - low, 0.02) / (high - low) * 1.3))


@dataclass(frozen=True)
class SectionGenerator:
    """Draws sections that fit a square field of view; the same generator state gives the same section."""

    shape: Shape
    kinds: Sequence[InclusionKind]
    half_view_mm: float
    clearance_mm: float

    def draw(self, rng: np.random.Generator) -> PolarSection:
        """One section. Raises DataError when none fits the field of view."""
        for _ in range(TRIES):
            lumen, wall = self.shape(rng)
            section = PolarSection(lumen, wall, ADVENTITIA_MM, tuple(rng.uniform(-0.08, 0.08, 2)))
            if section.reach_mm <= self.half_view_mm - self.clearance_mm:
                return replace(section, inclusions=self._inclusions(section, rng))
        raise DataError(f"sections must fit a field of view, but got one of {2 * self.half_view_mm:g} mm.")

    def _inclusions(self, section: PolarSection, rng: np.random.Generator) -> tuple[Inclusion, ...]:
        placed: list[Inclusion] = []
        for kind in self.kinds:
            for _ in range(int(rng.choice(len(kind.counts), p=kind.counts))):
                candidate = next((c for c in _candidates(kind, section, rng) if _fits(c, section, placed)), None)
                if candidate is not None:
                    placed.append(candidate)
        return tuple(placed)


def _candidates(kind: InclusionKind, section: PolarSection, rng: np.random.Generator) -> list[Inclusion]:
    """Ten tries; most where the wall is thick, where plaque grows."""
    weight = np.maximum(section.wall_mm - 0.25, 0.0) ** 2 + 1e-9
    where = rng.choice(len(weight), size=10, p=weight / weight.sum())
    found = []
    for place in where:
        width, cap = rng.uniform(*kind.half_width), rng.uniform(*kind.cap)
        thickness = min(rng.uniform(*kind.thickness), 0.98 * (_room(kind, section, int(place), width) - cap))
        if thickness >= kind.thickness[0]:
            angle = float(angles()[place])
            found.append(Inclusion(kind.tissue, angle, width, cap, thickness / 2, kind.power, kind.relative))
    return found


def _room(kind: InclusionKind, section: PolarSection, place: int, width: float) -> float:
    """Depth to which an inclusion may reach: where the wall is thinnest in its window, or the same share everywhere."""
    if kind.relative:
        return 0.97
    turn = (angles() - angles()[place] + np.pi) % (2 * np.pi) - np.pi
    return float(section.wall_mm[np.abs(turn) <= 0.8 * width].min()) - BACK_MM


def _fits(candidate: Inclusion, section: PolarSection, placed: Sequence[Inclusion]) -> bool:
    theta, depth = candidate.outline(section.wall_mm)
    wall = at_angle(section.wall_mm, theta)
    if np.any(wall < THIN_MM if candidate.relative else depth > wall - BACK_MM):
        return False
    return all(_apart(candidate, other) for other in placed)


def _apart(a: Inclusion, b: Inclusion) -> bool:
    """Inclusions stand side by side, at least 0.1 rad apart, never behind each other."""
    turn = abs((a.angle - b.angle + np.pi) % (2 * np.pi) - np.pi)
    return bool(turn > a.half_width + b.half_width + 0.1)
