"""What goes to a peer and comes back: npz files, and the clock. Needs numpy alone."""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class PeerCase:
    """A ring: nodes ``(lines, rings, 2)`` mm, moduli ``(lines / 2, (rings - 1) / 2)`` kPa by element of nine nodes."""

    nodes: np.ndarray
    shear_kpa: np.ndarray
    bulk_kpa: np.ndarray
    pressure_kpa: float


Field = tuple[np.ndarray, np.ndarray]
"""Points ``(n, 2)`` mm in the undeformed section and the stress there, components xx, yy, xy, zz ``(4, n)`` kPa."""

Solve = Callable[[PeerCase], Field]


def write_cases(path: Path, cases: Sequence[PeerCase]) -> None:
    """Cases as one npz file."""
    arrays: dict[str, Any] = {
        f"{i}.{name}": np.asarray(value) for i, case in enumerate(cases) for name, value in vars(case).items()
    }
    np.savez(path, **arrays)


def read_cases(path: Path) -> list[PeerCase]:
    """The cases of a file."""
    with np.load(path) as file:
        count = len(file.files) // 4
        return [
            PeerCase(
                file[f"{i}.nodes"],
                file[f"{i}.shear_kpa"],
                file[f"{i}.bulk_kpa"],
                float(file[f"{i}.pressure_kpa"]),
            )
            for i in range(count)
        ]


@dataclass(frozen=True)
class PeerAnswer:
    """How a peer did on one case: its field and CPU seconds, or the reason why there is none."""

    points: np.ndarray
    stress: np.ndarray
    cpu_s: float
    reason: str = ""


def read_answers(path: Path) -> tuple[list[PeerAnswer], dict[str, str]]:
    """A peer's answers in the order of the cases, and the versions that it ran with."""
    with np.load(path) as file:
        told = json.loads(str(file["told"]))
        answers = [
            PeerAnswer(file[f"{i}.points"], file[f"{i}.stress"], one["cpu_s"], one["reason"])
            for i, one in enumerate(told["answers"])
        ]
    return answers, told["versions"]


def main(ways: Mapping[str, Solve], packages: Sequence[str]) -> None:
    """``python -m benchmarks.peers.NAME WAY CASES.npz ANSWERS.npz``: solve every case in one way and write it down.

    The first case is solved once more before the clock runs, so that imports and first calls are not counted.
    """
    way, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    cases = read_cases(source)
    _timed(ways[way], cases[0])
    answers = [_timed(ways[way], case) for case in cases]
    told = {
        "versions": {name: version(name) for name in packages},
        "answers": [{"cpu_s": one.cpu_s, "reason": one.reason} for one in answers],
    }
    arrays: dict[str, Any] = {
        f"{i}.{name}": getattr(one, name) for i, one in enumerate(answers) for name in ("points", "stress")
    }
    np.savez(target, told=np.array(json.dumps(told)), **arrays)


def _timed(solve: Solve, case: PeerCase) -> PeerAnswer:
    started = time.process_time()
    try:
        points, stress = solve(case)
    except Exception as error:  # a peer may fail on a case in any way of its own; that is an answer, too
        return PeerAnswer(np.zeros((0, 2)), np.zeros((4, 0)), time.process_time() - started, repr(error))
    return PeerAnswer(points, stress, time.process_time() - started)
