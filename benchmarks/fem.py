"""Accuracy and speed of the finite-element stress labeler: ``python -m benchmarks fem``.

Speed is CPU time of one core with one BLAS thread, from masks to stress rasters of 256 x 256 with three channels.
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Benchmark, Cell, Json, Result, Table
from dataeff_al.labeling.types import Label, LabelerContext, LabelFailure, Request
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import Sample
from dataeff_al.vessel.pools import SectionPool
from dataeff_al.vessel.spec import VESSEL_SECTIONS, VesselSectionsParams
from labelers.fem_stress import LinearElastic, NeoHookean, StressSettings, VesselSection, solve
from labelers.fem_stress.spec import PLUGIN, Channel, FemStressParams

P = 14.665463
CHANNELS: list[Channel] = ["first_principal", "von_mises", "circumferential"]


def circle(radius: float, x: float = 0.0) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    return np.column_stack([radius * np.cos(t) + x, radius * np.sin(t)])


def lame(a: float = 1.0, b: float = 1.6) -> dict[str, float]:
    """Worst relative hoop error, and radial error in units of the pressure, over nu from 0 to 0.4999."""
    radii = np.linspace(a, b, 65)
    points = np.column_stack([radii * np.cos(0.3), radii * np.sin(0.3)])
    outward, around = np.array([np.cos(0.3), np.sin(0.3)]), np.array([-np.sin(0.3), np.cos(0.3)])
    A = P * a**2 / (b**2 - a**2)
    hoop_errors, radial_errors = [], []
    for nu in (0.0, 0.3, 0.45, 0.49, 0.499, 0.4999):
        section = VesselSection([circle(a), circle(b)], ["wall"])
        field = solve(section, StressSettings(lumen_pressure_kpa=P, tissues={"wall": LinearElastic(300.0, nu)}))
        stress = field.stress_at(points)[:, :2, :2]
        hoop, radial = A + A * b**2 / radii**2, A - A * b**2 / radii**2
        hoop_errors.append(np.abs(around @ stress @ around - hoop).max() / hoop.max())
        radial_errors.append(np.abs(outward @ stress @ outward - radial).max() / P)
    return {"lame_hoop_rel": float(max(hoop_errors)), "lame_radial_rel": float(max(radial_errors))}


def tube(a: float = 1.0, b: float = 1.5, c1: float = 40.0) -> dict[str, float]:
    """Inner radius of an inflated incompressible neo-Hookean tube against quadrature."""
    from scipy.integrate import quad
    from scipy.optimize import brentq

    def pressure(k: float) -> float:
        def slope(R: float) -> float:
            stretch2 = (R**2 + k) / R**2
            return 2 * c1 * (stretch2 - 1 / stretch2) * R / (R**2 + k)

        return float(quad(slope, a, b, epsabs=1e-13)[0])

    k = brentq(lambda k: pressure(k) - P, 1e-9, 20.0, xtol=1e-14)
    section = VesselSection([circle(a), circle(b)], ["wall"])
    field = solve(section, StressSettings(lumen_pressure_kpa=P, tissues={"wall": NeoHookean(c1)}))
    u = field.displacement_at(np.array([[a, 0.0]]))[0, 0]
    return {"tube_radius_rel": float(abs((a + u) / np.sqrt(a**2 + k) - 1))}


def eccentric(a: float = 1.5, b: float = 2.25, e: float = 0.15) -> dict[str, float]:
    """Hoop stress at the thinnest inner point against Jeffery (1921)."""
    field = solve(
        VesselSection([circle(a), circle(b, -e)], ["wall"]),
        StressSettings(lumen_pressure_kpa=P, tissues={"wall": LinearElastic(300.0, 0.49)}),
    )
    top = 2 * b**2 * (b**2 + a**2 - 2 * a * e - e**2)
    exact = P * (top / ((a**2 + b**2) * (b**2 - a**2 - 2 * a * e - e**2)) - 1)
    return {"eccentric_rel": float(abs(field.stress_at(np.array([[a, 0.0]]))[0, 1, 1] / exact - 1))}


def pool(size: int, pixels: int = 64) -> SectionPool:
    built: SectionPool = VESSEL_SECTIONS.factory()(
        VesselSectionsParams(size=size, pixels=pixels), PoolContext(Path(), None, 7)
    )
    return built


def sections(count: int) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Relative L2 error of first principal stress against a mesh four times as fine, sharp interfaces in both."""
    generated = pool(400)
    rows: list[dict[str, Any]] = []
    for sample_id in [i for i in generated.ids() if generated.polar(i).inclusions][:count]:
        section = generated.polar(sample_id).section()
        coarse, fine = (
            solve(section, StressSettings(mesh=mesh)).raster(0.04, (124, 124))[0] for mesh in ((8, 96), (32, 384))
        )
        both = np.isfinite(coarse) & np.isfinite(fine)
        error = float(np.linalg.norm((coarse - fine)[both]) / np.linalg.norm(fine[both]))
        tissues = ", ".join(i.tissue for i in generated.polar(sample_id).inclusions)
        rows.append({"section": str(sample_id), "inclusions": tissues, "rel_l2": error})
    errors = [row["rel_l2"] for row in rows]
    return {"section_rel_l2": float(np.median(errors)), "section_rel_l2_max": float(np.max(errors))}, rows


def labels_per_cpu_s(fidelity: str, samples: list[Sample], generated: SectionPool, repeats: int) -> float:
    """Median over repeats of labels per second of this process's CPU time; the first call is a warm-up."""
    params = FemStressParams.model_validate({"fidelity": fidelity, "channels": CHANNELS})
    labeler = PLUGIN.factory()(params, LabelerContext(generated, Path(), None))
    batch = [Request(str(s.id), s) for s in samples]
    labeler.label(batch[:8])
    rates = []
    for _ in range(repeats):
        started = time.process_time()
        labeler.label(batch)
        rates.append(len(batch) / (time.process_time() - started))
    return float(np.median(rates))


def throughput(count: int, repeats: int) -> dict[str, float]:
    generated = pool(count, pixels=256)
    samples = list(generated.read(generated.ids()))
    return {
        "linear_labels_per_cpu_s": labels_per_cpu_s("linear", samples, generated, repeats),
        "hyperelastic_labels_per_cpu_s": labels_per_cpu_s("hyperelastic", samples, generated, repeats),
    }


def silent_failures(count: int, fidelity: str) -> dict[str, float]:
    """Random valid sections: how many answers are neither finite stress in all tissue nor a failure with a reason."""
    generated = pool(count)
    params = FemStressParams.model_validate({"fidelity": fidelity})
    labeler = PLUGIN.factory()(params, LabelerContext(generated, Path(), None))
    outcomes = labeler.label([Request(str(s.id), s) for s in generated.read(generated.ids())])
    silent = sum(not _honest(outcome) for outcome in outcomes)
    failed = sum(isinstance(outcome, LabelFailure) for outcome in outcomes)
    return {f"silent_failures_{fidelity}": float(silent), f"refused_{fidelity}": float(failed)}


def _honest(outcome: object) -> bool:
    if isinstance(outcome, LabelFailure):
        return bool(outcome.reason)
    return isinstance(outcome, Label) and bool(np.isfinite(outcome.target["stress"][:, outcome.valid]).all())


def _sections(count: int) -> Json:
    figures, rows = sections(count)
    return {"figures": figures, "rows": rows}


def cells(_: Sequence[int], quick: bool) -> list[Cell]:
    """The measurements; exact cases need no seeds."""
    return [
        Cell("lame", lame),
        Cell("tube", tube),
        Cell("eccentric", eccentric),
        Cell("throughput", partial(throughput, 16 if quick else 64, 2 if quick else 5)),
        Cell("silent-linear", partial(silent_failures, 200 if quick else 5000, "linear")),
        Cell("silent-hyperelastic", partial(silent_failures, 100 if quick else 1000, "hyperelastic")),
        Cell("sections", partial(_sections, 4 if quick else 20)),
    ]


def assemble(found: Mapping[str, Json]) -> Result:
    """All figures by name, and the error of each section."""
    figures: dict[str, float] = {}
    for key, cell in found.items():
        figures.update(cell["figures"] if key == "sections" else cell)
    figures["silent_failures"] = figures["silent_failures_linear"] + figures["silent_failures_hyperelastic"]
    rows = [[row["section"], row["inclusions"], row["rel_l2"]] for row in found["sections"]["rows"]]
    table = Table(
        "First principal stress, 8 x 96 against 32 x 384", ["section", "inclusions", "relative L2 error"], rows
    )
    summary = Table("Figures", ["figure", "value"], [[name, value] for name, value in figures.items()])
    return Result(figures, [summary, table])


BENCHMARK = Benchmark(seeds=1, cells=cells, assemble=assemble)
