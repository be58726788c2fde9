"""Accuracy and speed of the finite-element stress labeler: ``python -m benchmarks fem``.

Speed is CPU time of one core with one BLAS thread, from masks to stress rasters of 256 x 256 with three channels.
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import fem_peers, fem_sections, fem_stages
from benchmarks.harness import Benchmark, Cell, Json, Result, Table
from benchmarks.replicas import STRESS, replica_scaling
from dataeff_al.labeling.types import Label, LabelerContext, LabelFailure, Request
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import Sample
from dataeff_al.vessel.pools import SectionPool
from dataeff_al.vessel.spec import VESSEL_SECTIONS, VesselSectionsParams
from labelers.fem_stress import LinearElastic, NeoHookean, StressSettings, VesselSection, solve
from labelers.fem_stress.spec import PLUGIN, Channel, FemStressParams

P = 14.665463
CHANNELS: list[Channel] = ["first_principal", "von_mises", "circumferential"]
FIDELITIES = ("linear", "hyperelastic")


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


def sweep(first: int, count: int, size: int, fidelity: str) -> Json:
    """Answers to ``count`` of ``size`` random valid sections: how many are failures with a reason, and how many are
    silent: neither that nor finite stress in all tissue. The labeler itself checks each answer's equilibrium.
    """
    generated = pool(size)
    params = FemStressParams.model_validate({"fidelity": fidelity})
    labeler = PLUGIN.factory()(params, LabelerContext(generated, Path(), None))
    samples = generated.read(generated.ids()[first : first + count])
    outcomes = labeler.label([Request(str(s.id), s) for s in samples])
    silent = sum(not _honest(outcome) for outcome in outcomes)
    reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, LabelFailure)]
    return {"figures": {}, "fidelity": fidelity, "labels": len(outcomes), "silent": silent, "refused": reasons}


def sweeps(size: int, share: int) -> list[Cell]:
    """The sweep in parts for each theory, so that it can be broken off and taken up again."""
    return [
        Cell(f"silent-{fidelity}-{first}", partial(sweep, first, share, size, fidelity))
        for fidelity in FIDELITIES
        for first in range(0, size, share)
    ]


def swept(found: Mapping[str, Json]) -> dict[str, float]:
    """The sweeps' figures: labels asked, silent failures and refusals by theory, and all silent failures."""
    figures: dict[str, float] = {}
    for fidelity in FIDELITIES:
        parts = [cell for cell in found.values() if cell.get("fidelity") == fidelity]
        figures[f"swept_{fidelity}"] = float(sum(part["labels"] for part in parts))
        figures[f"silent_failures_{fidelity}"] = float(sum(part["silent"] for part in parts))
        figures[f"refused_{fidelity}"] = float(sum(len(part["refused"]) for part in parts))
    return figures | {"silent_failures": sum(figures[f"silent_failures_{fidelity}"] for fidelity in FIDELITIES)}


def _honest(outcome: object) -> bool:
    if isinstance(outcome, LabelFailure):
        return bool(outcome.reason)
    return isinstance(outcome, Label) and bool(np.isfinite(outcome.target["stress"][:, outcome.valid]).all())


def cells(_: Sequence[int], quick: bool) -> list[Cell]:
    """The measurements; exact cases need no seeds."""
    return [
        Cell("lame", lame),
        Cell("tube", tube),
        Cell("eccentric", eccentric),
        Cell("throughput", partial(throughput, 16 if quick else 64, 2 if quick else 5)),
        Cell("stages", lambda: fem_stages.measured(pool(8, pixels=256))),
        *sweeps(*((64, 32) if quick else (5000, 500))),
        Cell("sections", partial(fem_sections.sections, 4 if quick else 24)),
        *fem_peers.cells(quick),
        Cell("replicas", partial(replica_scaling, 48 if quick else 400, STRESS)),
    ]


def assemble(found: Mapping[str, Json]) -> Result:
    """All figures by name, the error of each section, and what the cells have to say beside their figures."""
    figures: dict[str, float] = {}
    for cell in found.values():
        figures.update(cell.get("figures", cell))
    figures |= swept(found)
    rows = [[row["section"], row["inclusions"], row["rel_l2"]] for row in found["sections"]["rows"]]
    table = Table(
        "First principal stress on real contours, 8 x 96 against 32 x 384",
        ["section", "inclusions", "relative L2 error"],
        rows,
    )
    summary = Table("Figures", ["figure", "value"], [[name, value] for name, value in figures.items()])
    more = [Table(**each) for cell in found.values() for each in cell.get("tables", ())]
    notes = [note for cell in found.values() for note in cell.get("notes", ())]
    return Result(figures, [summary, table, *more], notes=notes)


BENCHMARK = Benchmark(seeds=1, cells=cells, assemble=assemble)
