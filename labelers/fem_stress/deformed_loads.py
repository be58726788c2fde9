"""Loads on the borders of a deformed element over lanes, and their stiffness."""

from typing import Final

import numpy as np

from labelers.fem_stress.compiled import kernel
from labelers.fem_stress.linear import INNER, OUTER, X
from labelers.fem_stress.reference import EDGE_PRODUCT, EDGE_SHAPE, EDGE_SLOPE, GAUSS_WEIGHT
from labelers.fem_stress.ring import KE
from labelers.fem_stress.simd import load, splat, sqrt, store

U: Final = 402
"""Entry of the element's displacements (9, 2) in the scratch array."""

CROSS: Final = (EDGE_PRODUCT - EDGE_PRODUCT.T) / 2
"""The load's stiffness on one side; the symmetric part cancels between neighbouring sides of a closed border."""


@kernel
def push_deformed(work: np.ndarray, pressure: float, follow: float, ke: np.ndarray) -> None:
    """Lumen pressure on the deformed inner side, and the stiffness that a pressure ``follow`` has there."""
    for i in range(3):
        fx = fy = splat(0.0)
        for j in range(3):
            q = splat(pressure * EDGE_PRODUCT[i, j])
            a, b = 2 * INNER[j], 2 * INNER[i]
            fx = fx + q * (load(work, X + a + 1) + load(work, U + a + 1))
            fy = fy - q * (load(work, X + a) + load(work, U + a))
            if b < a:
                here = b * KE + a
                share = splat(follow * CROSS[i, j])
                store(ke, here + 1, load(ke, here + 1) - share)
                store(ke, here + KE, load(ke, here + KE) + share)
        here = 2 * INNER[i] * KE + 18
        store(ke, here, load(ke, here) + fx)
        store(ke, here + KE, load(ke, here + KE) + fy)


@kernel
def rest_deformed(work: np.ndarray, foundation: float, ke: np.ndarray) -> None:
    """The elastic foundation's stiffness and the force that it exerts already."""
    for g in range(3):
        tx = ty = ux = uy = splat(0.0)
        for i in range(3):
            slope, shape, a = splat(EDGE_SLOPE[g, i]), splat(EDGE_SHAPE[g, i]), 2 * OUTER[i]
            tx, ty = tx + slope * load(work, X + a), ty + slope * load(work, X + a + 1)
            ux, uy = ux + shape * load(work, U + a), uy + shape * load(work, U + a + 1)
        length = sqrt(tx * tx + ty * ty) * splat(foundation * GAUSS_WEIGHT[g])
        for i in range(3):
            share = length * splat(EDGE_SHAPE[g, i])
            here = 2 * OUTER[i] * KE + 18
            store(ke, here, load(ke, here) - share * ux)
            store(ke, here + KE, load(ke, here + KE) - share * uy)
            for j in range(3):
                if OUTER[i] <= OUTER[j]:
                    both = share * splat(EDGE_SHAPE[g, j])
                    here2 = 2 * OUTER[i] * KE + 2 * OUTER[j]
                    store(ke, here2, load(ke, here2) + both)
                    store(ke, here2 + KE + 1, load(ke, here2 + KE + 1) + both)
