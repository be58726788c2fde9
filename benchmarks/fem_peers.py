"""The labeler beside FElupe and scikit-fem: labels per CPU second, with the errors of each on the same sections.

The peers run in an environment of their own, for FElupe is under the GPL; DATAEFF_PEERS_PYTHON names its interpreter::

    python -m venv ../peers && ../peers/bin/pip install -r benchmarks/peers/requirements.txt
    DATAEFF_PEERS_PYTHON=../peers/bin/python python -m benchmarks fem

Without it the figures are empty. Everything runs on one core with one BLAS thread, and CPU seconds are counted.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.harness import Cell, Json
from benchmarks.peers.exchange import PeerAnswer, read_answers, write_cases
from benchmarks.peers.problems import Problem, plaques, pool, tissues, tube
from dataeff_al.labeling.types import LabelerContext, Request
from labelers.fem_stress.laws import LinearElastic
from labelers.fem_stress.settings import Fidelity
from labelers.fem_stress.spec import PLUGIN, FemStressParams
from labelers.fem_stress.stress import CHANNELS, first_principal

INTERPRETER = "DATAEFF_PEERS_PYTHON"
ROOT = Path(__file__).parents[1]
TIMEOUT_S = 3000.0
LIKE = 2.0
"""Errors within this factor are alike."""
PIXELS = 256
COLUMNS = ["solver", "labels a CPU second", "relative L2 error, tube", "relative L2 error, plaque (median)"]


@dataclass(frozen=True)
class Peer:
    """A solver: its module in ``benchmarks.peers``, all its ways, and those that its documentation shows."""

    name: str
    module: str
    fidelity: Fidelity
    documented: Sequence[str]
    others: Sequence[str]
    note: str

    @property
    def key(self) -> str:
        """The name in figures and cells."""
        return self.module.removesuffix("_peer")


FELUPE = Peer(
    "FElupe",
    "felupe_peer",
    "hyperelastic",
    ["bilinear, five substeps", "biquadratic, five substeps"],
    ["bilinear, one step", "biquadratic, one step"],
    "FElupe: its near-incompressible solid, neo-Hookean tissues, PyPardiso. Its examples ramp a load in substeps: "
    "ratio_felupe counts five of them, ratio_felupe_fastest a single step, which they do not show.",
)
SCIKIT_FEM = Peer(
    "scikit-fem",
    "scikit_fem_peer",
    "linear",
    ["displacement", "continuous pressure", "constant pressure"],
    [],
    "scikit-fem: its default solver; displacements alone, or with pressure, continuous (Taylor-Hood) or constant in an "
    "element. ratio_scikit_fem counts the fastest.",
)
FAIR = (
    "Peers get our nodes (6,528 degrees of freedom) and moduli and are counted for mesh, assembly, solve and stress at "
    "their own Gauss points, imports and forms not included; we are counted from the mask to a raster of 256 x 256 "
    "with three channels. Plaque errors are against 32 x 384 elements of the same section; like_error counts the "
    f"fastest way whose plaque error is at most {LIKE:g} times ours."
)


def cells(quick: bool) -> list[Cell]:
    """A comparison with each peer; one that could not be made has a key of its own and is made as soon as it can."""
    size = (1, 8, 1) if quick else (5, 32, 3)
    absent = "" if os.environ.get(INTERPRETER) else "-absent"
    return [Cell(f"peers-{peer.key}{absent}", partial(compare, peer, *size)) for peer in (FELUPE, SCIKIT_FEM)]


def compare(peer: Peer, sections: int, labels: int, repeats: int) -> Json:
    """Our labels per CPU second over a peer's, each with its errors; no figure without an interpreter."""
    key, python = peer.key, os.environ.get(INTERPRETER)
    if not python:
        note = f"{peer.name} was not measured: {INTERPRETER} must name a Python that has it, but got nothing."
        return {"figures": {f"ratio_{key}": None}, "notes": [note]}
    problems = [tube(peer.fidelity), *plaques(peer.fidelity, sections)]
    before = rates(peer.fidelity, labels, repeats)
    found = {way: ask(peer.module, way, python, problems) for way in (*peer.documented, *peer.others)}
    ours = median([*before, *rates(peer.fidelity, labels, repeats)])
    mine = errors([problem.own_error for problem in problems])
    theirs = [_measured(way, problems, answers) for way, (answers, _) in found.items()]
    rows = [["fem_stress", ours, *mine], *([f"{peer.name}, {one.way}", one.rate, *one.errors] for one in theirs)]
    versions = ", ".join(f"{name} {value}" for name, value in next(iter(found.values()))[1].items())
    return {
        "figures": figures_of(key, peer, ours, mine[1], theirs),
        "tables": [{"title": f"Beside {peer.name}, {peer.fidelity}", "columns": COLUMNS, "rows": rows}],
        "notes": [f"{peer.note} {FAIR} Versions: {versions}.", *_failures(peer.name, found)],
    }


@dataclass(frozen=True)
class Measured:
    """A peer in one way: labels per CPU second and its errors on tube and plaque; None where it has no answer."""

    way: str
    rate: float | None
    errors: Sequence[float | None]


def _measured(way: str, problems: Sequence[Problem], answers: Sequence[PeerAnswer]) -> Measured:
    each = [_error(problem, answer) for problem, answer in zip(problems, answers, strict=True)]
    return Measured(way, labels_per_cpu_s(answers), errors(each))


def figures_of(
    key: str, peer: Peer, ours: float, error: float | None, theirs: Sequence[Measured]
) -> dict[str, float | None]:
    """Our rate over the fastest documented way, the fastest of all, and the fastest documented one of like error."""
    documented = [one for one in theirs if one.way in peer.documented]
    like = [one for one in documented if one.errors[1] is not None and error and one.errors[1] <= LIKE * error]
    return {
        f"ratio_{key}": _ratio(ours, documented),
        f"ratio_{key}_fastest": _ratio(ours, theirs),
        f"ratio_{key}_like_error": _ratio(ours, like),
        f"ours_beside_{key}_labels_per_cpu_s": ours,
    }


def _ratio(ours: float, theirs: Sequence[Measured]) -> float | None:
    """Our rate over the fastest of theirs."""
    return min((ours / one.rate for one in theirs if one.rate), default=None)


def rates(fidelity: Fidelity, labels: int, repeats: int) -> list[float]:
    """Our labels per CPU second from masks to stress rasters, once per repeat; the first batch is a warm-up."""
    generated = pool(labels, PIXELS)
    laws = {
        name: {"youngs_modulus_kpa": law.youngs_modulus_kpa, "poisson_ratio": law.poisson_ratio}
        if isinstance(law, LinearElastic)
        else {"c1_kpa": law.c1_kpa}
        for name, law in tissues(fidelity).items()
    }
    params = FemStressParams.model_validate({"fidelity": fidelity, "channels": list(CHANNELS), "tissues": laws})
    labeler = PLUGIN.factory()(params, LabelerContext(generated, Path(), None))
    batch = [Request(str(sample.id), sample) for sample in generated.read(generated.ids())]
    labeler.label(batch[:8])
    found = []
    for _ in range(repeats):
        started = time.process_time()
        labeler.label(batch)
        found.append(labels / (time.process_time() - started))
    return found


def ask(module: str, way: str, python: str, problems: Sequence[Problem]) -> tuple[list[PeerAnswer], Mapping[str, str]]:
    """A peer's answers for all problems in one way, solved by its own interpreter in one process."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with tempfile.TemporaryDirectory() as name:
        cases, answers = Path(name, "cases.npz"), Path(name, "answers.npz")
        write_cases(cases, [problem.case for problem in problems])
        subprocess.run(
            [Path(python).absolute(), "-m", f"benchmarks.peers.{module}", way, cases, answers],
            cwd=ROOT,
            env={**os.environ, **threads},
            check=True,
            timeout=TIMEOUT_S,
        )
        return read_answers(answers)


def labels_per_cpu_s(answers: Sequence[PeerAnswer]) -> float | None:
    """Over the sections that the peer solved, without the tube; None when it solved none."""
    seconds = [answer.cpu_s for answer in answers[1:] if not answer.reason]
    return 1 / median(seconds) if seconds else None


def errors(each: Sequence[float | None]) -> list[float | None]:
    """The error on the tube, and the median over the plaques that were solved."""
    solved = [error for error in each[1:] if error is not None]
    return [each[0], median(solved) if solved else None]


def _error(problem: Problem, answer: PeerAnswer) -> float | None:
    if answer.reason:
        return None
    return problem.error(answer.points, first_principal(np.asarray(answer.stress)))


def _failures(name: str, found: Mapping[str, tuple[list[PeerAnswer], Any]]) -> list[str]:
    reasons = [
        f"{name}, {way}, case {i}: {answer.reason}"
        for way, (answers, _) in found.items()
        for i, answer in enumerate(answers)
        if answer.reason
    ]
    return reasons[:4]
