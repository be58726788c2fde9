"""Plane strain of any smooth homogeneous ring under lumen pressure, by Kolosov and Muskhelishvili's complex potentials.

Muskhelishvili, Some Basic Problems of the Mathematical Theory of Elasticity, chapters 5 and 7: with analytic phi, psi
    s_xx + s_yy = 4 Re phi',   s_yy - s_xx + 2 i s_xy = 2 (conj(z) phi'' + psi'),
    2 mu (u + i v) = (3 - 4 nu) phi - z conj(phi') - conj(psi),
and phi + z conj(phi') + conj(psi) is the force along a border, up to a constant on each: -p z + c on the lumen, another
c outside. Pressure exerts no net force on a closed lumen, so that both potentials are Laurent series. Coefficients are
fitted to the borders by least squares; on analytic borders the error falls exponentially with their
number, and what is left on the borders (``residual``) bounds it.
"""

from typing import Final

import numpy as np

TERMS: Final = 40


class LaurentRing:
    """A ring between closed borders ``(n, 2)`` mm, given densely; its centre must see both borders."""

    def __init__(
        self, inner_mm: np.ndarray, outer_mm: np.ndarray, pressure_kpa: float, centre: np.ndarray, terms: int = TERMS
    ) -> None:
        self.centre, self.terms = complex(*centre), terms
        z_in, z_out = (p @ np.array([1, 1j]) - self.centre for p in (inner_mm, outer_mm))
        self.scales = float(np.abs(z_in).min()), float(np.abs(z_out).max())
        self.orders = np.array([k for k in range(-terms, terms + 1) if k])
        rows = [self._border(z, place) for place, z in enumerate((z_in, z_out))]
        load = np.concatenate([-pressure_kpa * z_in, 0 * z_out])
        matrix = np.concatenate(rows)
        real = np.vstack([matrix.real, matrix.imag])
        target = np.concatenate([load.real, load.imag])
        size = np.linalg.norm(real, axis=0)
        size[size < 1e-9 * size.max()] = 1.0  # phi = i z is a turn and loads nothing
        found = np.linalg.lstsq(real / size, target, rcond=1e-14)[0] / size
        self.residual = float(np.abs(real @ found - target).max() / (pressure_kpa * self.scales[0]))
        count = len(self.orders)
        self.phi = found[:count] + 1j * found[count : 2 * count]
        self.psi = found[2 * count : 3 * count] + 1j * found[3 * count : 4 * count]

    def _powers(self, z: np.ndarray, derivative: int) -> np.ndarray:
        """``(n, k)``: derivatives of z^k, each scaled to size 1 on the border where it is largest."""
        factor = np.ones(len(self.orders))
        for i in range(derivative):
            factor = factor * (self.orders - i)
        scale = np.where(self.orders > 0, self.scales[1], self.scales[0])
        return np.asarray(factor * (z[:, None] / scale) ** (self.orders - derivative) / scale**derivative)

    def _border(self, z: np.ndarray, place: int) -> np.ndarray:
        """Columns: real and imaginary parts of phi's and psi's coefficients, then the borders' constants."""
        power, slope = self._powers(z, 0), self._powers(z, 1)
        bent = z[:, None] * slope.conj()
        constants = np.zeros((len(z), 4), dtype=complex)
        constants[:, 2 * place : 2 * place + 2] = -1.0, -1.0j
        return np.hstack([power + bent, 1j * power - 1j * bent, power.conj(), -1j * power.conj(), constants])

    def stress(self, points_mm: np.ndarray) -> np.ndarray:
        """Stress in the plane ``(n, 2, 2)`` kPa."""
        z = points_mm @ np.array([1, 1j]) - self.centre
        first, second = self._powers(z, 1), self._powers(z, 2)
        total = 4 * (first @ self.phi).real
        swing = 2 * (z.conj() * (second @ self.phi) + first @ self.psi)
        xx, yy, xy = (total - swing.real) / 2, (total + swing.real) / 2, swing.imag / 2
        return np.stack([np.stack([xx, xy]), np.stack([xy, yy])]).transpose(2, 0, 1)

    def displacement(self, points_mm: np.ndarray, shear_kpa: float, poisson_ratio: float) -> np.ndarray:
        """Displacement ``(n, 2)`` mm up to a rigid motion."""
        z = points_mm @ np.array([1, 1j]) - self.centre
        power, slope = self._powers(z, 0), self._powers(z, 1)
        w = (3 - 4 * poisson_ratio) * (power @ self.phi)
        w = (w - z * (slope @ self.phi).conj() - (power @ self.psi).conj()) / (2 * shear_kpa)
        return np.column_stack([w.real, w.imag])
