import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

from services.actors.cluster import THREADS

SCRIPT = Path(__file__).parent / "data" / "two_nodes.py"
CAMPAIGN = """
version: 1
name: two-nodes
seed: 5
pool: {kind: digits, size: 120}
evaluation: {validation: 6, test: 8}
initial: {random: 8}
learner: {kind: mlp}
trainer: {kind: standard, steps: 10}
labeler: {kind: dataset, delay_s: 0.3, runtime: {replicas: 2}}
sampler: {kind: margin}
budget: {total: 12, per_round: 4}
stop: {metric: accuracy}
"""


def surroundings(folder):
    """The environment of a cluster's processes."""
    token = folder / "token"
    token.write_text(secrets.token_hex(32))
    token.chmod(0o600)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **kept,
        **THREADS,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        # A lost node is noticed within two seconds instead of twenty, and modules are compiled once for all processes.
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_timeout_ms": "1000",
        "RAY_health_check_failure_threshold": "3",
        "RAY_health_check_initial_delay_ms": "1000",
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
    }


def test_a_lost_node_costs_no_label_and_the_campaign_finishes(tmp_path):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path)],
        env=surroundings(tmp_path),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["nodes"] == 2
    assert report["left"] == 1
    assert report["cpus"] == 4
    assert report["status"] == ["finished"]
    assert report["fsck"].endswith("0 violations")
    assert report["same"]
    assert report["processes"] == []
