"""How labeling scales with replicas: one labeler, hosted once and twice on a local Ray."""

import queue
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Json
from dataeff_al.campaign.place import Place
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.digests import Ref
from dataeff_al.errors import DataeffError
from dataeff_al.labeling.packing import pack_request
from dataeff_al.labeling.types import LabelerHost, Request
from services.actors.cluster import Cluster, ClusterSettings, open_cluster
from services.actors.hosts import RayHosts

WAITING = """
version: 1
name: replicas
pool: {kind: digits}
evaluation: {validation: 10, test: 10}
initial: {random: 10}
learner: {kind: mlp}
labeler: {kind: dataset, delay_s: 0.05}
sampler: {kind: random}
budget: {total: 20, per_round: 10}
stop: {metric: accuracy}
"""
"""A labeler that waits 50 ms a label: what the hosts alone cost."""

STRESS = """
version: 1
name: replicas
pool: {kind: vessel_sections, size: 2000, pixels: 256}
evaluation: {validation: 10, test: 10}
initial: {random: 10}
learner: {kind: unet, task: regression}
labeler:
  kind: fem_stress
  fidelity: hyperelastic
  channels: [first_principal, von_mises, circumferential]
sampler: {kind: random}
budget: {total: 20, per_round: 10}
stop: {metric: nmse}
"""
"""The stress labeler at its full work: what replicas gain on a machine with a core for each."""

LABELS, WARM = 400, 24
WAIT_S = 120.0


def replica_scaling(labels: int = LABELS, campaign: str = WAITING) -> Json:
    """Labels a second of the campaign's labeler with one replica and with two, and their ratio, replicas already up."""
    with open_cluster(ClusterSettings()) as cluster:
        rates = {replicas: _rate(cluster, replicas, labels, campaign) for replicas in (1, 2)}
    return {
        "labels_per_s_one_replica": rates[1],
        "labels_per_s_two_replicas": rates[2],
        "replica_scaling": rates[2] / rates[1],
    }


def _rate(cluster: Cluster, replicas: int, labels: int, campaign: str) -> float:
    spec = CampaignSpec.parse(campaign, Path(), settings=[f"labeler.runtime.replicas={replicas}"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with RayHosts(cluster, Place(folder, folder, None)) as hosts:
            done: queue.SimpleQueue[str] = queue.SimpleQueue()
            host = hosts.labeler("replicas", spec, done.put)
            requests = _requests(hosts, spec, labels + WARM * replicas)
            _buy(host, done, "warm", requests[: WARM * replicas])
            began = time.monotonic()
            _buy(host, done, "timed", requests[WARM * replicas :])
            return labels / (time.monotonic() - began)


def _requests(hosts: RayHosts, spec: CampaignSpec, n: int) -> list[Ref]:
    pool = hosts.parts(spec).pool
    samples = pool.read(pool.ids()[:n])
    return [hosts.blobs.put(pack_request(Request("", sample))) for sample in samples]


def _buy(host: LabelerHost, done: "queue.SimpleQueue[str]", name: str, requests: Sequence[Ref]) -> None:
    """As the driver does: as many at once as the host takes, and the next one when one is acknowledged."""
    waiting = [(f"{name}-{number}", request) for number, request in enumerate(requests)]
    missing = len(waiting)
    for attempt, request in waiting[: host.capacity]:
        host.start(attempt, request)
    del waiting[: host.capacity]
    while missing:
        try:
            attempt = done.get(timeout=WAIT_S)
        except queue.Empty as error:
            raise DataeffError(f"every label must come within {WAIT_S:g} s, but got {missing} missing.") from error
        host.ack([attempt])
        missing -= 1
        if waiting:
            host.start(*waiting.pop(0))
