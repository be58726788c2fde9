"""Plaque sections on real contours: against a finer mesh with sharp interfaces, and against scikit-fem."""

import os
from pathlib import Path

import numpy as np
import pytest

from dataeff_al.vessel.ivus_contours import ARCHIVE, read_frames
from labelers.fem_stress import LinearElastic, StressSettings, VesselSection, solve

P = 14.665463
pytestmark = pytest.mark.skipif(not os.environ.get("DATAEFF_DATA"), reason="DATAEFF_DATA is not set: no real contours")


@pytest.fixture(scope="module")
def frames():
    archive = Path(os.environ["DATAEFF_DATA"]) / ARCHIVE
    if not archive.is_file():
        pytest.skip("the shared data hold no IVUS contours")
    return read_frames(archive)


def plaque(frame, tissue: str, depth: tuple[float, float], width: float) -> VesselSection:
    """A real lumen and membrane, with an elliptic inclusion by angle and share of the wall where it is thickest."""
    middle = frame.lumen.mean(axis=0)
    bare = VesselSection([frame.lumen - middle, frame.membrane - middle], ["wall"])
    t = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    wall = bare.outer.radius(t, bare.centre) - bare.lumen.radius(t, bare.centre)
    u = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    angle = t[np.argmax(wall)] + width * np.cos(u)
    low, high = bare.lumen.radius(angle, bare.centre), bare.outer.radius(angle, bare.centre)
    r = low + (high - low) * (np.mean(depth) + (depth[1] - depth[0]) / 2 * np.sin(u))
    polygon = bare.centre + r[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return VesselSection(bare.contours_mm, ["wall"], [(tissue, polygon)])


@pytest.mark.parametrize(("number", "tissue"), [(14, "lipid"), (21, "calcium"), (49, "lipid")])
def test_stress_on_a_real_plaque_is_within_3_percent_of_a_finer_mesh_with_sharp_interfaces(frames, number, tissue):
    section = plaque(frames[number], tissue, (0.2, 0.75), 0.6)
    coarse, fine = (solve(section, StressSettings(mesh=mesh)) for mesh in ((8, 96), (20, 240)))
    assert not coarse.mesh.sampled
    maps = [field.raster(0.05, (110, 110))[0] for field in (coarse, fine)]
    both = np.isfinite(maps[0]) & np.isfinite(maps[1])
    assert np.linalg.norm((maps[0] - maps[1])[both]) < 0.03 * np.linalg.norm(maps[1][both])


def test_scikit_fem_gives_the_same_stress_on_a_real_plaque(frames):
    """Another assembly, displacements alone, nu 0.3; the elements share corners and so the sharp interfaces."""
    skfem = pytest.importorskip("skfem", reason="scikit-fem is not installed")
    tissues = {"wall": LinearElastic(300.0, 0.3), "lipid": LinearElastic(60.0, 0.3)}
    section = plaque(frames[21], "lipid", (0.25, 0.75), 0.7)
    field = solve(section, StressSettings(lumen_pressure_kpa=P, mesh=(12, 144), tissues=tissues))
    principal, points = independent(skfem, field)
    ours = field.stress_at(points)[:, :2, :2]
    mine = np.linalg.eigvalsh(np.where(np.isnan(ours), 0.0, ours))[:, 1]
    both = np.isfinite(ours[:, 0, 0])
    assert both.mean() > 0.98
    assert np.linalg.norm((mine - principal)[both]) < 0.03 * np.linalg.norm(principal[both])


def independent(skfem, field) -> tuple[np.ndarray, np.ndarray]:
    """First principal stress ``(n,)`` at scikit-fem's own quadrature points ``(n, 2)``."""
    from skfem.helpers import ddot, dot, sym_grad, trace

    nodes = field.mesh.nodes[::2, ::2]
    lines, rings = nodes.shape[:2]
    number = np.arange(lines * rings).reshape(lines, rings)
    after = np.roll(number, -1, axis=0)
    corners = np.stack([c.ravel() for c in (number[:, :-1], number[:, 1:], after[:, 1:], after[:, :-1])])
    mesh = skfem.MeshQuad(np.ascontiguousarray(nodes.reshape(-1, 2).T), np.ascontiguousarray(corners))
    element = skfem.ElementVector(skfem.ElementQuad2())
    basis = skfem.Basis(mesh, element, intorder=5)
    moduli = np.array([law.moduli for law in field.mesh.laws])[field.mesh.law_of[:, :, 4].ravel()]
    mu, kappa = (np.repeat(value[:, None], basis.X.shape[1], axis=1) for value in moduli.T)

    @skfem.BilinearForm
    def stiffness(u, v, w):
        a, b = sym_grad(u), sym_grad(v)
        return 2 * w["mu"] * ddot(a, b) + (w["kappa"] - 2 / 3 * w["mu"]) * trace(a) * trace(b)

    @skfem.LinearForm
    def push(v, w):
        return -P * dot(w.n, v)

    on_lumen = np.isin(mesh.facets, number[:, 0]).all(axis=0)
    load = push.assemble(skfem.FacetBasis(mesh, element, facets=np.flatnonzero(on_lumen)))
    matrix = stiffness.assemble(basis, mu=mu, kappa=kappa)
    held = np.array([*basis.nodal_dofs[:, number[0, -1]], basis.nodal_dofs[1, number[lines // 2, -1]]])
    gradient = basis.interpolate(skfem.solve(*skfem.condense(matrix, load, D=held))).grad
    strain = (gradient + np.swapaxes(gradient, 0, 1)) / 2
    volume = strain[0, 0] + strain[1, 1]
    xx, yy = (2 * mu * strain[i, i] + (kappa - 2 / 3 * mu) * volume for i in range(2))
    principal = (xx + yy) / 2 + np.hypot((xx - yy) / 2, 2 * mu * strain[0, 1])
    return principal.ravel(), np.asarray(basis.global_coordinates()).reshape(2, -1).T
