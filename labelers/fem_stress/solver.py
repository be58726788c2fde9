"""One section in, its stress field out."""

import numpy as np

from dataeff_al.errors import GeometryError
from dataeff_al.vessel.section import VesselSection
from labelers.fem_stress.field import StressField
from labelers.fem_stress.from_section import SectionMesh, mesh_section
from labelers.fem_stress.problem import Answer, Problem
from labelers.fem_stress.settings import StressSettings
from labelers.fem_stress.workspace import solve_problems


def solve(section: VesselSection, settings: StressSettings) -> StressField:
    """Stress of a section under lumen pressure, in plane strain.

    Raises:
        GeometryError: a broken rule of section or settings, a folded mesh, or no equilibrium; the text says which.
    """
    mesh = mesh_section(section, settings)
    problem = Problem(mesh.nodes, mesh.moduli, settings.lumen_pressure_kpa, settings.foundation)
    answer = solve_problems([problem])[0]
    if answer.reason:
        raise GeometryError(answer.reason)
    return StressField(mesh, centred(mesh, answer) if settings.foundation <= 0 else answer)


def centred(mesh: SectionMesh, answer: Answer) -> Answer:
    """Take out the mean translation and rotation: without a support they carry no meaning."""
    u = answer.u - answer.u.mean(axis=(0, 1))
    arm = mesh.nodes - mesh.nodes.mean(axis=(0, 1))
    turn = np.sum(arm[..., 0] * u[..., 1] - arm[..., 1] * u[..., 0]) / np.sum(arm**2)
    u = u - turn * np.stack([-arm[..., 1], arm[..., 0]], axis=-1)
    return Answer(u, answer.pressure)
