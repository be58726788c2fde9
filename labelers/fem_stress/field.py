"""The solved stress field of a section."""

from dataclasses import dataclass

import numpy as np

from dataeff_al.errors import GeometryError
from dataeff_al.vessel.raster import pixel_centres
from labelers.fem_stress.from_section import SectionMesh
from labelers.fem_stress.locate import fields_at, locate
from labelers.fem_stress.points import components_at
from labelers.fem_stress.problem import Answer
from labelers.fem_stress.stress import channels_of, tensors


@dataclass(frozen=True)
class StressField:
    """Stress and displacement anywhere in the section; built by :func:`labelers.fem_stress.solve`.

    Points are always those of the section as it was given. Where that is an image taken under pressure, they name the
    same tissue in the unloaded section, which :meth:`unloaded_at` shows.
    """

    mesh: SectionMesh
    answer: Answer

    def stress_at(self, points_mm: np.ndarray) -> np.ndarray:
        """Cauchy stress ``(n, 3, 3)`` kPa at points ``(n, 2)`` of the section as given; NaN outside tissue.

        At a tissue interface it is the stress of one side, never an average. Raises GeometryError for another shape.
        """
        return tensors(self._components(_checked(points_mm)))

    def _components(self, points: np.ndarray) -> np.ndarray:
        mesh, answer = self.mesh, self.answer
        nearest, table = np.full(len(points), -1, dtype=np.int32), np.array([law.moduli for law in mesh.laws])
        found: np.ndarray = components_at(
            mesh.nodes,
            self._unloaded,
            mesh.centre,
            answer.u,
            answer.pressure,
            points,
            nearest,
            mesh.law_of,
            table,
            False,
        )
        return found

    def displacement_at(self, points_mm: np.ndarray) -> np.ndarray:
        """Displacement ``(n, 2)`` mm at points ``(n, 2)`` of the section, from where they lie without pressure.

        NaN outside tissue.
        """
        points = _checked(points_mm)
        found, where = locate(self.mesh.nodes, self.mesh.centre, points, False)
        return np.asarray(fields_at(self._unloaded, self.answer.u, self.answer.pressure, found, where)[0])

    def unloaded_at(self, points_mm: np.ndarray) -> np.ndarray:
        """Where points ``(n, 2)`` of the section lie without pressure, ``(n, 2)`` mm; NaN outside tissue."""
        points = _checked(points_mm)
        found, where = locate(self.mesh.nodes, self.mesh.centre, points, False)
        moved = self._unloaded - self.mesh.nodes
        return points + np.asarray(fields_at(self.mesh.nodes, moved, self.answer.pressure, found, where)[0])

    @property
    def _unloaded(self) -> np.ndarray:
        """The nodes from which displacements and strains count."""
        return self.mesh.nodes if self.answer.unloaded is None else self.answer.unloaded

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
