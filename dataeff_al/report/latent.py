"""From latent vectors of any dimension to the plane that shows most of the pool."""

from collections.abc import Sequence

import numpy as np

from dataeff_al.report.model import LatentMap


def project(
    pool: np.ndarray,
    labelled: np.ndarray,
    rounds: Sequence[int],
    synthesised: Sequence[bool],
    paths: Sequence[np.ndarray] = (),
    names: Sequence[str] = (),
) -> LatentMap:
    """Project onto the first two principal components of the pool; signs are fixed, so equal input gives equal maps.

    A latent space of two dimensions is shown as it is, so that places can be read off and decoded.

    Args:
        pool: Latent means of the pool, ``(n, d)``, ``n`` and ``d`` at least 1.
        labelled: Latents of the labelled samples ``(m, d)``.
        rounds: The round that bought each of them, ``(m,)``.
        synthesised: Whether each was synthesised, ``(m,)``.
        paths: Walkers' trajectories, each ``(steps + 1, d)``.
        names: The class of each labelled sample, ``(m,)``, or nothing.
    """
    centre, basis, axes = _as_it_is() if pool.shape[1] == 2 else _widest(pool)
    flat = labelled.reshape(-1, pool.shape[1])
    return LatentMap(
        pool=(pool - centre) @ basis,
        labelled=(flat - centre) @ basis,
        rounds=np.asarray(rounds, dtype=np.int64),
        synthesised=np.asarray(synthesised, dtype=bool),
        paths=[(path - centre) @ basis for path in paths],
        axes=axes,
        names=list(names),
    )


def _as_it_is() -> tuple[np.ndarray, np.ndarray, tuple[str, str]]:
    return np.zeros(2), np.eye(2), ("first latent", "second latent")


def _widest(pool: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[str, str]]:
    """Centre ``(d,)``, basis ``(d, 2)`` and names of the two directions in which the pool varies most."""
    centre = pool.mean(axis=0, dtype=np.float64)
    _, spread, rows = np.linalg.svd(pool - centre, full_matrices=False)
    basis, share = _plane(rows, spread)
    return centre, basis, (f"first component ({share[0]:.0%} of the variance)", f"second component ({share[1]:.0%})")


def _plane(rows: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Basis ``(d, 2)`` and the share of variance of its axes; a missing second axis is zero."""
    basis, share = np.zeros((rows.shape[1], 2)), np.zeros(2)
    total = max(float((spread**2).sum()), np.finfo(np.float64).tiny)
    for i, row in enumerate(rows[:2]):
        basis[:, i] = row * (1.0 if row[np.argmax(np.abs(row))] >= 0 else -1.0)
        share[i] = spread[i] ** 2 / total
    return basis, share
