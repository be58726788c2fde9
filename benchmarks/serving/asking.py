"""Ask and tell through a real server, on SQLite, by clients in processes of their own."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Json
from benchmarks.process import environment
from benchmarks.serving.server import serve_command, serving
from dataeff_al.rpc import Client

CAMPAIGN = """
version: 1
name: asked
pool: {{kind: npz, file: pool.npz}}
evaluation: {{validation: 1, test: 1}}
initial: {{random: {queries}}}
learner: {{kind: mlp, width: 8}}
trainer: {{kind: standard, steps: 1}}
labeler: {{kind: external, lease_s: 3600, target: {{kind: class, classes: [a, b, c, d]}}}}
sampler: {{kind: random}}
budget: {{unit: label, total: {budget}, per_round: 5}}
stop: {{metric: accuracy}}
"""
SIDE = 16
PAIRS_PER_S = 300
"""More than any client has been seen to reach: queries must not run out."""


def asked_and_told(clients: int, seconds: float, work_s: float, *, processes: int = 1) -> Json:
    """Latencies of ask and tell [ms], errors, requests a second, and CPU seconds of server and clients.

    Each client asks for one query, works on it for ``work_s`` on average, tells its label, and begins again.
    """
    queries = round(PAIRS_PER_S * seconds) + clients
    with tempfile.TemporaryDirectory() as name:
        store = Path(name)
        write_pool(store / "inputs", queries + 100)
        with serving(serve_command(store, "--no-ray")) as served, Client(served.target) as client:
            run = client.create(CAMPAIGN.format(queries=queries, budget=queries + 50))
            list(client.watch(run.id, until_idle=True))
            before = served.cpu_s()
            found = _measured(served.target, run.id, clients, seconds, work_s, processes)
            found["server_cpu_s"] = served.cpu_s() - before
            info = client.get(run.id)
    # What was answered and is not in the record is an error, too.
    found["errors"] += abs(found["told"] - info.queries.spent - info.evaluation.spent)
    return found


def write_pool(folder: Path, samples: int) -> None:
    """An npz file of samples that nobody has answered."""
    folder.mkdir()
    x = np.random.default_rng(0).random((samples, 1, SIDE, SIDE), np.float32)
    np.savez(folder / "pool.npz", id=np.array([f"s{k}" for k in range(samples)]), x=x)


def _measured(target: str, campaign: str, clients: int, seconds: float, work_s: float, processes: int) -> Json:
    module = "benchmarks.serving.asking_client"
    shares = [len(range(k, clients, processes)) for k in range(processes)]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", module, target, campaign, str(share), str(seconds), str(work_s), str(number)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for number, share in enumerate(shares)
    ]
    answers = [json.loads(each.communicate(timeout=seconds + 300)[0]) for each in started]
    return _summed(answers, clients)


def _summed(answers: list[dict[str, Any]], clients: int) -> Json:
    def joined(name: str) -> np.ndarray:
        return np.concatenate([np.asarray(answer[name]) for answer in answers]) * 1000

    ask, tell = joined("ask_s"), joined("tell_s")
    both = np.concatenate([ask, tell])
    seconds = max(answer["seconds"] for answer in answers)
    return {
        "clients": clients,
        "told": len(tell),
        "errors": sum(answer["errors"] for answer in answers),
        "requests_per_s": len(both) / seconds,
        "ask_median_ms": float(np.median(ask)),
        "tell_median_ms": float(np.median(tell)),
        "ask_tell_median_ms": float(np.median(joined("pair_s"))),
        "p99_ms": float(np.percentile(both, 99)),
        "worst_ms": float(both.max()),
        "clients_cpu_s": sum(answer["cpu_s"] for answer in answers),
        "seconds": seconds,
    }
