"""One moment of a recording: the section, where the catheter lies in it, what disturbs the view; and its tissues."""

from dataclasses import dataclass

import numpy as np

from dataeff_al.vessel.polar import Inclusion, PolarSection, at_angle
from labelers.ivus.polar import contour_mm
from labelers.ivus.simulator.vessels import DrawnInclusion

TISSUES = ("outside", "lumen", "wall", "fibrous", "lipid", "calcium", "adventitia", "media")
MEDIA_MM = 0.12
"""Thickness of the media, the dark ring inside the external elastic membrane; less in thin walls."""


@dataclass(frozen=True)
class Branch:
    """The mouth of a side branch: blood through the wall within ``half_width`` rad of ``angle`` (vessel's own)."""

    angle: float
    half_width: float


@dataclass(frozen=True)
class Scene:
    """``catheter_mm`` ``(2,)``: the catheter's axis in the section's coordinates.

    ``warp`` ``(beams,)`` rad: how far each beam points beside the angle at which it is shown (non-uniform rotation).
    """

    section: PolarSection
    catheter_mm: np.ndarray
    warp: np.ndarray
    drawn: tuple[DrawnInclusion, ...] = ()
    branch: Branch | None = None

    @property
    def beams(self) -> np.ndarray:
        """Directions ``(beams,)`` rad in which the beams really point."""
        return 2 * np.pi * np.arange(len(self.warp)) / len(self.warp) + self.warp

    def tissues(self, radii_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Index into :data:`TISSUES` and depth below the lumen in mm, ``(beams, radii)``."""
        theta = self.beams[:, None]
        x, y = radii_mm * np.cos(theta) + self.catheter_mm[0], radii_mm * np.sin(theta) + self.catheter_mm[1]
        r, phi = np.hypot(x, y), np.arctan2(y, x)
        depth = r - at_angle(self.section.lumen_mm, phi)
        wall = at_angle(self.section.wall_mm, phi)
        found = np.zeros(r.shape, dtype=np.intp)
        found[depth < wall + self.section.adventitia_mm] = TISSUES.index("adventitia")
        found[depth < wall] = TISSUES.index("media")
        found[depth < wall - np.minimum(MEDIA_MM, 0.4 * wall)] = TISSUES.index("wall")
        inclusions: tuple[Inclusion | DrawnInclusion, ...] = (*self.section.inclusions, *self.drawn)
        for inclusion in inclusions:
            within = inclusion.covers(phi, depth, wall) & (depth > 0) & (depth < wall)
            found[within] = TISSUES.index(inclusion.tissue)
        found[depth < 0] = TISSUES.index("lumen")
        if self.branch is not None:
            turn = (phi - self.branch.angle + np.pi) % (2 * np.pi) - np.pi
            found[np.abs(turn) * r < self.branch.half_width * at_angle(self.section.lumen_mm, phi)] = 1
        return found, depth

    def borders(self) -> tuple[np.ndarray, np.ndarray]:
        """Lumen and EEM as imaged, ``(k, 2)`` mm about the catheter: exact, warped as the beams are."""
        lumen, eem = self.section.lumen_mm, self.section.lumen_mm + self.section.wall_mm
        return self._shown(lumen), self._shown(eem)

    def shown(self, points_mm: np.ndarray) -> np.ndarray:
        """Where points ``(k, 2)`` mm of the section appear in the frame, about the catheter."""
        at = points_mm - self.catheter_mm
        true, r = np.arctan2(at[:, 1], at[:, 0]), np.hypot(*at.T)
        angle = true.copy()
        place = 2 * np.pi * np.arange(len(self.warp) + 1) / len(self.warp)
        warp = np.append(self.warp, self.warp[0])
        for _ in range(6):
            angle = true - np.interp(angle % (2 * np.pi), place, warp)
        return np.column_stack([np.cos(angle), np.sin(angle)]) * r[:, None]

    def _shown(self, radii_mm: np.ndarray) -> np.ndarray:
        return self.shown(contour_mm(radii_mm, np.zeros(2)))
