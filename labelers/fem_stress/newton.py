"""Newton's method for eight sections at once.

Each lane stops by itself and is frozen then, so that its answer does not depend on its neighbours. The tail is
quadratic: after a step of relative size s the error is of order s^2, so a step below STEP_TOLERANCE is the last. Where
rounding keeps steps from shrinking, a step that no longer halves and is below STALLED counts as converged.
"""

from dataclasses import dataclass

import numpy as np

from labelers.fem_stress.hyperelastic import final_pressures, newton_step
from labelers.fem_stress.problem import Answer
from labelers.fem_stress.simd import LANES

STEP_TOLERANCE = 1e-7
STALLED = 1e-8
MOST_STEPS = 25
LOAD_STEPS = (1, 2, 4, 8, 16, 32)
NO_EQUILIBRIUM = f"equilibrium must be found within {LOAD_STEPS[-1]} load steps, but got no convergence."


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

    @property
    def pressures(self) -> tuple[int, ...]:
        """Shape of pressure coefficients with lanes."""
        return (self.around, self.radial, 3, LANES)


def newton(
    buffers: NewtonBuffers, nodes: np.ndarray, moduli: np.ndarray, pressure: float, foundation: float, steps: int
) -> list[Answer]:
    """Solve eight lanes in equal load steps; a lane that does not converge answers with the reason."""
    u, solved = _in_steps(buffers, nodes, moduli, pressure, foundation, steps)
    coefficients, report = np.zeros(buffers.pressures), np.zeros(2 * LANES)
    final_pressures(
        nodes, u.reshape(-1), moduli, buffers.around, buffers.radial, buffers.work, coefficients.reshape(-1), report
    )
    return [_answer(u[..., i], coefficients[..., i], bool(solved[i]), float(report[i])) for i in range(LANES)]


def _answer(u: np.ndarray, pressure: np.ndarray, solved: bool, jacobian: float) -> Answer:
    reason = None
    if not solved:
        reason = NO_EQUILIBRIUM
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
) -> tuple[np.ndarray, np.ndarray]:
    """Displacements and the lanes that reached full load in equal steps."""
    tension = expected_tension(buffers, nodes, moduli) * (pressure / steps)
    u, state, good = np.zeros(buffers.shape), np.zeros(buffers.pressures), np.ones(LANES, dtype=bool)
    for i in range(1, steps + 1):
        loads = pressure * (i - 1) / steps, pressure * i / steps
        good = _iterate(buffers, nodes, moduli, loads, tension if i == 1 else 0 * tension, foundation, u, state, good)
        if not good.any():
            break
    return u, good


def _iterate(
    buffers: NewtonBuffers,
    nodes: np.ndarray,
    moduli: np.ndarray,
    loads: tuple[float, float],
    tension: np.ndarray,
    foundation: float,
    u: np.ndarray,
    state: np.ndarray,
    wanted: np.ndarray,
) -> np.ndarray:
    """Newton steps on ``u`` and ``state`` in place, from one load's equilibrium to the next; who converged."""
    step, stepped, report = np.zeros(buffers.shape), np.zeros(buffers.pressures), np.zeros((2, LANES))
    nothing = np.zeros_like(tension)
    active, done, before = wanted.copy(), np.zeros(LANES, dtype=bool), np.full(LANES, np.inf)
    for count in range(MOST_STEPS):
        follow = loads[1] if count or loads[0] == 0.0 else loads[0]
        newton_step(
            nodes, u.reshape(-1), moduli, loads[1], follow, (nothing if count else tension).reshape(-1),
            foundation, buffers.around, buffers.radial, buffers.store, buffers.work, buffers.ke,
            state.reshape(-1), step.reshape(-1), stepped.reshape(-1), report.reshape(-1),
        )  # fmt: skip
        if foundation <= 0:
            without_rigid_motion(step, nodes.reshape(buffers.shape) + u)
        jacobian, size = report[0], np.abs(step).max(axis=(0, 1, 2)) / _extent(nodes)
        active &= (jacobian > 0) & np.isfinite(size) & (size < 1.0)
        u[..., active] += step[..., active]
        state[..., active] = stepped[..., active]
        converged = active & ((size < STEP_TOLERANCE) | ((size < STALLED) & (size > before / 2)))
        done |= converged
        active &= ~converged
        before = size.copy()
        if not active.any():
            break
    return done


def expected_tension(buffers: NewtonBuffers, nodes: np.ndarray, moduli: np.ndarray) -> np.ndarray:
    """Hoop stress ``(around, radial, LANES)`` for unit pressure: Laplace's p r / t, shared out by shear modulus."""
    points = nodes.reshape(buffers.shape)[1::2]
    inner, outer = points[:, 0], points[:, -1]
    radius = np.hypot(*np.moveaxis(inner - inner.mean(axis=0), 1, 0)).mean(axis=0)
    thickness = np.hypot(*np.moveaxis(outer - inner, 1, 0))
    c1, d1, d2, _ = np.moveaxis(moduli.reshape(buffers.around, buffers.radial, 4, 9, LANES).mean(axis=3), 2, 0)
    shear = c1 + d1 * d2
    share = shear / shear.mean(axis=1, keepdims=True)
    return np.ascontiguousarray(share * (radius / thickness)[:, None])


def without_rigid_motion(step: np.ndarray, points: np.ndarray) -> None:
    """Take mean translation and rotation about the current points out of the step, in place; lanes last.

    They change no stress, but a turn that is small only to first order stretches: left in, it costs Newton steps.
    """
    step -= step.mean(axis=(0, 1))
    arm = points - points.mean(axis=(0, 1))
    turn = (arm[:, :, 0] * step[:, :, 1] - arm[:, :, 1] * step[:, :, 0]).sum(axis=(0, 1))
    turn /= (arm**2).sum(axis=(0, 1, 2))
    step[:, :, 0] += turn * arm[:, :, 1]
    step[:, :, 1] -= turn * arm[:, :, 0]


def _extent(nodes: np.ndarray) -> np.ndarray:
    """Half the width ``(LANES,)`` of each lane's mesh, mm."""
    points = nodes.reshape(-1, LANES)
    return np.asarray((points.max(axis=0) - points.min(axis=0)) / 2)
