"""An order that is good and far apart."""

import numpy as np

from dataeff_al.samplers.latent import squared_distances


def spread(z: np.ndarray, score: np.ndarray, n: int) -> list[int]:
    """Greedy order of ``n`` rows of ``z`` ``(m, d)``: best score first, then score x squared distance.

    Distances are to the rows already chosen: the deterministic form of k-means++ seeding. Scores below zero count as
    zero, ties go to the lower row.
    """
    n, worth = min(n, len(z)), np.maximum(np.asarray(score, np.float64), 0.0) + 1e-12
    free, distance = np.ones(len(z), bool), np.full(len(z), np.inf)
    chosen: list[int] = []
    while len(chosen) < n:
        gain = worth if not chosen else worth * distance
        row = int(np.where(free, gain, -1.0).argmax())
        chosen.append(row)
        free[row] = False
        distance = np.minimum(distance, squared_distances(z, z[row : row + 1])[:, 0])
    return chosen
