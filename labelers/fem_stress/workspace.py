"""Buffers for a mesh, made once a process, and the call into the compiled solver."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from labelers.fem_stress.linear import SCRATCH, solve_linear
from labelers.fem_stress.locate import element_pressures
from labelers.fem_stress.ring import KE
from labelers.fem_stress.simd import LANES


@dataclass(frozen=True)
class Problem:
    """One linear solve: nodes ``(2 around, 2 radial + 1, 2)`` mm; moduli ``(around, radial, 9)`` kPa at Gauss points."""

    nodes: np.ndarray
    shear: np.ndarray
    bulk: np.ndarray
    pressure_kpa: float
    foundation: float = 0.0


@dataclass(frozen=True)
class Answer:
    """Displacements like the nodes, pressure coefficients ``(around, radial, 3)``, least Jacobian of the mesh."""

    u: np.ndarray
    pressure: np.ndarray
    jacobian: float


class Workspace:
    """Buffers for one mesh topology and eight lanes."""

    def __init__(self, radial: int, around: int) -> None:
        n, m = 4 * radial + 2, 2 * radial + 2
        self.radial, self.around = radial, around
        self.store = (
            np.zeros(around * n * (3 * n + 2) * LANES),
            np.zeros(around * m * (m + 2 * n + 2) * LANES),
            np.zeros(around * radial * 2 * KE * LANES),
            np.zeros(around * radial * 54 * LANES),
        )
        self.work, self.ke = np.zeros(SCRATCH * LANES), np.zeros(18 * KE * LANES)
        self.u, self.jacobian = np.zeros((2 * around, 2 * radial + 1, 2, LANES)), np.zeros(LANES)

    def solve(self, problems: Sequence[Problem]) -> list[Answer]:
        """Solve at most eight problems that share pressure and foundation; empty lanes repeat the first."""
        lanes = [*problems, *[problems[0]] * (LANES - len(problems))]
        nodes, shear, bulk = (
            np.ascontiguousarray(np.stack([getattr(p, name) for p in lanes], axis=-1)).reshape(-1)
            for name in ("nodes", "shear", "bulk")
        )
        first = problems[0]
        solve_linear(
            nodes, shear, bulk, float(first.pressure_kpa), float(first.foundation), self.around, self.radial,
            self.store, self.work, self.ke, self.u.reshape(-1), self.jacobian,
        )  # fmt: skip
        return [self._answer(lane) for lane in range(len(problems))]

    def _answer(self, lane: int) -> Answer:
        u = np.ascontiguousarray(self.u[..., lane])
        kept = self.store[3].reshape(self.around, self.radial, 3, 18, LANES)
        pressure = element_pressures(np.ascontiguousarray(kept[..., lane]), u)
        return Answer(u, pressure, float(self.jacobian[lane]))


@lru_cache(maxsize=4)
def workspace(radial: int, around: int) -> Workspace:
    """The process's buffers for a mesh."""
    return Workspace(radial, around)


def solve_problems(problems: Sequence[Problem]) -> list[Answer]:
    """Solve any number of problems on one mesh topology, eight at a time, in order."""
    around, radial = problems[0].shear.shape[:2]
    space = workspace(radial, around)
    return [a for i in range(0, len(problems), LANES) for a in space.solve(problems[i : i + LANES])]
