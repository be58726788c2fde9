"""One section in, its stress field out."""

from dataeff_al.errors import GeometryError
from dataeff_al.vessel.section import VesselSection
from labelers.fem_stress.field import StressField
from labelers.fem_stress.from_section import mesh_section
from labelers.fem_stress.problem import Problem
from labelers.fem_stress.settings import StressSettings
from labelers.fem_stress.unloaded import settled, solve_imaged


def solve(section: VesselSection, settings: StressSettings) -> StressField:
    """Stress of a section under lumen pressure, in plane strain.

    Raises:
        GeometryError: a broken rule of section or settings, a folded mesh, or no equilibrium; the text says which.
    """
    mesh = mesh_section(section, settings)
    problem = Problem(mesh.nodes, mesh.moduli, settings.lumen_pressure_kpa, settings.foundation, settings.imaged_at_kpa)
    answer = solve_imaged([problem])[0]
    if answer.reason:
        raise GeometryError(answer.reason)
    nodes = mesh.nodes if answer.unloaded is None else answer.unloaded
    return StressField(mesh, settled(problem, nodes, answer))
