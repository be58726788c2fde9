"""Newton's method for eight sections at once, with load steps for those that need them.

Each lane stops by itself and is frozen then, so that its answer does not depend on its neighbours. The tail is
quadratic: after a step of relative size s the error is of order s^2, so a step below STEP_TOLERANCE is the last. Where
rounding keeps steps from shrinking, a step that no longer halves and is below STALLED counts as converged.
"""

from dataclasses import dataclass

import numpy as np

from labelers.fem_stress.hyperelastic import final_pressures, newton_step
from labelers.fem_stress.problem import Answer
from labelers.fem_stress.simd import LANES

STEP_TOLERANCE = 1e-6
STALLED = 1e-8
MOST_STEPS = 25
LOAD_STEPS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class NewtonBuffers:
    """The workspace's arrays."""

    around: int
    radial: int
    store: tuple[np.ndarray, ...]
    work: np.ndarray
    ke: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of displacements with lanes."""
        return (2 * self.around, 2 * self.radial + 1, 2, LANES)


def newton(
    buffers: NewtonBuffers, nodes: np.ndarray, moduli: np.ndarray, pressure: float, foundation: float
) -> list[Answer]:
    """Solve eight lanes; lanes that fail at full load are solved again in more and more load steps."""
    u = np.zeros(buffers.shape)
    solved = np.zeros(LANES, dtype=bool)
    for steps in LOAD_STEPS:
        trial, good = _in_steps(buffers, nodes, moduli, pressure, foundation, steps, ~solved)
        u[..., good] = trial[..., good]
        solved |= good
        if solved.all():
            break
    coefficients, report = np.zeros((buffers.around, buffers.radial, 3, LANES)), np.zeros(2 * LANES)
    final_pressures(
        nodes, u.reshape(-1), moduli, buffers.around, buffers.radial, buffers.work, coefficients.reshape(-1), report
    )
    return [_answer(u[..., i], coefficients[..., i], bool(solved[i]), float(report[i])) for i in range(LANES)]


def _answer(u: np.ndarray, pressure: np.ndarray, solved: bool, jacobian: float) -> Answer:
    reason = None
    if not solved:
        reason = f"equilibrium must be found within {LOAD_STEPS[-1]} load steps, but got no convergence."
    elif not (jacobian > 0 and np.isfinite(u).all() and np.isfinite(pressure).all()):
        reason = f"the mesh must not fold, but got a least Jacobian of {jacobian:.3g}."
    return Answer(np.ascontiguousarray(u), np.ascontiguousarray(pressure), reason)


def _in_steps(
    buffers: NewtonBuffers,
    nodes: np.ndarray,
    moduli: np.ndarray,
    pressure: float,
    foundation: float,
    steps: int,
    wanted: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Displacements and the lanes among ``wanted`` that reached full load in equal steps."""
    u, good = np.zeros(buffers.shape), wanted.copy()
    for i in range(1, steps + 1):
        good = _iterate(buffers, nodes, moduli, pressure * i / steps, foundation, u, good)
        if not good.any():
            break
    return u, good


def _iterate(
    buffers: NewtonBuffers,
    nodes: np.ndarray,
    moduli: np.ndarray,
    pressure: float,
    foundation: float,
    u: np.ndarray,
    wanted: np.ndarray,
) -> np.ndarray:
    """Newton steps on ``u`` in place; returns the lanes that converged."""
    step, report = np.zeros(buffers.shape), np.zeros((2, LANES))
    active, done, before = wanted.copy(), np.zeros(LANES, dtype=bool), np.full(LANES, np.inf)
    for _ in range(MOST_STEPS):
        newton_step(
            nodes, u.reshape(-1), moduli, pressure, foundation, buffers.around, buffers.radial,
            buffers.store, buffers.work, buffers.ke, step.reshape(-1), report.reshape(-1),
        )  # fmt: skip
        jacobian, size = report[0], report[1] / _extent(nodes)
        active &= (jacobian > 0) & np.isfinite(size) & (size < 1.0)
        u[..., active] += step[..., active]
        converged = active & ((size < STEP_TOLERANCE) | ((size < STALLED) & (size > before / 2)))
        done |= converged
        active &= ~converged
        before = size.copy()
        if not active.any():
            break
    return done


def _extent(nodes: np.ndarray) -> np.ndarray:
    """Half the width ``(LANES,)`` of each lane's mesh, mm."""
    points = nodes.reshape(-1, LANES)
    return np.asarray((points.max(axis=0) - points.min(axis=0)) / 2)
