"""Buffers for a mesh, made once a process, and the calls into the compiled solvers."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from labelers.fem_stress.hyperelastic import HYPER_SCRATCH
from labelers.fem_stress.linear import solve_linear
from labelers.fem_stress.locate import element_pressures
from labelers.fem_stress.newton import LOAD_STEPS, NO_EQUILIBRIUM, NewtonBuffers, newton
from labelers.fem_stress.problem import Answer, Problem
from labelers.fem_stress.ring import KE
from labelers.fem_stress.simd import LANES

FOLDED = "the mesh must not fold, but got a least Jacobian of {:.3g}."


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
        self.work, self.ke = np.zeros(HYPER_SCRATCH * LANES), np.zeros(18 * KE * LANES)
        self.u = np.zeros((2 * around, 2 * radial + 1, 2, LANES))

    def solve(self, problems: Sequence[Problem], steps: int = 1) -> list[Answer]:
        """Solve at most eight problems that share theory, pressure and foundation; empty lanes repeat the first.

        ``steps``: equal load steps of a finite-strain problem.
        """
        lanes = [*problems, *[problems[0]] * (LANES - len(problems))]
        nodes = interleaved([p.nodes for p in lanes])
        if problems[0].linear:
            return self._linear(problems, lanes, nodes)
        moduli = interleaved([p.moduli for p in lanes])
        buffers = NewtonBuffers(self.around, self.radial, self.store, self.work, self.ke)
        answers = newton(buffers, nodes, moduli, problems[0].pressure_kpa, problems[0].foundation, steps)
        return answers[: len(problems)]

    def _linear(self, problems: Sequence[Problem], lanes: Sequence[Problem], nodes: np.ndarray) -> list[Answer]:
        shear, bulk = (interleaved([p.moduli[:, :, i] for p in lanes]) for i in range(2))
        jacobian = np.zeros(LANES)
        solve_linear(
            nodes, shear, bulk, float(problems[0].pressure_kpa), float(problems[0].foundation), self.around,
            self.radial, self.store, self.work, self.ke, self.u.reshape(-1), jacobian,
        )  # fmt: skip
        return [self._linear_answer(lane, float(jacobian[lane])) for lane in range(len(problems))]

    def _linear_answer(self, lane: int, jacobian: float) -> Answer:
        u = np.ascontiguousarray(self.u[..., lane])
        kept = self.store[3].reshape(self.around, self.radial, 3, 18, LANES)
        pressure = element_pressures(np.ascontiguousarray(kept[..., lane]), u)
        return Answer(u, pressure, _reason(jacobian, u))


def interleaved(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Equal arrays as one flat array of lanes."""
    return np.ascontiguousarray(np.stack(arrays, axis=-1), dtype=np.float64).reshape(-1)


def _reason(jacobian: float, u: np.ndarray) -> str | None:
    if not jacobian > 0:
        return FOLDED.format(jacobian)
    return None if np.isfinite(u).all() else "displacements must be finite, but got NaN."


@lru_cache(maxsize=4)
def workspace(radial: int, around: int) -> Workspace:
    """The process's buffers for a mesh."""
    return Workspace(radial, around)


def solve_problems(problems: Sequence[Problem]) -> list[Answer]:
    """Solve any number of problems on one mesh topology, in order, eight at a time.

    What finds no equilibrium at full load is solved again, packed together anew, in more and more load steps. Lanes do
    not influence each other, so neither does the packing.
    """
    around, radial = problems[0].moduli.shape[:2]
    space = workspace(radial, around)
    answers: list[Answer | None] = [None] * len(problems)
    for steps in LOAD_STEPS:
        left = [i for i, answer in enumerate(answers) if answer is None or answer.reason == NO_EQUILIBRIUM]
        for start in range(0, len(left), LANES):
            rows = left[start : start + LANES]
            for row, answer in zip(rows, space.solve([problems[i] for i in rows], steps), strict=True):
                answers[row] = answer
    return [answer for answer in answers if answer is not None]
