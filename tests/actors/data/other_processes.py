"""What one process sees of Ray; a process has one Ray, so that every case has its own. Prints JSON."""

import json
import os
import sys
from pathlib import Path

import psutil

from dataeff_al.errors import DataeffError
from services.actors.cluster import ClusterSettings, open_cluster


def refused(settings):
    try:
        with open_cluster(settings):
            return {"refusal": ""}
    except DataeffError as error:
        return {"refusal": str(error), "kind": type(error).__name__}


def start_and_end():
    """A Ray of our own: is it on loopback, is its token private, and is everything gone afterwards?"""
    os.environ["RAY_AUTH_TOKEN"] = "somebody else's"
    with open_cluster(ClusterSettings(cpus=3)) as cluster:
        token = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
        found = {
            "address": cluster.address,
            "cpus": cluster.cpus,
            "local": cluster.local,
            "mode": os.environ["RAY_AUTH_MODE"],
            "token_mode": oct(token.stat().st_mode & 0o777),
            "children": len(psutil.Process().children(recursive=True)),
        }
    left = [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
    return {
        **found,
        "left": [child.name() for child in left],
        "folder_left": token.parent.exists(),
        "token_after": os.environ["RAY_AUTH_TOKEN"],
        "mode_after": os.environ.get("RAY_AUTH_MODE"),
    }


def join(address):
    with open_cluster(ClusterSettings(address)) as cluster:
        return {"cpus": cluster.cpus, "local": cluster.local}


def other_version(address):
    import ray

    ray.__version__ = "2.52.0"
    return refused(ClusterSettings(address))


def other_token(address):
    os.environ["RAY_AUTH_TOKEN_PATH"] = sys.argv[3]
    return refused(ClusterSettings(address))


CASES = {
    "start_and_end": start_and_end,
    "join": lambda: join(sys.argv[2]),
    "other_version": lambda: other_version(sys.argv[2]),
    "other_token": lambda: other_token(sys.argv[2]),
}
print(json.dumps(CASES[sys.argv[1]]()))
