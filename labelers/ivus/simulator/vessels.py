"""Vessels along a pullback: sections that change smoothly from frame to frame, generated or from real contours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataeff_al.vessel.contours import Contour, clean_points
from dataeff_al.vessel.ivus_contours import Frame
from dataeff_al.vessel.polar import ANGLES, Inclusion, PolarSection, angles, at_angle
from dataeff_al.vessel.random_sections import (
    ADVENTITIA_MM,
    CALCIUM_ARCS,
    FIBROUS_PLAQUES,
    LIPID_CORES,
    InclusionKind,
)
from dataeff_al.vessel.shape_model import polar_frame

KEY_MM = 4.0
"""Distance along the vessel over which its shape changes to another one."""


@dataclass(frozen=True)
class DrawnInclusion:
    """A region drawn by hand: depths ``(ANGLES,)`` mm below the lumen, ``inner`` to ``outer``; empty where equal."""

    tissue: str
    inner: np.ndarray
    outer: np.ndarray

    def covers(self, theta: np.ndarray, depth_mm: np.ndarray, wall_mm: np.ndarray) -> np.ndarray:
        """Which points lie inside (any shape, bool)."""
        inner, outer = at_angle(self.inner, theta), at_angle(self.outer, theta)
        return (depth_mm > inner) & (depth_mm < np.minimum(outer, wall_mm))


def generated_vessel(count: int, spacing_mm: float, rng: np.random.Generator) -> list[PolarSection]:
    """``count`` sections of a diseased artery that narrows and widens again, with plaques a few mm long."""
    keys = max(2, int(np.ceil(count * spacing_mm / KEY_MM)) + 1)
    logs = np.array([_key_shape(rng) for _ in range(keys)])
    place = np.arange(count) * spacing_mm / KEY_MM
    first = np.minimum(place.astype(int), keys - 2)
    share = (0.5 - 0.5 * np.cos(np.pi * np.clip(place - first, 0, 1)))[:, None, None]
    lumen, wall = np.moveaxis(np.exp(logs[first] * (1 - share) + logs[first + 1] * share), 1, 0)
    plaques = [_plaque(kind, count * spacing_mm, rng) for kind in _KINDS if rng.random() < 0.75]
    sections = []
    for i in range(count):
        found = [plaque.at(i * spacing_mm, wall[i]) for plaque in plaques]
        placed = tuple(inclusion for inclusion in found if inclusion is not None)
        sections.append(PolarSection(lumen[i], wall[i], ADVENTITIA_MM, inclusions=_apart(placed)))
    return sections


_KINDS = (LIPID_CORES, CALCIUM_ARCS, FIBROUS_PLAQUES)


def _key_shape(rng: np.random.Generator) -> np.ndarray:
    """Logs of lumen radius and wall thickness ``(2, ANGLES)`` from a few smooth modes."""
    lumen = np.log(rng.uniform(1.0, 1.9)) + _modes(rng, (0.05, 0.07, 0.025, 0.012))
    wall = np.log(rng.uniform(0.25, 0.75)) + _modes(rng, (0.45, 0.14, 0.06))
    return np.stack([lumen, np.clip(wall, np.log(0.15), np.log(1.3))])


def _modes(rng: np.random.Generator, sizes: Sequence[float]) -> np.ndarray:
    theta, waves = angles(), np.zeros(ANGLES)
    for k, size in enumerate(sizes, 1):
        waves += rng.normal(0, size) * np.cos(k * theta - rng.uniform(0, 2 * np.pi))
    return waves


@dataclass(frozen=True)
class _Plaque:
    """An inclusion that reaches over a length of vessel: widest in its middle, gone at its ends."""

    tissue: str
    power: float
    middle_mm: float
    half_length_mm: float
    angle: float
    half_width: float
    cap_mm: float
    thickness_mm: float

    def at(self, z_mm: float, wall_mm: np.ndarray) -> Inclusion | None:
        """The inclusion at a place along the vessel, or None where there is none or no room for it."""
        size = 1 - ((z_mm - self.middle_mm) / self.half_length_mm) ** 2
        if size <= 0.05:
            return None
        width = self.half_width * np.sqrt(size)
        turn = (angles() - self.angle + np.pi) % (2 * np.pi) - np.pi
        room = float(wall_mm[np.abs(turn) <= width].min(initial=2.0)) - 0.1
        thickness = min(self.thickness_mm * np.sqrt(size), room - self.cap_mm)
        if thickness < 0.1:
            return None
        return Inclusion(self.tissue, self.angle, width, self.cap_mm, thickness / 2, self.power)


def _plaque(kind: InclusionKind, length_mm: float, rng: np.random.Generator) -> _Plaque:
    return _Plaque(
        tissue=kind.tissue,
        power=kind.power,
        middle_mm=rng.uniform(0, length_mm),
        half_length_mm=rng.uniform(1.0, 5.0),
        angle=rng.uniform(0, 2 * np.pi),
        half_width=rng.uniform(*kind.half_width),
        cap_mm=rng.uniform(*kind.cap),
        thickness_mm=rng.uniform(*kind.thickness),
    )


def _apart(inclusions: tuple[Inclusion, ...]) -> tuple[Inclusion, ...]:
    kept: list[Inclusion] = []
    for one in inclusions:
        turns = [abs((one.angle - other.angle + np.pi) % (2 * np.pi) - np.pi) for other in kept]
        if all(t > one.half_width + other.half_width for t, other in zip(turns, kept, strict=True)):
            kept.append(one)
    return tuple(kept)


def real_vessel(frames: Sequence[Frame]) -> list[tuple[PolarSection, tuple[DrawnInclusion, ...]]]:
    """Real contours as sections, with their calcium as it was drawn. Raises DataError as ``polar_frame`` does."""
    return [_real(frame) for frame in frames]


def _real(frame: Frame) -> tuple[PolarSection, tuple[DrawnInclusion, ...]]:
    radius, wall = polar_frame(frame)
    section = PolarSection(radius, wall, ADVENTITIA_MM)
    if frame.calcium is None:
        return section, ()
    centre = Contour(clean_points(frame.lumen[::4], "lumen")).centroid
    return section, (drawn("calcium", frame.calcium - centre, radius),)


def drawn(tissue: str, polygon: np.ndarray, lumen_mm: np.ndarray) -> DrawnInclusion:
    """A polygon ``(k, 2)`` mm about the section's centre as depths below the lumen: nearest to farthest at an angle."""
    closed = np.vstack([polygon, polygon[:1]])
    t = np.linspace(0, 1, 8, endpoint=False)[None, :, None]
    fine = (closed[:-1, None] * (1 - t) + closed[1:, None] * t).reshape(-1, 2)
    bins = np.rint(np.arctan2(fine[:, 1], fine[:, 0]) * ANGLES / (2 * np.pi)).astype(int) % ANGLES
    r = np.hypot(*fine.T)
    inner, outer = np.full(ANGLES, np.inf), np.zeros(ANGLES)
    np.minimum.at(inner, bins, r)
    np.maximum.at(outer, bins, r)
    seen = outer > 0
    return DrawnInclusion(tissue, np.where(seen, inner - lumen_mm, 0.0), np.where(seen, outer - lumen_mm, 0.0))
