"""Newton's method for eight sections at once.

Each lane stops by itself and is frozen then, so that its answer does not depend on its neighbours. The tail is
quadratic: after a step of relative size s the error is of order s^2, so a step below STEP_TOLERANCE is the last. Where
rounding keeps steps from shrinking, a step that no longer halves and is below STALLED counts as converged.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from labelers.fem_stress.hyperelastic import newton_step
from labelers.fem_stress.newton_lanes import advance, advance_to, drop_rigid_motion, step_sizes
from labelers.fem_stress.simd import LANES

STEP_TOLERANCE = 1e-4
STALLED = 1e-8
MOST_STEPS = 25
LOAD_STEPS = (1, 2, 4, 8, 16, 32)
APPROACH = (0.45, 0.8)
"""Shares of the load at which one Newton step each is made on the way to full load, when it is applied in one step."""
NO_EQUILIBRIUM = f"equilibrium must be found within {LOAD_STEPS[-1]} load steps, but got no convergence."


class Solved(NamedTuple):
    """Eight lanes: displacements, pressure coefficients, and who found equilibrium."""

    u: np.ndarray
    pressures: np.ndarray
    good: np.ndarray


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
) -> Solved:
    """Solve eight lanes in equal load steps."""
    lanes = _Lanes(buffers, nodes, moduli, foundation)
    tension = expected_tension(buffers, nodes, moduli)
    if steps == 1:
        _approach(lanes, tension, pressure)
        lanes.iterate(pressure, APPROACH[-1] * pressure)
    else:
        lanes.tension = tension * (pressure / steps)
        for i in range(1, steps + 1):
            load = pressure * i / steps
            lanes.iterate(load, load if i == 1 else pressure * (i - 1) / steps)
    return Solved(lanes.u, lanes.state, lanes.good)


def _approach(lanes: "_Lanes", tension: np.ndarray, pressure: float) -> None:
    """One step each at the shares of the load; the first knows no stress, and is given the tension to be expected."""
    before = APPROACH[0]
    lanes.tension = tension * (before * pressure)
    for share in APPROACH:
        lanes.step(share * pressure, before * pressure, lanes.good)
        before = share


class _Lanes:
    """The state of eight lanes on their way to equilibrium; ``good`` ``(8,)``: those that are still on it."""

    def __init__(self, buffers: NewtonBuffers, nodes: np.ndarray, moduli: np.ndarray, foundation: float) -> None:
        self._buffers, self._nodes, self._moduli, self._foundation = buffers, nodes, moduli, foundation
        self.u, self.state = np.zeros(buffers.shape), np.zeros(buffers.pressures)
        self.good = np.ones(LANES, dtype=bool)
        self.tension = np.zeros((buffers.around, buffers.radial, LANES))
        self._step, self._stepped = np.zeros(buffers.shape), np.zeros(buffers.pressures)
        self._report, self._extent = np.zeros(LANES), _extent(nodes)

    def step(self, load: float, follow: float, moving: np.ndarray) -> np.ndarray:
        """One Newton step of the lanes ``moving`` ``(8,)``; its sizes ``(8,)``. Lanes that go astray leave ``good``."""
        b = self._buffers
        newton_step(
            self._nodes, self.u.reshape(-1), self._moduli, load, follow, self.tension.reshape(-1), self._foundation,
            b.around, b.radial, b.store, b.work, b.ke, self.state.reshape(-1), self._step.reshape(-1),
            self._stepped.reshape(-1), self._report,
        )  # fmt: skip
        if self.tension.any():
            self.tension = np.zeros_like(self.tension)
        size = np.empty(LANES)
        if self._foundation <= 0:
            drop_rigid_motion(self._nodes, self.u.reshape(-1), self._step.reshape(-1))
        step_sizes(self._step.reshape(-1), size)
        size /= self._extent
        self.good &= ~moving | ((self._report > 0) & (size < 1.0))
        moving = moving & self.good
        advance(self.u.reshape(-1), self._step.reshape(-1), moving)
        advance_to(self.state.reshape(-1), self._stepped.reshape(-1), moving)
        return size

    def iterate(self, load: float, follow: float) -> None:
        """Newton steps at one load until each good lane has converged; those that do not leave ``good``."""
        active, before = self.good.copy(), np.full(LANES, np.inf)
        for count in range(MOST_STEPS):
            if not active.any():
                return
            size = self.step(load, load if count else follow, active)
            active &= self.good
            converged = (size < STEP_TOLERANCE) | ((size < STALLED) & (size > before / 2))
            active &= ~converged
            before = size
        self.good &= ~active


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


def _extent(nodes: np.ndarray) -> np.ndarray:
    """Half the width ``(LANES,)`` of each lane's mesh, mm."""
    points = nodes.reshape(-1, LANES)
    return np.asarray((points.max(axis=0) - points.min(axis=0)) / 2)
