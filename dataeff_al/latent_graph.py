"""The graph of a pool's neighbours in latent space: labels spread along it, and its clusters hang together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array, diags_array, identity
from scipy.sparse.linalg import cg, eigsh
from sklearn.neighbors import NearestNeighbors

from dataeff_al.digests import Ref, digest_arrays

_MOST_STEPS = 100
_TOLERANCE = 1e-6
_LEAST = 1e-12
_FEW_ROWS = 200
SHARPNESS = 3.0
"""The power of the cosine by which edges usually weigh."""


@dataclass(frozen=True)
class Graph:
    """A symmetric weighted graph of neighbours, normalised: ``D^-1/2 W D^-1/2``, ``(n, n)`` sparse float64."""

    walk: csr_array

    def propagate(self, seeds: np.ndarray, alpha: float) -> np.ndarray:
        """Probabilities ``(n, k)`` float32 from seeds ``(n, k)``, rows of unlabelled samples being zero.

        Solves ``(I - alpha S) F = Y`` by conjugate gradients (Zhou et al., 2004; Iscen et al., 2019), every class's
        seeds having the same weight together. A sample that no label reaches gets equal probabilities.
        """
        seeds = np.asarray(seeds, np.float64) / np.maximum(seeds.sum(0), _LEAST)
        system = identity(len(seeds), format="csr") - alpha * self.walk
        found = np.empty_like(seeds)
        for number, column in enumerate(seeds.T):
            found[:, number] = _solved(system, column)
        np.maximum(found, 0.0, out=found)
        total = found.sum(1, keepdims=True)
        # In place: with a thousand classes and a large pool each further copy takes hundreds of megabytes.
        found /= np.maximum(total, _LEAST)
        found[total[:, 0] <= _LEAST] = 1.0 / found.shape[1]
        return found.astype(np.float32)

    def coordinates(self, count: int) -> np.ndarray:
        """Unit coordinates ``(n, count)`` float64 in which what hangs together is near (Ng, Jordan and Weiss, 2002).

        Rows of the ``count`` leading eigenvectors of ``S``, each row scaled to one; ``count`` at most ``n``.
        """
        n = self.walk.shape[0]
        if n <= max(_FEW_ROWS, 2 * count):
            vectors = np.linalg.eigh(self.walk.toarray())[1][:, n - count :]
        else:
            # A start of its own: eigsh would take one from numpy's global numbers.
            start = np.random.default_rng(0).random(n)
            vectors = eigsh(self.walk, k=count, which="LA", v0=start)[1]
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _LEAST)


def graph_of(z: np.ndarray, neighbours: int, sharpness: float) -> Graph:
    """The graph of the ``neighbours`` nearest of each latent ``z`` ``(n, d)``; kept for the latents seen last.

    Edges weigh by the cosine of the two latents to the power of ``sharpness``.
    """
    return _graph(_Latents(z), min(neighbours, len(z) - 1), sharpness)


class _Latents:
    """Latents that are equal when their content is, so that the graph of a pool is made once."""

    def __init__(self, z: np.ndarray) -> None:
        self.z = z
        self._digest: Ref = digest_arrays({"z": np.ascontiguousarray(z)})

    def __hash__(self) -> int:
        return hash(self._digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Latents) and self._digest == other._digest


@lru_cache(maxsize=2)
def _graph(latents: _Latents, neighbours: int, sharpness: float) -> Graph:
    z = latents.z.astype(np.float64)
    unit = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), _LEAST)
    if neighbours < 1:
        return Graph(csr_array((len(z), len(z))))
    search = NearestNeighbors(n_neighbors=neighbours + 1, algorithm="brute", n_jobs=1).fit(unit)
    distance, column = search.kneighbors(unit)
    # The cosine of unit vectors follows from their distance; a sample is its own neighbour and is left out.
    weight = np.maximum(1.0 - 0.5 * distance**2, 0.0) ** sharpness
    row = np.repeat(np.arange(len(z)), column.shape[1])
    keep = row != column.ravel()
    directed = csr_array((weight.ravel()[keep], (row[keep], column.ravel()[keep])), shape=(len(z), len(z)))
    both = directed + directed.T
    scale = 1.0 / np.sqrt(np.maximum(np.asarray(both.sum(1)).ravel(), _LEAST))
    return Graph(csr_array(diags_array(scale) @ both @ diags_array(scale)))


def _solved(system: csr_array, column: np.ndarray) -> np.ndarray:
    if not column.any():
        return np.zeros_like(column)
    found, _ = cg(system, column, rtol=_TOLERANCE, maxiter=_MOST_STEPS)
    return np.asarray(found)
