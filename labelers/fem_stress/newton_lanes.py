"""What Newton's method does to eight lanes of unknowns between its steps."""

import numpy as np

from labelers.fem_stress.compiled import kernel
from labelers.fem_stress.simd import LANES, greatest, load, splat, store


@kernel
def drop_rigid_motion(nodes: np.ndarray, u: np.ndarray, step: np.ndarray) -> None:
    """Take mean translation and rotation about the current points ``nodes + u`` out of ``step``, in place.

    They change no stress, but a turn that is small only to first order stretches: left in, it costs Newton steps.
    """
    count = len(nodes) // (2 * LANES)
    x = y = p = q = splat(0.0)
    for n in range(2 * count):
        if n % 2 == 0:
            x, p = x + (load(nodes, n) + load(u, n)), p + load(step, n)
        else:
            y, q = y + (load(nodes, n) + load(u, n)), q + load(step, n)
    share = splat(1.0 / count)
    x, y, p, q = x * share, y * share, p * share, q * share
    moment = inertia = splat(0.0)
    for n in range(0, 2 * count, 2):
        a, b = load(nodes, n) + load(u, n) - x, load(nodes, n + 1) + load(u, n + 1) - y
        moment = moment + (a * (load(step, n + 1) - q) - b * (load(step, n) - p))
        inertia = inertia + (a * a + b * b)
    turn = moment / inertia
    for n in range(0, 2 * count, 2):
        a, b = load(nodes, n) + load(u, n) - x, load(nodes, n + 1) + load(u, n + 1) - y
        store(step, n, load(step, n) - p + turn * b)
        store(step, n + 1, load(step, n + 1) - q - turn * a)


@kernel
def step_sizes(step: np.ndarray, sizes: np.ndarray) -> None:
    """Greatest entry of each lane's step; NaN where an entry is not finite."""
    worst = poison = splat(0.0)
    for n in range(len(step) // LANES):
        value = load(step, n)
        worst = greatest(worst, greatest(value, splat(0.0) - value))
        poison = poison + value * 0.0
    store(sizes, 0, worst + poison)


@kernel
def advance(values: np.ndarray, step: np.ndarray, moving: np.ndarray) -> None:
    """Add the step of the lanes that are moving."""
    for n in range(len(values) // LANES):
        for i in range(LANES):
            values[n * LANES + i] += step[n * LANES + i] if moving[i] else 0.0


@kernel
def advance_to(values: np.ndarray, stepped: np.ndarray, moving: np.ndarray) -> None:
    """Replace the values of the lanes that are moving."""
    for n in range(len(values) // LANES):
        for i in range(LANES):
            values[n * LANES + i] = stepped[n * LANES + i] if moving[i] else values[n * LANES + i]
