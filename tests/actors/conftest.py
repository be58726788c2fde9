from pathlib import Path

import pytest

pytest.importorskip("ray")

from dataeff_al.campaign.place import Place
from services.actors.cluster import ClusterSettings, open_cluster
from services.actors.hosts import RayHosts
from services.runtime import one_thread_each

ODD_LABELER = Path(__file__).parent / "data" / "odd_labeler.py"


@pytest.fixture(scope="session")
def cluster():
    one_thread_each()
    with open_cluster(ClusterSettings(cpus=2)) as opened:
        yield opened


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ray")
    return Place(folder / "run", folder, None)


@pytest.fixture(scope="session")
def hosts(cluster, place):
    with RayHosts(cluster, place, [ODD_LABELER]) as made:
        yield made
