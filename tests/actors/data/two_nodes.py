"""A campaign on a cluster of two nodes, one of which is lost in the middle; prints what became of it as JSON.

Run in a process of its own, because a process has one Ray: ``python two_nodes.py FOLDER``.
"""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import psutil
import ray
from ray.cluster_utils import Cluster

from dataeff_al.campaign.place import Place
from dataeff_al.campaign.session import Session
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.summary import digests
from dataeff_al.events import Told
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.open import open_store
from services.actors.cluster import ClusterSettings, open_cluster
from services.actors.hosts import RayHosts


def nodes_of(hosts):
    """The nodes on which replicas of labelers live."""
    actors = [actor for staff in hosts._staffs.values() for actor in staff.actors]
    return [ray.get(actor.node.remote(), timeout=60) for actor in actors]


class Loser:
    """Takes a node away when some labels are there."""

    def __init__(self, cluster, node, hosts):
        self._cluster, self._node, self._hosts, self._told = cluster, node, hosts, 0
        self.nodes = []

    def __call__(self, _, events):
        self._told += sum(isinstance(event, Told) for event in events)
        if self._told >= 8 and not self.nodes:
            self.nodes, self.at = nodes_of(self._hosts), time.monotonic()
            self._cluster.remove_node(self._node, allow_graceful=False)


folder = Path(sys.argv[1])


def main():
    began = time.monotonic()
    marks = {}

    def mark(name):
        marks[name] = round(time.monotonic() - began, 1)

    spec = CampaignSpec.parse((folder / "campaign.yaml").read_text(), folder)
    with Place(folder / "inline", folder, None).inline_hosts() as hosts:
        wanted = run(spec, hosts, folder / "inline-record", lambda *_: None)
    mark("inline")
    size = {"num_cpus": 2, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    sockets = tempfile.mkdtemp(prefix="dataeff-two-")
    head = {**size, "node_ip_address": "127.0.0.2", "temp_dir": sockets}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        far = cluster.add_node(**size, node_ip_address="127.0.0.3")
        with (
            open_cluster(ClusterSettings(cluster.address)) as opened,
            RayHosts(opened, Place(folder / "run", folder, None)) as hosts,
        ):
            mark("cluster")
            loser = Loser(cluster, far, hosts)
            found = run(spec, hosts, folder / "record", loser)
            mark("campaign")
            report = {
                "same": found["digests"] == wanted["digests"],
                "fsck": found["fsck"],
                "status": found["status"],
                "nodes": len(set(loser.nodes)),
                "left": len(ray.nodes()) - sum(node["Alive"] for node in ray.nodes()),
                "cpus": opened.cpus,
            }
    finally:
        cluster.shutdown()
        shutil.rmtree(sockets, ignore_errors=True)
    mark("end")
    report["seconds"] = marks | {"lost": round(loser.at - began, 1)}
    report["processes"] = [process.name() for process in psutil.Process().children(recursive=True)]
    print(json.dumps(report))


def run(spec, hosts, record, observe):
    record.mkdir()
    store = open_store(record, writer=True)
    try:
        states = Session(spec, spec.name, store, hosts, observe).run()
        return {
            "digests": [digests(state) for state in states],
            "fsck": str(fsck(store, hosts.blobs)),
            "status": [state.status for state in states],
        }
    finally:
        store.close()


main()
