"""Space-filling in latent space."""

from collections.abc import Sequence

import numpy as np

from dataeff_al.latent_graph import SHARPNESS, graph_of
from dataeff_al.samplers.candidates import candidates, taken_ids
from dataeff_al.samplers.kmeans import kmeans
from dataeff_al.samplers.latent import LatentTable, latent_table, squared_distances
from dataeff_al.samplers.protocol import Proposal, SamplerContext
from dataeff_al.samplers.spec import TypicalParams, typical_needs
from dataeff_al.samples.types import SampleId
from dataeff_al.view import View

_TRIES = 5
_MOST_COORDINATES = 30


class Typical:
    """Clusters labelled, pending and unlabelled latents together and asks for the centres not yet covered.

    As many clusters as samples taken plus samples wanted, so that each new one finds a place of its own; the largest
    clusters with the fewest taken samples come first, each by the candidate nearest to its centre (after TypiClust,
    Hacohen et al., 2022, with the centre in the place of the density). Clusters of the graph are found in its own
    coordinates, by spectral clustering.
    """

    def __init__(self, params: TypicalParams) -> None:
        self._params = params

    @property
    def needs(self) -> frozenset[str]:
        """``latent``."""
        return typical_needs(self._params)

    def propose(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """At most ``n`` ids. Raises DataError when none is left, CapabilityError without latents."""
        table, ids = latent_table(view, "typical"), candidates(view)
        taken = sorted(sample_id for sample_id in taken_ids(view) if sample_id in table.row)
        clusters = min(n + len(taken), len(ids), self._params.most_clusters)
        if clusters < 1:
            return []
        place = self._places(table, clusters)
        z, held = place.of(ids), place.of(taken)
        centres, cluster = self._clustered(np.concatenate([z, held]), clusters, rng)
        own, taken_cluster = cluster[: len(ids)], cluster[len(ids) :]
        order = _by_need(own, taken_cluster, clusters)
        distance = squared_distances(z, centres)[np.arange(len(ids)), own]
        return [_proposal(ids, table, row) for row in _in_turn(own, distance, order, n)]

    def _places(self, table: LatentTable, clusters: int) -> LatentTable:
        """Where the pool's samples lie for the clustering."""
        if self._params.clusters == "latent":
            return table
        graph = graph_of(table.z, self._params.neighbours, SHARPNESS)
        return LatentTable(table.row, graph.coordinates(min(clusters, _MOST_COORDINATES, len(table.z))))

    def _clustered(self, z: np.ndarray, clusters: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The best of some clusterings in the graph's few coordinates; one in latent space, where each takes long."""
        if self._params.clusters == "latent":
            return kmeans(z, clusters, rng)
        found = [kmeans(z, clusters, rng) for _ in range(_TRIES)]
        return min(found, key=lambda each: float(((z - each[0][each[1]]) ** 2).sum()))


def _by_need(own: np.ndarray, taken: np.ndarray, clusters: int) -> np.ndarray:
    """Clusters in order: fewest taken samples first, then most candidates."""
    size, held = np.bincount(own, minlength=clusters), np.bincount(taken, minlength=clusters)
    return np.lexsort((np.arange(clusters), -size, held))


def _in_turn(own: np.ndarray, distance: np.ndarray, order: np.ndarray, n: int) -> list[int]:
    """Rows by cluster: the nearest of each cluster in ``order``, then the second nearest of each, and so on."""
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    rows = np.lexsort((np.arange(len(own)), distance, own))
    starts = np.searchsorted(own[rows], own[rows])
    turn = np.arange(len(rows)) - starts
    return [int(row) for row in rows[np.lexsort((place[own[rows]], turn))][:n]]


def _proposal(ids: Sequence[SampleId], table: LatentTable, row: int) -> Proposal:
    return Proposal(ids[row], latent=table.of([ids[row]])[0])


def build(params: TypicalParams, context: SamplerContext) -> Typical:  # noqa: ARG001
    """The sampler of a campaign."""
    return Typical(params)
