"""``python -m benchmarks.fem_verification``: convergence against exact solutions, as a picture and as tables.

Writes ``docs/images/fem_convergence.png`` and the tables between their marks in ``docs/fem_stress.md``; no number is
typed by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from labelers.fem_stress import LinearElastic, MooneyRivlin, StressSettings, VesselSection, solve
from labelers.fem_stress.exact.finite_tube import FiniteTube
from labelers.fem_stress.exact.laurent import LaurentRing
from labelers.fem_stress.exact.layered_tube import LayeredTube

P = 14.665463
DOCS = Path(__file__).parent.parent / "docs"
PICTURE, PAGE = DOCS / "images" / "fem_convergence.png", DOCS / "fem_stress.md"
BEGIN, END = "<!-- fem_verification: begin -->", "<!-- fem_verification: end -->"
THEORIES_BEGIN, THEORIES_END = "<!-- fem_theories: begin -->", "<!-- fem_theories: end -->"
RATIOS = (1.2, 1.3, 1.4, 1.6, 1.8, 2.0, 2.5)
MESHES = ((4, 48), (6, 72), (8, 96), (12, 144), (16, 192))
T = np.linspace(0, 2 * np.pi, 480, endpoint=False)
WALL = MooneyRivlin(36.8, 14.4, 2.0)


def oval(a: float, b: float, x: float = 0.0) -> np.ndarray:
    return np.column_stack([a * np.cos(T) + x, b * np.sin(T)])


@dataclass(frozen=True)
class Case:
    """An exact case: how wrong the solver's stress is on a mesh, as a share of the largest exact stress."""

    name: str
    solution: str
    panel: str
    error: Callable[[tuple[int, int]], float]


def _on_ray(radii: list[float]) -> list[np.ndarray]:
    return [np.linspace(a + 1e-6, b - 1e-6, 25) for a, b in pairwise(radii)]


def tube(radii: list[float], laws: list[LinearElastic], foundation: float = 0.0) -> Callable[[tuple[int, int]], float]:
    names = ["wall", "adventitia"][: len(laws)]
    exact = LayeredTube(radii, laws, P, foundation)

    def error(mesh: tuple[int, int]) -> float:
        settings = StressSettings(
            lumen_pressure_kpa=P,
            mesh=mesh,
            tissues=dict(zip(names, laws, strict=True)),
            outer="elastic_foundation" if foundation else "free",
            foundation_kpa_per_mm=foundation or 1.0,
        )
        field = solve(VesselSection([oval(r, r) for r in radii], names), settings)
        return _along_x(field, [(r, exact.stress(i, r)) for i, r in enumerate(_on_ray(radii))])

    return error


def _along_x(field: object, wanted: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Worst component (radial, hoop, axial where wanted) on the x axis over the largest exact one."""
    worst = largest = 0.0
    for r, exact in wanted:
        stress = field.stress_at(np.column_stack([r, 0 * r]))  # type: ignore[attr-defined]
        got = stress[:, range(len(exact)), range(len(exact))].T
        worst, largest = max(worst, np.abs(got - exact).max()), max(largest, np.abs(exact).max())
    return float(worst / largest)


def ring(inner: np.ndarray, outer: np.ndarray, nu: float) -> Callable[[tuple[int, int]], float]:
    exact = LaurentRing(inner, outer, P, np.zeros(2), 60)
    points = np.concatenate([inner[::7] + depth * (outer - inner)[::7] for depth in (0.0, 0.3, 0.7, 1.0)])

    def error(mesh: tuple[int, int]) -> float:
        tissues = {"wall": LinearElastic(300.0, nu)}
        field = solve(
            VesselSection([inner, outer], ["wall"]), StressSettings(lumen_pressure_kpa=P, mesh=mesh, tissues=tissues)
        )
        want = exact.stress(points)
        return float(np.abs(field.stress_at(points)[:, :2, :2] - want).max() / np.abs(want).max())

    return error


def inflated(imaged: bool) -> Callable[[tuple[int, int]], float]:
    exact = FiniteTube([1.0, 1.5], [WALL], P)
    R = np.linspace(1.0 + 1e-6, 1.5 - 1e-6, 15)

    def error(mesh: tuple[int, int]) -> float:
        place = exact.place if imaged else np.asarray
        a, b = place(np.array([1.0, 1.5]))
        settings = StressSettings(
            lumen_pressure_kpa=P, mesh=mesh, tissues={"wall": WALL}, imaged_at_kpa=P if imaged else 0.0
        )
        field = solve(VesselSection([oval(a, a), oval(b, b)], ["wall"]), settings)
        return _along_x(field, [(place(R), exact.stress(0, R))])

    return error


def cases() -> list[Case]:
    tubes = [
        Case(f"tube, nu {nu:g}", "Lame", "Tubes", tube([1.0, 1.6], [LinearElastic(300.0, nu)]))
        for nu in (0.3, 0.45, 0.49, 0.499, 0.4999)
    ]
    stiff, soft = LinearElastic(3000.0, 0.49), LinearElastic(300.0, 0.3)
    return [
        *tubes,
        Case("stiff layer in a soft one", "Lame on each layer", "Layers", tube([1.0, 1.3, 1.7], [stiff, soft])),
        Case("soft layer in a stiff one", "Lame on each layer", "Layers", tube([1.0, 1.3, 1.7], [soft, stiff])),
        Case("tube on an elastic foundation", "Lame with springs", "Layers", tube([1.0, 1.5], [soft], 200.0)),
        Case(
            "eccentric tube, nu 0.3", "complex potentials", "Shapes", ring(oval(1.5, 1.5), oval(2.25, 2.25, -0.15), 0.3)
        ),
        Case(
            "eccentric tube, nu 0.4999",
            "complex potentials",
            "Shapes",
            ring(oval(1.5, 1.5), oval(2.25, 2.25, -0.15), 0.4999),
        ),
        Case("oval lumen in a round wall", "complex potentials", "Shapes", ring(oval(1.2, 0.95), oval(1.8, 1.8), 0.49)),
        Case("oval tube, bent", "complex potentials", "Shapes", ring(oval(1.2, 0.95), oval(1.5, 1.25), 0.49)),
        Case("inflated Mooney-Rivlin tube", "quadrature", "Finite strain", inflated(False)),
        Case("the same, from its loaded image", "quadrature", "Finite strain", inflated(True)),
    ]


def measured() -> list[tuple[Case, list[float]]]:
    found = []
    for case in cases():
        found.append((case, [case.error(mesh) for mesh in MESHES]))
        print(case.name, " ".join(f"{e:.1e}" for e in found[-1][1]), flush=True)
    return found


def table(found: list[tuple[Case, list[float]]]) -> str:
    """Errors on each mesh, and the slope between the default mesh and the one twice as fine."""
    heads = ["case", "exact solution", *(f"{r} x {a}" for r, a in MESHES), "slope"]
    rows = [
        [case.name, case.solution, *(f"{e:.1e}" for e in errors), f"{np.log2(errors[2] / errors[4]):.1f}"]
        for case, errors in found
    ]
    return "\n".join(["| " + " | ".join(row) + " |" for row in (heads, ["---"] * len(heads), *rows)])


def theories(pressure_kpa: float) -> list[str]:
    """Relative L2 distance of Lame's hoop stress from the finite-strain one in tubes of growing thickness.

    Both exact, with the same small-strain moduli and at the same tissue points.
    """
    law, cells = LinearElastic(3 * WALL.shear_kpa, 0.4999), []
    for ratio in RATIOS:
        r = np.linspace(1.0, ratio, 60)
        small = LayeredTube([1.0, ratio], [law], pressure_kpa).stress(0, r)[1]
        finite = FiniteTube([1.0, ratio], [WALL], pressure_kpa).stress(0, r)[1]
        cells.append(f"{100 * np.sqrt(np.sum(r * (small - finite) ** 2) / np.sum(r * finite**2)):.2g} %")
    return cells


def theories_table() -> str:
    """One row for each pressure, one column for each outer over inner radius."""
    rows = [["outer / inner radius", *map(str, RATIOS)], ["---"] * (len(RATIOS) + 1)]
    rows += [[f"{p:.4g} kPa", *theories(p)] for p in (P, P / 2, 0.01)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _put(page: str, begin: str, end: str, text: str) -> str:
    before, rest = page.split(begin)
    return f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}"


def draw(found: list[tuple[Case, list[float]]], path: Path) -> None:
    """One panel for each group of cases, with the slopes of second and third order."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    panels = list(dict.fromkeys(case.panel for case, _ in found))
    figure, axes = plt.subplots(2, 2, figsize=(11, 8.5), sharex=True, layout="constrained")
    sizes = np.array([1 / radial for radial, _ in MESHES])
    for axis, panel in zip(axes.flat, panels, strict=True):
        for (case, errors), mark in zip((row for row in found if row[0].panel == panel), "osd^v", strict=False):
            axis.loglog(sizes, errors, marker=mark, label=case.name)
        for order, style in ((2, ":"), (3, "--")):
            top = max(errors[0] for case, errors in found if case.panel == panel)
            axis.loglog(sizes, 1.6 * top * (sizes / sizes[0]) ** order, "k" + style, lw=1, label=f"order {order}")
        axis.set_title(panel)
        axis.grid(visible=True, which="major", alpha=0.3)
        axis.set_ylim(top=12 * axis.get_ylim()[1])
        axis.legend(fontsize=8, loc="upper left")
    for axis in axes[:, 0]:
        axis.set_ylabel("largest stress error / largest exact stress")
    for axis in axes[-1]:
        axis.set_xlabel("element size across the wall (share of the wall)")
        axis.set_xticks(sizes, [f"1/{radial}" for radial, _ in MESHES])
        axis.minorticks_off()
    figure.suptitle("fem_stress against exact solutions (plane strain, lumen pressure 14.665 kPa)")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    """Measure, draw, and put the table into the page."""
    found = measured()
    draw(found, PICTURE)
    page = PAGE.read_text(encoding="utf-8")
    page = _put(page, BEGIN, END, table(found))
    PAGE.write_text(_put(page, THEORIES_BEGIN, THEORIES_END, theories_table()), encoding="utf-8")


if __name__ == "__main__":
    main()
