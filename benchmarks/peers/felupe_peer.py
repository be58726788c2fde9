"""FElupe (GPL-3.0) on the hyperelastic cases, as its documentation sets such problems up.

``SolidBodyNearlyIncompressible`` (three fields, the dual ones condensed) around the built-in ``NeoHooke``, plane
strain, ``SolidBodyPressure``, a ``Job`` of one ``Step``, PyPardiso as the solver; bilinear quadrilaterals, for which
the solid "works best", or biquadratic ones. The examples ramp a load in four or five substeps; here it is five or one.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.peers.exchange import Field, PeerCase, main

fem: Any = import_module("felupe")
pypardiso: Any = import_module("pypardiso")

TOLERANCE = 1e-3
"""FElupe divides residuals by the reactions of the supports, which a section that is only kept from moving off does not
have; its default of 1.5e-8 is therefore never reached. This is about 1e-6 of the load."""

BILINEAR = [(0, 0), (0, 1), (1, 1), (1, 0)]
BIQUADRATIC = [(0, 0), (0, 2), (2, 2), (2, 0), (0, 1), (1, 2), (2, 1), (1, 0), (1, 1)]


def solve(case: PeerCase, quadratic: bool, substeps: int) -> Field:
    """Mesh, assembly, Newton's method and Cauchy stress at the quadrature points."""
    mesh = _mesh(case, quadratic)
    region = (fem.RegionBiQuadraticQuad if quadratic else fem.RegionQuad)(mesh)
    field = fem.FieldContainer([fem.FieldPlaneStrain(region, dim=2)])
    shear, bulk = (_by_cell(values, quadratic) for values in (case.shear_kpa, case.bulk_kpa))
    law = fem.NeoHooke(mu=shear)
    if np.size(shear) > 1:
        law.chunksize = None  # a modulus that differs between cells cannot be cut into chunks
    solid = fem.SolidBodyNearlyIncompressible(law, field, bulk=bulk)
    pressure = fem.SolidBodyPressure(_lumen(case, mesh, quadratic))
    ramp = {pressure: case.pressure_kpa * fem.math.linsteps([0, 1], num=substeps)[1:]}
    step = fem.Step(items=[solid, pressure], ramp=ramp, boundaries=_supports(case, field))
    fem.Job(steps=[step]).evaluate(verbose=False, tol=TOLERANCE, solver=pypardiso.spsolve)
    stress = solid.evaluate.cauchy_stress()
    points = np.einsum("cni,nq->qci", mesh.points[mesh.cells], region.h[..., 0])
    components = np.stack([stress[0, 0], stress[1, 1], stress[0, 1], stress[2, 2]])
    return points.reshape(-1, 2), components.reshape(4, -1)


def _numbers(case: PeerCase) -> np.ndarray:
    lines, rings = case.nodes.shape[:2]
    return np.arange(lines * rings).reshape(lines, rings)


def _mesh(case: PeerCase, quadratic: bool) -> Any:
    number = _numbers(case)
    lines, rings = number.shape
    stride = 2 if quadratic else 1
    line, ring = np.meshgrid(np.arange(0, lines, stride), np.arange(0, rings - 1, stride), indexing="ij")
    corners = BIQUADRATIC if quadratic else BILINEAR
    cells = np.stack([number[(line + i) % lines, ring + j].ravel() for i, j in corners], axis=1)
    return fem.Mesh(case.nodes.reshape(-1, 2), cells, "quad9" if quadratic else "quad")


def _by_cell(values: np.ndarray, quadratic: bool) -> np.ndarray | float:
    """A modulus for each cell, or one for all; a cell of nine nodes is four of four."""
    if np.ptp(values) == 0:
        return float(values[0, 0])
    return values.ravel() if quadratic else values.repeat(2, axis=0).repeat(2, axis=1).ravel()


def _lumen(case: PeerCase, mesh: Any, quadratic: bool) -> Any:
    boundary = fem.RegionBiQuadraticQuadBoundary if quadratic else fem.RegionQuadBoundary
    region = boundary(mesh, only_surface=True, mask=_at(case, _numbers(case)[:, 0]), ensure_3d=True)
    return fem.FieldContainer([fem.FieldPlaneStrain(region, dim=2)])


def _supports(case: PeerCase, field: Any) -> dict[str, Any]:
    """Three fixed displacements on the outer border: no rigid motion, no reaction."""
    outer = _numbers(case)[:, -1]
    return {
        "pinned": fem.Boundary(field[0], mask=_at(case, outer[0])),
        "guided": fem.Boundary(field[0], mask=_at(case, outer[len(outer) // 2]), skip=(1, 0)),
    }


def _at(case: PeerCase, nodes: np.ndarray) -> np.ndarray:
    mask = np.zeros(case.nodes.shape[0] * case.nodes.shape[1], dtype=bool)
    mask[nodes] = True
    return mask


WAYS: dict[str, Callable[[PeerCase], Field]] = {
    "bilinear, five substeps": partial(solve, quadratic=False, substeps=5),
    "bilinear, one step": partial(solve, quadratic=False, substeps=1),
    "biquadratic, five substeps": partial(solve, quadratic=True, substeps=5),
    "biquadratic, one step": partial(solve, quadratic=True, substeps=1),
}

if __name__ == "__main__":
    main(WAYS, ["felupe", "pypardiso", "numpy", "scipy"])
