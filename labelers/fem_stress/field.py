"""The solved stress field of a section."""

from dataclasses import dataclass

import numpy as np

from dataeff_al.errors import GeometryError
from dataeff_al.vessel.raster import pixel_centres
from labelers.fem_stress.from_section import SectionMesh
from labelers.fem_stress.locate import fields_at, locate
from labelers.fem_stress.problem import Answer
from labelers.fem_stress.stress import cauchy_stress, channels_of, tensors


@dataclass(frozen=True)
class StressField:
    """Stress and displacement anywhere in the section; built by :func:`labelers.fem_stress.solve`."""

    mesh: SectionMesh
    answer: Answer

    def stress_at(self, points_mm: np.ndarray) -> np.ndarray:
        """Cauchy stress ``(n, 3, 3)`` kPa at points ``(n, 2)`` of the undeformed section; NaN outside tissue.

        At a tissue interface it is the stress of one side, never an average. Raises GeometryError for another shape.
        """
        return tensors(self._components(_checked(points_mm)))

    def _components(self, points: np.ndarray) -> np.ndarray:
        found, where = locate(self.mesh.nodes, self.mesh.centre, points, False)
        _, gradient, pressure, normal = fields_at(self.mesh.nodes, self.answer.u, self.answer.pressure, found, where)
        return cauchy_stress(gradient, pressure, normal, self._moduli(found, where))

    def displacement_at(self, points_mm: np.ndarray) -> np.ndarray:
        """Displacement ``(n, 2)`` mm at points ``(n, 2)`` of the undeformed section; NaN outside tissue."""
        points = _checked(points_mm)
        found, where = locate(self.mesh.nodes, self.mesh.centre, points, False)
        return np.asarray(fields_at(self.mesh.nodes, self.answer.u, self.answer.pressure, found, where)[0])

    def raster(self, pixel_size_mm: float, shape: tuple[int, int]) -> np.ndarray:
        """Channels ``(3, h, w)`` kPa at pixel centres, the raster's centre being the origin; NaN outside tissue.

        Channels: first principal, von Mises, circumferential (about the lumen's centroid).
        """
        x, y = pixel_centres(shape, pixel_size_mm)
        points = np.stack(np.broadcast_arrays(x[None], y[:, None]), axis=-1).reshape(-1, 2)
        return channels_of(self._components(points), points, self.mesh.centre).reshape(3, *shape)

    def moduli_at(self, points_mm: np.ndarray) -> np.ndarray:
        """Moduli ``(k, n)`` that the solver used at points ``(n, 2)``; NaN outside tissue."""
        found, where = locate(self.mesh.nodes, self.mesh.centre, _checked(points_mm), False)
        return np.where(found[:, 0] < 0, np.nan, self._moduli(found, where))

    def _moduli(self, found: np.ndarray, where: np.ndarray) -> np.ndarray:
        """Moduli of the Gauss point nearest to each point."""
        nearest = np.clip(np.rint(where / np.sqrt(0.6)), -1, 1).astype(int) + 1
        law = self.mesh.law_of[found[:, 0], found[:, 1], nearest[:, 0] * 3 + nearest[:, 1]]
        return np.array([one.moduli for one in self.mesh.laws]).T[:, law]


def _checked(points_mm: np.ndarray) -> np.ndarray:
    points = np.ascontiguousarray(points_mm, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise GeometryError(f"points must be finite and (n, 2), but got shape {points.shape!r}.")
    return points
