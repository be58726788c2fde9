"""How far a latent lies from where the pool is dense."""

from __future__ import annotations

import torch
from torch import Tensor

_MOST_PROBES = 512


class Sparsity:
    """Mean squared distance to the nearest pool latents, in units of what is usual inside the pool.

    1 is typical of the pool, 4 is twice as far from its neighbours; differentiable in ``z``.
    """

    def __init__(self, pool: Tensor, neighbours: int) -> None:
        self._pool = pool
        self._neighbours = min(neighbours, max(len(pool) - 1, 1))
        probes = pool[:: max(len(pool) // _MOST_PROBES, 1)]
        # The nearest neighbour of a pool latent is itself: one more is asked for and the first is dropped.
        inside = self._squared(probes).topk(min(self._neighbours + 1, len(pool)), largest=False).values[:, 1:]
        usual = float(inside.mean(1).median()) if inside.numel() else 1.0
        self._usual = usual if usual > 0 else 1.0

    def __call__(self, z: Tensor) -> Tensor:
        """Sparsity of each row of ``z`` ``(n, d)``: ``(n,)``."""
        return self._squared(z).topk(self._neighbours, largest=False).values.mean(1) / self._usual

    def _squared(self, z: Tensor) -> Tensor:
        # Expanded by hand: cdist has no gradient at distance zero, where every walk from a pool latent starts.
        squared = (z**2).sum(1, keepdim=True) + (self._pool**2).sum(1) - 2.0 * z @ self._pool.T
        return torch.clamp(squared, min=0.0)
