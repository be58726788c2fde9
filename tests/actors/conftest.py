import os
from pathlib import Path

import pytest

pytest.importorskip("ray")

from dataeff_al import registry
from dataeff_al.campaign.place import Place
from services.actors.cluster import ClusterSettings, open_cluster
from services.actors.hosts import RayHosts
from services.runtime import one_thread_each

DATA = Path(__file__).parent / "data"
ODD_LABELER, BILLED = DATA / "odd_labeler.py", DATA / "billed.py"
# Ray's workers stand back behind everything else on the machine; a test has nobody to stand back for.
os.environ.setdefault("RAY_worker_niceness", "0")
ROUNDS = int(os.environ.get("DATAEFF_CHAOS_ROUNDS", "1"))


def pytest_configure(config):
    config.addinivalue_line("markers", "chaos: ends processes; repeated DATAEFF_CHAOS_ROUNDS times, each another way")


def pytest_generate_tests(metafunc):
    if "chaos_round" in metafunc.fixturenames:
        metafunc.parametrize("chaos_round", range(ROUNDS))


@pytest.fixture(scope="session")
def surroundings(tmp_path_factory):
    """The environment of processes with a Ray of their own; modules are compiled once for all of them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_") or "niceness" in name}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    kept.setdefault("PYTHONPYCACHEPREFIX", str(tmp_path_factory.getbasetemp() / "compiled"))
    return kept | {"OMP_NUM_THREADS": "1", "DATAEFF_DATA": ""}


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
    registry.load_file(BILLED)
    with RayHosts(cluster, place, [ODD_LABELER, BILLED]) as made:
        yield made
