"""An incompressible tube of concentric layers at finite strain, by quadrature."""

from collections.abc import Sequence

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

from labelers.fem_stress.laws import MooneyRivlin, NeoHookean


class FiniteTube:
    """Unloaded radii ``(layers + 1,)`` mm from inside out, a law for each layer, and what acts on the free surfaces.

    Volume is kept, so that r^2 = R^2 + k and the hoop stretch is r / R; equilibrium ds_rr/dr = (s_tt - s_rr) / r leaves
    one equation for k. The foundation pulls with -k_f u on each unit of the unloaded outer surface. (Ogden, Non-linear
    Elastic Deformations, section 5.3.)
    """

    def __init__(
        self,
        radii_mm: Sequence[float],
        laws: Sequence[NeoHookean | MooneyRivlin],
        pressure_kpa: float,
        foundation_kpa_per_mm: float = 0.0,
    ) -> None:
        self.radii, self.laws, self.foundation = np.asarray(radii_mm, dtype=float), list(laws), foundation_kpa_per_mm
        self.k = 0.0
        if pressure_kpa > 0:
            self.k = float(brentq(lambda k: self._inner_pressure(k) - pressure_kpa, 1e-12, 40.0, xtol=1e-15))

    def place(self, R: np.ndarray) -> np.ndarray:
        """Loaded radius ``(n,)`` mm of unloaded radii."""
        return np.sqrt(np.asarray(R) ** 2 + self.k)

    def _difference(self, law: NeoHookean | MooneyRivlin, R: float, k: float) -> float:
        """Hoop minus radial Cauchy stress."""
        square = (R**2 + k) / R**2
        slope = law.c1_kpa + law.d1_kpa * law.d2 * np.exp(law.d2 * (square + 1 / square - 2))
        return float(2 * slope * (square - 1 / square))

    def _between(self, layer: int, low: float, high: float, k: float) -> float:
        """Rise of the radial stress between two unloaded radii of a layer."""
        law = self.laws[layer]
        return float(quad(lambda R: self._difference(law, R, k) * R / (R**2 + k), low, high, epsabs=1e-12)[0])

    def _outer_stress(self, k: float) -> float:
        outer = self.radii[-1]
        loaded = np.sqrt(outer**2 + k)
        return float(-self.foundation * (loaded - outer) * outer / loaded)

    def _inner_pressure(self, k: float) -> float:
        layers = zip(range(len(self.laws)), self.radii[:-1], self.radii[1:], strict=True)
        return sum(self._between(*layer, k) for layer in layers) - self._outer_stress(k)

    def stress(self, layer: int, R: np.ndarray) -> np.ndarray:
        """Radial and hoop Cauchy stress ``(2, n)`` kPa at unloaded radii ``R`` of a layer."""
        behind = range(layer + 1, len(self.laws))
        base = self._outer_stress(self.k) - sum(
            self._between(i, self.radii[i], self.radii[i + 1], self.k) for i in behind
        )
        radial = np.array([base - self._between(layer, float(r), self.radii[layer + 1], self.k) for r in R])
        return np.stack([radial, radial + [self._difference(self.laws[layer], float(r), self.k) for r in R]])
