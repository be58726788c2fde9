import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dataeff_al.errors import DataeffError, UnavailableError
from services.actors import cluster as clusters
from services.actors.cluster import ClusterSettings

SCRIPT = Path(__file__).parent / "data" / "other_processes.py"


def elsewhere(*arguments, environment=None):
    """What another process has to say."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def refuse(address):
    with pytest.raises(DataeffError) as caught:
        clusters._connect(None, address)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_ray_of_our_own_stays_on_loopback_behind_a_token_and_leaves_nothing_behind():
    outside = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    found = elsewhere("start_and_end", environment=outside)
    assert found["address"].startswith("127.0.0.2:")
    assert found["cpus"] == 3
    assert found["local"]
    assert found["mode"] == "token"
    assert found["token_mode"] == "0o600"
    assert found["children"] > 3
    assert found["left"] == []
    assert not found["folder_left"]
    assert found["token_after"] == "somebody else's"
    assert found["mode_after"] is None


def test_an_existing_cluster_is_joined_and_left_running(cluster):
    assert elsewhere("join", cluster.address) == {"cpus": cluster.cpus, "local": False}


def test_a_cluster_of_another_version_is_refused_in_one_sentence(cluster):
    refusal = elsewhere("other_version", cluster.address)["refusal"]
    assert "2.52.0" in refusal
    assert "must run this machine's versions" in refusal


def test_a_wrong_token_is_refused(cluster, tmp_path):
    wrong = tmp_path / "token"
    wrong.write_text("0" * 64)
    assert "and accept our token" in elsewhere("other_token", cluster.address, wrong)["refusal"]


def test_a_network_without_a_token_is_refused_before_anything_is_sent(monkeypatch):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    assert "must use token authentication" in str(refuse("10.1.2.3:6379"))
    assert "must use token authentication" in str(refuse("head.example.org:6379"))


def test_an_address_where_nobody_answers_is_unavailable(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        error = refuse(f"127.0.0.1:{free.getsockname()[1]}")
    assert isinstance(error, UnavailableError)
    assert isinstance(refuse("127.0.0.1:port"), UnavailableError)
    assert "host:port" in str(refuse("ray://127.0.0.1:10001"))


def test_a_machine_without_ray_is_told_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DataeffError, match=r"pip install 'dataeff-al\[engine\]', or run with --inline"):
        clusters._installed()


def test_a_job_of_a_cluster_finds_its_address_in_the_environment():
    assert ClusterSettings.from_environment({"RAY_ADDRESS": " 10.0.0.1:6379 "}).address == "10.0.0.1:6379"
    assert ClusterSettings.from_environment({}).address is None
