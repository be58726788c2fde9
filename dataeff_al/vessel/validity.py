"""The validity gate: is a decoded mask a vessel section like those of the pool?

Rules come in two groups. A *sound* section has one lumen, one vessel without holes, tissue all round the lumen, room to
the border and star-shaped borders: without these no solver can answer. A section *like the pool's* keeps to the ranges
of areas, wall thickness, tissue shares, inclusion counts and lipid caps that pool masks show.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.vessel.measures import INCLUSIONS, SAMPLES_PER_PIXEL, Measures, components, measure, rays
from dataeff_al.vessel.tissues import LUMEN, OUTSIDE, TISSUES

SLACK = 0.25
"""Share by which the pool's ranges are widened: a pool is a sample of what is plausible."""

BACKSTEP = 1.5
"""Pixels by which a ray may step back into a tissue that it left: stairs of pixels are no folds."""


def unsound(mask: np.ndarray) -> str | None:
    """The first rule of a sound section that the mask ``(h, w)`` uint8 breaks, or None."""
    return next((rule for rule, broken in _SOUND if broken(mask)), None)


def _no_lumen(mask: np.ndarray) -> bool:
    return not np.any(mask == LUMEN)


def _several_lumens(mask: np.ndarray) -> bool:
    return components(mask == LUMEN) != 1


def _several_vessels(mask: np.ndarray) -> bool:
    return components(mask != OUTSIDE) != 1


def _holes(mask: np.ndarray) -> bool:
    """Outside must be one part, and so must tissue plus outside: else the lumen encloses something."""
    framed = np.pad(mask, 1)
    return components(framed == OUTSIDE, diagonal=True) != 1 or components(framed != LUMEN, diagonal=True) != 1


def _lumen_open(mask: np.ndarray) -> bool:
    outside = np.pad(mask, 1) == OUTSIDE
    near = outside[:-2, 1:-1] | outside[2:, 1:-1] | outside[1:-1, :-2] | outside[1:-1, 2:]
    return bool(np.any(near & (mask == LUMEN)))


def _at_border(mask: np.ndarray) -> bool:
    return bool(np.any(mask[[0, -1]]) or np.any(mask[:, [0, -1]]))


def _not_star(mask: np.ndarray) -> bool:
    along = rays(mask)
    kind = np.where(along == OUTSIDE, 2, np.where(along == LUMEN, 0, 1))
    back = (kind < np.maximum.accumulate(kind, axis=1)).sum(axis=1)
    return bool(np.any(back > BACKSTEP * SAMPLES_PER_PIXEL)) or bool(np.any(kind[:, 0] != 0))


_SOUND: tuple[tuple[str, Callable[[np.ndarray], bool]], ...] = (
    ("codes must be 0 to 6", lambda mask: bool(mask.max() >= len(TISSUES))),
    ("there must be a lumen", _no_lumen),
    ("the lumen must be one region", _several_lumens),
    ("the vessel must be one region", _several_vessels),
    ("the vessel must have no holes", _holes),
    ("tissue must surround the lumen", _lumen_open),
    ("the vessel must keep clear of the border", _at_border),
    ("borders must be star-shaped about the lumen's centroid", _not_star),
)


@dataclass(frozen=True)
class Gate:
    """Ranges that a mask must keep; ``check`` names the first rule that it breaks.

    ``shares`` ``(7, 2)``: least and largest part of the solid area by tissue; ``counts`` ``(7,)``: most inclusions.
    """

    pixel_size_mm: float
    lumen_mm2: tuple[float, float]
    vessel_mm2: tuple[float, float]
    least_wall_mm: float
    least_cap_mm: float
    shares: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, masks: Sequence[np.ndarray], pixel_size_mm: float) -> "Gate":
        """Ranges of pool masks ``(h, w)``, widened by SLACK. Raises DataError when a mask is not sound."""
        for mask in masks:
            rule = unsound(mask)
            if rule:
                raise DataError(f"pool masks must be sound sections, but got one that breaks: {rule}.")
        found = [measure(mask, pixel_size_mm) for mask in masks]
        shares = np.array([m.shares for m in found])
        ranges = np.stack([shares.min(axis=0) * (1 - SLACK), shares.max(axis=0) * (1 + SLACK)], axis=1)
        caps = [m.cap_mm for m in found if np.isfinite(m.cap_mm)]
        return cls(
            pixel_size_mm=pixel_size_mm,
            lumen_mm2=_widened([m.lumen_mm2 for m in found]),
            vessel_mm2=_widened([m.vessel_mm2 for m in found]),
            least_wall_mm=min(m.least_wall_mm for m in found) * (1 - SLACK),
            least_cap_mm=min(caps, default=0.0) * (1 - SLACK),
            shares=ranges,
            counts=np.max([m.counts for m in found], axis=0),
        )

    def check(self, mask: np.ndarray) -> str | None:
        """The first rule that the mask ``(h, w)`` uint8 breaks, in words, or None when it is valid."""
        return unsound(mask) or self._unlike(measure(mask, self.pixel_size_mm))

    def _unlike(self, found: Measures) -> str | None:
        ranges = (
            ("lumen area", found.lumen_mm2, *self.lumen_mm2, "mm^2"),
            ("vessel area", found.vessel_mm2, *self.vessel_mm2, "mm^2"),
            ("least wall thickness", found.least_wall_mm, self.least_wall_mm, np.inf, "mm"),
            ("lipid cap", found.cap_mm, self.least_cap_mm, np.inf, "mm"),
            *((f"{TISSUES[c]} share", found.shares[c], *self.shares[c], "") for c in range(2, len(TISSUES))),
            *((f"{TISSUES[c]} count", found.counts[c], 0, self.counts[c], "") for c in INCLUSIONS),
        )
        return next((_sentence(*entry) for entry in ranges if not entry[2] <= entry[1] <= entry[3]), None)


def _sentence(what: str, value: float, low: float, high: float, unit: str) -> str:
    return f"{what} must be within {low:.3g} and {high:.3g} {unit}".rstrip() + f", but got {value:.3g}."


def _widened(values: Sequence[float]) -> tuple[float, float]:
    return min(values) * (1 - SLACK), max(values) * (1 + SLACK)
