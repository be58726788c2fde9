"""scikit-fem (BSD-3) on the linear cases, as its documentation sets such problems up.

Biquadratic quadrilaterals on a quadratic mesh: displacements alone with the library's own ``linear_elasticity``, or
displacement and pressure, continuous (Taylor-Hood, as in its Stokes and near-incompressible examples) or, as stress
jumps where tissues meet, constant in each element; its default solver.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import bmat
from skfem import (
    Basis,
    BilinearForm,
    Element,
    ElementQuad0,
    ElementQuad1,
    ElementQuad2,
    ElementVector,
    FacetBasis,
    LinearForm,
    MeshQuad2,
    condense,
    solve,
)
from skfem.helpers import ddot, div, dot, sym_grad, trace

from benchmarks.peers.exchange import Field, PeerCase, main

CORNERS = [(0, 0), (0, 2), (2, 2), (2, 0)]
SIDES = [(0, 1), (1, 2), (2, 1), (1, 0), (1, 1)]
ORDER = 5


@BilinearForm
def stiffness(u: Any, v: Any, w: Any) -> Any:
    """Linear elasticity with moduli that differ from element to element."""
    a, b = sym_grad(u), sym_grad(v)
    return 2 * w["mu"] * ddot(a, b) + (w["kappa"] - 2 / 3 * w["mu"]) * trace(a) * trace(b)


@BilinearForm
def shearing(u: Any, v: Any, w: Any) -> Any:
    """The part of the stiffness that stays when the volume is kept: 2 mu dev(eps) in plane strain."""
    a, b = sym_grad(u), sym_grad(v)
    return 2 * w["mu"] * (ddot(a, b) - trace(a) * trace(b) / 3)


@BilinearForm
def volume(u: Any, q: Any, _: Any) -> Any:
    """Volume change, tested by pressure."""
    return div(u) * q


@BilinearForm
def compliance(p: Any, q: Any, w: Any) -> Any:
    """Pressure over bulk modulus."""
    return p * q / w["kappa"]


@LinearForm
def push(v: Any, w: Any) -> Any:
    """Pressure on the lumen."""
    return -w["pressure"] * dot(w.n, v)


class Prepared:
    """The mesh, the displacement basis, the load and what holds the section."""

    def __init__(self, case: PeerCase) -> None:
        mesh, element = _mesh(case), ElementVector(ElementQuad2())
        corner = np.arange(mesh.nvertices).reshape(case.nodes.shape[0] // 2, -1)
        self.basis = Basis(mesh, element, intorder=ORDER)
        count = self.basis.X.shape[1]
        self.mu, self.kappa = (np.repeat(m.ravel()[:, None], count, axis=1) for m in (case.shear_kpa, case.bulk_kpa))
        inner = np.flatnonzero(np.isin(mesh.facets, corner[:, 0]).all(axis=0))
        facets = FacetBasis(mesh, element, facets=inner, intorder=ORDER)
        self.load = push.assemble(facets, pressure=case.pressure_kpa)
        pinned, guided = corner[0, -1], corner[len(corner) // 2, -1]
        self.held = np.array([*self.basis.nodal_dofs[:, pinned], self.basis.nodal_dofs[1, guided]])

    def field(self, gradient: np.ndarray, pressure: np.ndarray) -> Field:
        """Stress at the quadrature points from the gradient and the mean stress."""
        strain = (gradient + np.swapaxes(gradient, 0, 1)) / 2
        third = (strain[0, 0] + strain[1, 1]) / 3
        xx, yy, zz = (pressure + 2 * self.mu * (part - third) for part in (strain[0, 0], strain[1, 1], 0.0))
        points = np.asarray(self.basis.global_coordinates()).reshape(2, -1).T
        return points, np.stack([xx, yy, 2 * self.mu * strain[0, 1], zz]).reshape(4, -1)


def displacement(case: PeerCase) -> Field:
    """Displacements alone."""
    one = Prepared(case)
    matrix = stiffness.assemble(one.basis, mu=one.mu, kappa=one.kappa)
    u = solve(*condense(matrix, one.load, D=one.held))
    gradient = one.basis.interpolate(u).grad
    return one.field(gradient, one.kappa * (gradient[0, 0] + gradient[1, 1]))


def mixed(case: PeerCase, element: Element) -> Field:
    """Displacement and pressure."""
    one = Prepared(case)
    scalar = one.basis.with_element(element)
    a = shearing.assemble(one.basis, mu=one.mu)
    b = volume.assemble(one.basis, scalar)
    c = compliance.assemble(scalar, kappa=one.kappa)
    matrix = bmat([[a, b.T], [b, -c]], "csr")
    load = np.concatenate([one.load, np.zeros(b.shape[0])])
    both = solve(*condense(matrix, load, D=one.held))
    u, p = np.split(both, [a.shape[0]])
    return one.field(one.basis.interpolate(u).grad, np.asarray(scalar.interpolate(p)))


def _mesh(case: PeerCase) -> MeshQuad2:
    """A quadratic mesh; of the corner nodes those of one line come after each other, from inside out."""
    lines, rings = case.nodes.shape[:2]
    number = np.arange(lines * rings).reshape(lines, rings)
    line, ring = np.meshgrid(np.arange(0, lines, 2), np.arange(0, rings - 2, 2), indexing="ij")
    cells = np.stack([number[(line + i) % lines, ring + j].ravel() for i, j in CORNERS + SIDES])
    return MeshQuad2(np.ascontiguousarray(case.nodes.reshape(-1, 2).T), cells)


WAYS: dict[str, Callable[[PeerCase], Field]] = {
    "displacement": displacement,
    "continuous pressure": partial(mixed, element=ElementQuad1()),
    "constant pressure": partial(mixed, element=ElementQuad0()),
}

if __name__ == "__main__":
    main(WAYS, ["scikit-fem", "numpy", "scipy"])
