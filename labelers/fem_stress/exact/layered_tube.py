"""A linear elastic tube of concentric layers in plane strain (Lame on each layer)."""

from collections.abc import Sequence

import numpy as np

from labelers.fem_stress.laws import LinearElastic


class LayeredTube:
    """Radii ``(layers + 1,)`` mm from inside out, a law for each layer, and what acts on the two free surfaces.

    On each layer u = C r + D / r, so that s_rr = 2 (lambda + mu) C - 2 mu D / r^2, the hoop stress has the other sign
    before D, and s_zz = 2 lambda C. Displacement and radial stress agree where layers meet; s_rr = -p inside and
    -k u outside.
    """

    def __init__(
        self,
        radii_mm: Sequence[float],
        laws: Sequence[LinearElastic],
        pressure_kpa: float,
        foundation_kpa_per_mm: float = 0.0,
    ) -> None:
        self.radii, self.laws = np.asarray(radii_mm, dtype=float), list(laws)
        matrix, load = self._interfaces()
        matrix[0, :2], load[0] = self._radial(0, self.radii[0]), -pressure_kpa
        last, outer = len(self.laws) - 1, self.radii[-1]
        springs = foundation_kpa_per_mm * self._widening(outer)
        matrix[-1, 2 * last :] = self._radial(last, outer) + springs
        self.constants = np.linalg.solve(matrix, load).reshape(-1, 2)

    def _interfaces(self) -> tuple[np.ndarray, np.ndarray]:
        size = 2 * len(self.laws)
        matrix = np.zeros((size, size))
        for i, r in enumerate(self.radii[1:-1]):
            row, here, there = 1 + 2 * i, slice(2 * i, 2 * i + 2), slice(2 * i + 2, 2 * i + 4)
            matrix[row, here], matrix[row, there] = self._widening(r), -self._widening(r)
            matrix[row + 1, here], matrix[row + 1, there] = self._radial(i, r), -self._radial(i + 1, r)
        return matrix, np.zeros(size)

    @staticmethod
    def _widening(r: float) -> np.ndarray:
        return np.array([r, 1 / r])

    def _radial(self, layer: int, r: float) -> np.ndarray:
        law = self.laws[layer]
        return np.array([2 * (law.bulk_kpa + law.shear_kpa / 3), -2 * law.shear_kpa / r**2])

    def displacement(self, layer: int, r: np.ndarray) -> np.ndarray:
        """Outward displacement ``(n,)`` mm at radii ``r`` of a layer."""
        C, D = self.constants[layer]
        return C * r + D / r

    def stress(self, layer: int, r: np.ndarray) -> np.ndarray:
        """Radial, hoop and axial stress ``(3, n)`` kPa at radii ``r`` of a layer."""
        C, D = self.constants[layer]
        law = self.laws[layer]
        mean, swing = 2 * (law.bulk_kpa + law.shear_kpa / 3) * C, 2 * law.shear_kpa * D / r**2
        axial = 2 * (law.bulk_kpa - 2 * law.shear_kpa / 3) * C
        return np.stack([mean - swing, mean + swing, np.full_like(r, axial)])
