"""The sections on which the labeler and its peers are compared, and how an error is measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.peers.exchange import PeerCase
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.vessel.pools import SectionPool
from dataeff_al.vessel.section import VesselSection
from dataeff_al.vessel.spec import VESSEL_SECTIONS, VesselSectionsParams
from labelers.fem_stress.exact.finite_tube import FiniteTube
from labelers.fem_stress.exact.layered_tube import LayeredTube
from labelers.fem_stress.field import StressField
from labelers.fem_stress.laws import Law, LinearElastic, NeoHookean
from labelers.fem_stress.polar_mesh import gauss_points
from labelers.fem_stress.settings import HYPERELASTIC_TISSUES, LINEAR_TISSUES, Fidelity, StressSettings
from labelers.fem_stress.solver import solve
from labelers.fem_stress.stress import first_principal

TUBE_MM = (1.0, 1.5)
FINE = (32, 384)

Principal = Callable[[np.ndarray], np.ndarray]
"""First principal stress ``(n,)`` kPa at points ``(n, 2)`` mm; NaN where there is none."""


@dataclass(frozen=True)
class Problem:
    """Our answer for a section, and what it should be."""

    field: StressField
    pressure_kpa: float
    truth: Principal

    @property
    def case(self) -> PeerCase:
        """The same for a peer: our nodes, and moduli for each element."""
        mesh = self.field.mesh
        moduli = np.array([(law.shear_kpa, law.bulk_kpa) for law in mesh.laws])[mesh.law_of[:, :, 4]]
        return PeerCase(mesh.nodes, moduli[..., 0], moduli[..., 1], self.pressure_kpa)

    def error(self, points: np.ndarray, principal: np.ndarray) -> float:
        """Relative L2 error of first principal stress at the points."""
        truth = self.truth(points)
        known = np.isfinite(truth)
        return float(np.linalg.norm((principal - truth)[known]) / np.linalg.norm(truth[known]))

    @property
    def own_error(self) -> float:
        """Our error at the Gauss points."""
        points = gauss_points(self.field.mesh.nodes).reshape(-1, 2)
        inward = self.field.mesh.centre + (1 - 1e-9) * (points - self.field.mesh.centre)
        return self.error(points, principal_of(self.field, inward))


def principal_of(field: StressField, points: np.ndarray) -> np.ndarray:
    """First principal stress ``(n,)`` of a field."""
    stress = field.stress_at(points)
    return first_principal(np.stack([stress[:, 0, 0], stress[:, 1, 1], stress[:, 0, 1], stress[:, 2, 2]]))


def tissues(fidelity: Fidelity) -> dict[str, Law]:
    """The default linear laws, or neo-Hookean ones with the default shear moduli: what every solver here knows."""
    if fidelity == "linear":
        return dict(LINEAR_TISSUES)
    return {name: NeoHookean(law.shear_kpa / 2) for name, law in HYPERELASTIC_TISSUES.items()}


def tube(fidelity: Fidelity) -> Problem:
    """A tube of wall, whose stress is known exactly."""
    settings = StressSettings(tissues=tissues(fidelity))
    t = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    circle = np.column_stack([np.cos(t), np.sin(t)])
    field = solve(VesselSection([radius * circle for radius in TUBE_MM], ["wall"]), settings)
    hoop = _hoop(settings.law("wall"), settings.lumen_pressure_kpa)
    return Problem(field, settings.lumen_pressure_kpa, lambda points: np.asarray(hoop(np.hypot(*points.T))))


def _hoop(law: Law, pressure_kpa: float) -> Principal:
    """Hoop stress by unloaded radius; the largest stress of a tube."""
    if isinstance(law, LinearElastic):
        return lambda r: LayeredTube(TUBE_MM, [law], pressure_kpa).stress(0, r)[1]
    radii = np.linspace(*TUBE_MM, 513)
    hoop = FiniteTube(TUBE_MM, [law], pressure_kpa).stress(0, radii)[1]
    return lambda r: np.asarray(np.interp(r, radii, hoop))


def pool(size: int, pixels: int) -> SectionPool:
    """Generated sections, the same in every run."""
    context = PoolContext(Path(), None, 7)
    built: SectionPool = VESSEL_SECTIONS.factory()(VesselSectionsParams(size=size, pixels=pixels), context)
    return built


def plaques(fidelity: Fidelity, count: int) -> Sequence[Problem]:
    """Generated sections with inclusions that the mesh follows; the truth is the same section on a finer mesh."""
    settings, found = StressSettings(tissues=tissues(fidelity)), []
    generated = pool(60, 64)
    for sample_id in generated.ids():
        polar = generated.polar(sample_id)
        field = solve(polar.section(), settings) if polar.inclusions else None
        if field is not None and not field.mesh.sampled:
            fine = solve(polar.section(), StressSettings(tissues=settings.tissues, mesh=FINE))
            found.append(Problem(field, settings.lumen_pressure_kpa, partial(principal_of, fine)))
        if len(found) == count:
            break
    return found
