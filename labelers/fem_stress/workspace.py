"""Buffers for a mesh, made once a process, and the calls into the compiled solvers."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from labelers.fem_stress.equilibrium import out_of_balance
from labelers.fem_stress.hyperelastic import HYPER_SCRATCH
from labelers.fem_stress.linear import element_pressures, solve_linear
from labelers.fem_stress.newton import LOAD_STEPS, NO_EQUILIBRIUM, NewtonBuffers, Solved, newton
from labelers.fem_stress.problem import Answer, Problem
from labelers.fem_stress.ring import KE
from labelers.fem_stress.simd import LANES

FOLDED = "the mesh must not fold, but got a least Jacobian of {:.3g}."
BALANCE = 1e-4
"""Greatest force that may be left over at a node, by the lumen pressure on one element's side."""
LOOSE = 1e-5
"""Greatest difference between an element's volume change and the one that its pressure stands for."""
SWOLLEN = f"volumes must agree with pressures to {LOOSE:g}, but got {{:.3g}}."
UNBALANCED = f"forces at every node must balance to {BALANCE:g} of the load, but got {{:.3g}}."


class Workspace:
    """Buffers for one mesh topology and eight lanes."""

    def __init__(self, radial: int, around: int) -> None:
        n, m = 4 * radial + 2, 2 * radial + 2
        self.radial, self.around = radial, around
        self.store = (
            aligned((around + 2) * n * (3 * n + 2)),
            aligned((around + 1) * m * (m + 2 * n + 2)),
            aligned(around * radial * 2 * KE),
            aligned(around * radial * 54),
        )
        self.work, self.ke = aligned(HYPER_SCRATCH), aligned(18 * KE)
        self.u = np.zeros((2 * around, 2 * radial + 1, 2, LANES))
        self.forces = aligned(4 * around * (2 * radial + 1))

    def solve(self, problems: Sequence[Problem], steps: int = 1) -> list[Answer]:
        """Solve at most eight problems that share theory, pressure and foundation; empty lanes repeat the first.

        ``steps``: equal load steps of a finite-strain problem.
        """
        lanes = [*problems, *[problems[0]] * (LANES - len(problems))]
        first = problems[0]
        nodes, moduli = interleaved([p.nodes for p in lanes]), interleaved([p.moduli for p in lanes])
        pressure, foundation = float(first.pressure_kpa), float(first.foundation)
        if first.linear:
            solved = self._linear(nodes, moduli, pressure, foundation)
        else:
            buffers = NewtonBuffers(self.around, self.radial, self.store, self.work, self.ke)
            solved = newton(buffers, nodes, moduli, pressure, foundation, steps)
        report = np.zeros((3, LANES))
        out_of_balance(
            nodes, solved.u.reshape(-1), solved.pressures.reshape(-1), moduli, first.linear, pressure, foundation,
            self.around, self.radial, self.work, self.ke, self.forces, report.reshape(-1),
        )  # fmt: skip
        report[0] /= np.maximum([pressure * lumen_side(p.nodes) for p in lanes], 1e-300)
        return [_answer(solved, lane, *map(float, report[:, lane])) for lane in range(len(problems))]

    def _linear(self, nodes: np.ndarray, moduli: np.ndarray, pressure: float, foundation: float) -> Solved:
        jacobian, pressures = np.zeros(LANES), np.zeros((self.around, self.radial, 3, LANES))
        u = self.u.reshape(-1)
        solve_linear(
            nodes, moduli, pressure, foundation, self.around, self.radial, self.store, self.work, self.ke, u, jacobian
        )
        element_pressures(self.store[3], u, self.around, self.radial, self.work, pressures.reshape(-1))
        return Solved(self.u, pressures, np.ones(LANES, dtype=bool))


def _answer(solved: Solved, lane: int, left_over: float, jacobian: float, excess: float) -> Answer:
    """The lane's answer, with the reason why it is none; ``left_over``: force at a node, by that on a lumen side."""
    u, pressures = (np.ascontiguousarray(array[..., lane]) for array in (solved.u, solved.pressures))
    reason = None
    if not solved.good[lane]:
        reason = NO_EQUILIBRIUM
    elif not jacobian > 0:
        reason = FOLDED.format(jacobian)
    elif not left_over <= BALANCE:
        reason = UNBALANCED.format(left_over)
    elif not excess <= LOOSE:
        reason = SWOLLEN.format(excess)
    return Answer(u, pressures, reason)


def lumen_side(nodes: np.ndarray) -> float:
    """Mean length of an element's side on the lumen, mm."""
    inner = nodes[::2, 0]
    return float(np.linalg.norm(inner - np.roll(inner, 1, axis=0), axis=1).mean())


def aligned(count: int) -> np.ndarray:
    """Zeros for ``count`` entries of lanes, the first at an address that is a multiple of a vector's size."""
    vector = 8 * LANES
    raw = np.zeros(count * vector + vector, dtype=np.uint8)
    start = -raw.ctypes.data % vector
    return raw[start : start + count * vector].view(np.float64)


def interleaved(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Equal arrays as one flat array of lanes."""
    return np.ascontiguousarray(np.stack(arrays, axis=-1), dtype=np.float64).reshape(-1)


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
