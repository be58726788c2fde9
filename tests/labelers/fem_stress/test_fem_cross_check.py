"""An independent solver: scikit-fem, displacements alone, straight-sided elements."""

from pathlib import Path

import numpy as np
import pytest
from skfem import Basis, BilinearForm, ElementQuad2, ElementVector, FacetBasis, LinearForm, MeshQuad, condense, solve
from skfem.helpers import ddot, dot, sym_grad, trace

from dataeff_al.samples.protocol import PoolContext
from dataeff_al.vessel.spec import VESSEL_SECTIONS, VesselSectionsParams
from labelers.fem_stress import LinearElastic, StressSettings
from labelers.fem_stress import solve as solve_stress

P = 14.665463
YOUNG = {"wall": 300.0, "fibrous": 600.0, "lipid": 60.0, "calcium": 3000.0, "adventitia": 200.0}
NU = 0.3


def quads(field) -> tuple[MeshQuad, np.ndarray, np.ndarray]:
    """The section's nodes as scikit-fem quadrilaterals, with shear and bulk modulus by element."""
    nodes = field.mesh.nodes
    lines, rings = nodes.shape[:2]
    number = np.arange(lines * rings).reshape(lines, rings)
    e, k = np.meshgrid(np.arange(0, lines, 2), np.arange(0, rings - 2, 2), indexing="ij")
    f = (e + 2) % lines
    t = np.stack([c.ravel() for c in (number[e, k], number[e, k + 2], number[f, k + 2], number[f, k])])
    law = field.mesh.law_of[:, :, 4]
    moduli = np.array([one.moduli for one in field.mesh.laws])[law.ravel()]
    order = np.unique(t)
    relabel = np.full(lines * rings, -1)
    relabel[order] = np.arange(len(order))
    mesh = MeshQuad(np.ascontiguousarray(nodes.reshape(-1, 2).T[:, order]), np.ascontiguousarray(relabel[t]))
    return mesh, moduli[:, 0], moduli[:, 1]


def independent(field) -> tuple[Basis, np.ndarray, np.ndarray, np.ndarray]:
    mesh, shear, bulk = quads(field)
    basis = Basis(mesh, ElementVector(ElementQuad2()), intorder=5)
    mu, kappa = (np.repeat(value[:, None], basis.X.shape[1], axis=1) for value in (shear, bulk))

    @BilinearForm
    def stiffness(u, v, w):
        a, b = sym_grad(u), sym_grad(v)
        return 2 * w["mu"] * ddot(a, b) + (w["kappa"] - 2 / 3 * w["mu"]) * trace(a) * trace(b)

    @LinearForm
    def push(v, w):
        return -P * dot(w.n, v)

    middle = field.mesh.centre[:, None]
    inner = mesh.facets_satisfying(lambda x: np.hypot(*(x - middle)) < _between(field), boundaries_only=True)
    load = push.assemble(FacetBasis(mesh, ElementVector(ElementQuad2()), facets=inner))
    matrix = stiffness.assemble(basis, mu=mu, kappa=kappa)
    outermost = int(np.argmax(mesh.p[0] - middle[0]))
    opposite = int(np.argmin(mesh.p[0] - middle[0]))
    held = np.array([*basis.nodal_dofs[:, outermost], basis.nodal_dofs[1, opposite]])
    return basis, solve(*condense(matrix, load, D=held)), mu, kappa


def _between(field) -> float:
    radii = np.hypot(*np.moveaxis(field.mesh.nodes - field.mesh.centre, 2, 0))
    return float((radii[:, 0].max() + radii[:, -1].min()) / 2)


@pytest.mark.parametrize(("number", "most"), [(3, 0.025), (6, 0.0025)])
def test_scikit_fem_gives_the_same_stress_on_a_plaque_section(number, most):
    pool = VESSEL_SECTIONS.factory()(VesselSectionsParams(size=12), PoolContext(Path(), None, 7))
    section = pool.polar(pool.ids()[number]).section()
    tissues = {name: LinearElastic(value, NU) for name, value in YOUNG.items()}
    field = solve_stress(section, StressSettings(lumen_pressure_kpa=P, mesh=(8, 96), tissues=tissues))
    basis, u, mu, kappa = independent(field)
    gradient = basis.interpolate(u).grad
    strain = (gradient + np.swapaxes(gradient, 0, 1)) / 2
    volume = strain[0, 0] + strain[1, 1]
    xx, yy = (2 * mu * strain[i, i] + (kappa - 2 / 3 * mu) * volume for i in range(2))
    principal = (xx + yy) / 2 + np.hypot((xx - yy) / 2, 2 * mu * strain[0, 1])
    points = np.asarray(basis.global_coordinates()).reshape(2, -1).T
    ours = field.stress_at(points)
    mine = (ours[:, 0, 0] + ours[:, 1, 1]) / 2 + np.hypot((ours[:, 0, 0] - ours[:, 1, 1]) / 2, ours[:, 0, 1])
    both = np.isfinite(mine)
    assert both.mean() > 0.98
    difference = mine[both] - principal.ravel()[both]
    assert np.linalg.norm(difference) < most * np.linalg.norm(principal.ravel()[both])
