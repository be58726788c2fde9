"""What a stress solve needs beside the section."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dataeff_al.errors import GeometryError
from dataeff_al.vessel.tissues import SOLID
from labelers.fem_stress.laws import Law, LinearElastic, MooneyRivlin

Outer = Literal["free", "elastic_foundation", "adventitia"]
Fidelity = Literal["linear", "hyperelastic"]

LARGEST_PRESSURE_KPA = 200.0

LINEAR_TISSUES: Mapping[str, Law] = {
    "wall": LinearElastic(300.0),
    "fibrous": LinearElastic(600.0),
    "lipid": LinearElastic(6.0),
    "calcium": LinearElastic(10_000.0),
    "adventitia": LinearElastic(300.0),
}

HYPERELASTIC_TISSUES: Mapping[str, Law] = {
    "wall": MooneyRivlin(36.8, 14.4, 2.0),
    "fibrous": MooneyRivlin(73.6, 28.8, 2.5),
    "lipid": MooneyRivlin(2.0, 2.0, 1.5),
    "calcium": MooneyRivlin(368.0, 144.0, 2.5),
    "adventitia": MooneyRivlin(36.8, 14.4, 2.0),
}


@dataclass(frozen=True)
class StressSettings:
    """Pressure, mesh, materials and support of a solve.

    ``mesh``: elements across the wall and around. ``tissues``: a law for each tissue of the section; all linear (small
    strain) or all hyperelastic (finite strain), never mixed. ``outer``: ``free`` (only rigid motion is stopped),
    ``elastic_foundation`` (traction = -``foundation_kpa_per_mm`` x displacement) or ``adventitia`` (a layer of
    ``adventitia_mm`` with the law of that name is laid around the section; free outside). ``imaged_at_kpa``: the lumen
    pressure under which the section was imaged; above 0 the section without pressure is found first, and loaded then.

    Raises:
        GeometryError: the text names the rule.
    """

    lumen_pressure_kpa: float = 14.665463
    mesh: tuple[int, int] = (8, 96)
    tissues: Mapping[str, Law] = field(default_factory=lambda: LINEAR_TISSUES)
    outer: Outer = "free"
    foundation_kpa_per_mm: float = 30.0
    adventitia_mm: float = 0.25
    imaged_at_kpa: float = 0.0

    def __post_init__(self) -> None:
        _within("lumen_pressure_kpa", self.lumen_pressure_kpa, 0.0, LARGEST_PRESSURE_KPA)
        _within("imaged_at_kpa", self.imaged_at_kpa, 0.0, LARGEST_PRESSURE_KPA)
        _within("foundation_kpa_per_mm", self.foundation_kpa_per_mm, 1e-9, 1e9)
        _within("adventitia_mm", self.adventitia_mm, 1e-3, 1e2)
        radial, around = self.mesh
        if not (2 <= radial <= 128 and 16 <= around <= 2048):
            raise GeometryError(f"mesh must be 2 to 128 elements by 16 to 2048, but got {self.mesh!r}.")
        if self.outer not in ("free", "elastic_foundation", "adventitia"):
            raise GeometryError(f"outer must be free, elastic_foundation or adventitia, but got {self.outer!r}.")
        self._check_tissues()

    def _check_tissues(self) -> None:
        unknown = [name for name in self.tissues if name not in SOLID]
        if unknown or not self.tissues:
            raise GeometryError(f"tissues must be some of {', '.join(SOLID)}, but got {list(self.tissues)!r}.")
        linear = {name for name, law in self.tissues.items() if isinstance(law, LinearElastic)}
        if linear and linear != set(self.tissues):
            raise GeometryError(
                f"laws must be all linear or all hyperelastic, but got {sorted(linear)!r} linear alone."
            )
        if self.outer == "adventitia" and "adventitia" not in self.tissues:
            raise GeometryError("outer 'adventitia' must come with a law for adventitia, but got none.")

    @property
    def fidelity(self) -> Fidelity:
        """Which theory the laws ask for."""
        first = next(iter(self.tissues.values()))
        return "linear" if isinstance(first, LinearElastic) else "hyperelastic"

    @property
    def foundation(self) -> float:
        """Stiffness of the elastic foundation in kPa/mm, 0 for none."""
        return self.foundation_kpa_per_mm if self.outer == "elastic_foundation" else 0.0

    def law(self, tissue: str) -> Law:
        """The tissue's law. Raises GeometryError when there is none."""
        if tissue not in self.tissues:
            raise GeometryError(f"every tissue of a section must have a law, but got none for {tissue!r}.")
        return self.tissues[tissue]


def _within(what: str, value: float, low: float, high: float) -> None:
    if not (isinstance(value, (int, float)) and math.isfinite(value) and low <= value <= high):
        raise GeometryError(f"{what} must lie within {low:g} and {high:g}, but got {value!r}.")
