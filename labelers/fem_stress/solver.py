"""One section in, its stress field out."""

import numpy as np

from dataeff_al.errors import GeometryError
from dataeff_al.vessel.section import VesselSection
from labelers.fem_stress.field import StressField
from labelers.fem_stress.from_section import SectionMesh, mesh_section
from labelers.fem_stress.settings import StressSettings
from labelers.fem_stress.workspace import Answer, Problem, solve_problems


def solve(section: VesselSection, settings: StressSettings) -> StressField:
    """Stress of a section under lumen pressure, in plane strain.

    Raises:
        GeometryError: the section or the settings break a rule, or the mesh folds; the text names it.
    """
    mesh = mesh_section(section, settings)
    shear, bulk = (np.array([getattr(law, name) for law in mesh.laws])[mesh.law_of] for name in ("shear_kpa", "bulk_kpa"))
    answer = solve_problems([Problem(mesh.nodes, shear, bulk, settings.lumen_pressure_kpa, settings.foundation)])[0]
    check_answer(answer)
    return StressField(mesh, centred(mesh, answer) if settings.foundation <= 0 else answer)


def check_answer(answer: Answer) -> None:
    """Raises GeometryError when the mesh folds or the answer is not finite."""
    if not answer.jacobian > 0 or not np.isfinite(answer.u).all():
        raise GeometryError(f"the mesh must not fold, but got a least Jacobian of {answer.jacobian:.3g}.")


def centred(mesh: SectionMesh, answer: Answer) -> Answer:
    """Take out the mean translation and rotation: without a support they carry no meaning."""
    u = answer.u - answer.u.mean(axis=(0, 1))
    arm = mesh.nodes - mesh.nodes.mean(axis=(0, 1))
    turn = np.sum(arm[..., 0] * u[..., 1] - arm[..., 1] * u[..., 0]) / np.sum(arm**2)
    u = u - turn * np.stack([-arm[..., 1], arm[..., 0]], axis=-1)
    return Answer(u, answer.pressure, answer.jacobian)
