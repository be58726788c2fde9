"""Material laws of tissues, in kPa."""

import math
from dataclasses import dataclass

from dataeff_al.errors import GeometryError

STIFFEST_KPA = 1e9
PENALTY = 1e4
"""Bulk over shear modulus of the incompressible laws: the volume change stays near the stress over 1e4 shear moduli."""


def _check(what: str, value: float, low: float, high: float) -> None:
    if not (isinstance(value, (int, float)) and math.isfinite(value) and low < value < high):
        raise GeometryError(f"{what} must lie between {low:g} and {high:g}, but got {value!r}.")


@dataclass(frozen=True)
class LinearElastic:
    """Isotropic linear elasticity for small strain.

    Raises:
        GeometryError: a modulus that is not positive, or a Poisson ratio outside (-1, 0.5).
    """

    youngs_modulus_kpa: float
    poisson_ratio: float = 0.49

    def __post_init__(self) -> None:
        _check("youngs_modulus_kpa", self.youngs_modulus_kpa, 0.0, STIFFEST_KPA)
        _check("poisson_ratio", self.poisson_ratio, -1.0, 0.5)

    @property
    def shear_kpa(self) -> float:
        """mu = E / (2 (1 + nu))."""
        return self.youngs_modulus_kpa / (2 * (1 + self.poisson_ratio))

    @property
    def bulk_kpa(self) -> float:
        """kappa = E / (3 (1 - 2 nu))."""
        return self.youngs_modulus_kpa / (3 * (1 - 2 * self.poisson_ratio))

    @property
    def moduli(self) -> tuple[float, ...]:
        """What the solver interpolates: shear and bulk modulus, kPa."""
        return self.shear_kpa, self.bulk_kpa


@dataclass(frozen=True)
class MooneyRivlin:
    """Incompressible modified Mooney-Rivlin: W = c1 (I1 - 3) + D1 (exp(D2 (I1 - 3)) - 1), for finite strain.

    Raises:
        GeometryError: c1 not positive, d1 or d2 negative.
    """

    c1_kpa: float
    d1_kpa: float
    d2: float

    def __post_init__(self) -> None:
        _check("c1_kpa", self.c1_kpa, 0.0, STIFFEST_KPA)
        _check("d1_kpa", self.d1_kpa, -1e-300, STIFFEST_KPA)
        _check("d2", self.d2, -1e-300, 1e3)

    @property
    def shear_kpa(self) -> float:
        """Small-strain shear modulus 2 (c1 + D1 D2)."""
        return 2 * (self.c1_kpa + self.d1_kpa * self.d2)

    @property
    def bulk_kpa(self) -> float:
        """The penalty that keeps the volume."""
        return PENALTY * self.shear_kpa

    @property
    def moduli(self) -> tuple[float, ...]:
        """What the solver interpolates: c1 and d1 in kPa, d2, bulk modulus in kPa."""
        return self.c1_kpa, self.d1_kpa, self.d2, self.bulk_kpa


@dataclass(frozen=True)
class NeoHookean:
    """Incompressible neo-Hookean: W = c1 (I1 - 3), for finite strain. Raises GeometryError when c1 is not positive."""

    c1_kpa: float

    def __post_init__(self) -> None:
        _check("c1_kpa", self.c1_kpa, 0.0, STIFFEST_KPA)

    @property
    def d1_kpa(self) -> float:
        """No exponential term."""
        return 0.0

    @property
    def d2(self) -> float:
        """No exponential term."""
        return 0.0

    @property
    def shear_kpa(self) -> float:
        """Small-strain shear modulus 2 c1."""
        return 2 * self.c1_kpa

    @property
    def bulk_kpa(self) -> float:
        """The penalty that keeps the volume."""
        return PENALTY * self.shear_kpa

    @property
    def moduli(self) -> tuple[float, ...]:
        """What the solver interpolates: c1 and d1 in kPa, d2, bulk modulus in kPa."""
        return self.c1_kpa, self.d1_kpa, self.d2, self.bulk_kpa


Law = LinearElastic | NeoHookean | MooneyRivlin
