"""Many readers of Watch while events are written at a steady rate: what is lost, how late it comes, what it costs."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Json
from benchmarks.process import environment
from benchmarks.serving.asking import CAMPAIGN, write_pool
from benchmarks.serving.server import Served, serving
from benchmarks.serving.stirring import CAMPAIGN as STIRRED
from dataeff_al.rpc import Client

READERS, PROCESSES = 50, 2
RATE = 1000.0


def watched(seconds: float, *, stopped: int) -> Json:
    """What 50 readers got of 1,000 events a second; the first ``stopped`` of them stand still meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pool(folder / "inputs", 30)
        command: list[str | Path] = [sys.executable, "-m", "benchmarks.serving.stirring", folder]
        with serving(command) as served, Client(served.target) as client:
            text = CAMPAIGN.format(queries=10, budget=15).replace("name: asked", f"name: {STIRRED}")
            list(client.watch(client.create(text).id, until_idle=True))
            return _measured(served, seconds, stopped)


def _measured(served: Served, seconds: float, stopped: int) -> Json:
    shares = [len(range(k, READERS, PROCESSES)) for k in range(PROCESSES)]
    readers = [_reader(served.target, share, stopped if k == 0 else 0) for k, share in enumerate(shares)]
    for reader in readers:
        assert reader.stdout is not None
        reader.stdout.readline()
    before = served.cpu_s()
    events, took, end = _stir(served, seconds)
    found = [json.loads(reader.communicate(f"{end}\n", timeout=300)[0]) for reader in readers]
    return {"server_cpu_s": served.cpu_s() - before, **_summed(found, events, took, end)}


def _reader(target: str, share: int, stopped: int) -> "subprocess.Popen[str]":
    module = "benchmarks.serving.watching_client"
    command = [sys.executable, "-m", module, target, STIRRED, str(share), str(stopped)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())


def _stir(served: Served, seconds: float) -> tuple[int, float, int]:
    """Events written, the seconds that took, and where the log ends now."""
    stdin, stdout = served.process.stdin, served.process.stdout
    assert stdin is not None
    assert stdout is not None
    stdin.write(f"{RATE} {seconds}\n")
    stdin.flush()
    _, events, took, end = stdout.readline().split()
    return int(events), float(took), int(end)


def _summed(found: list[dict[str, Any]], events: int, took: float, end: int) -> Json:
    rows = [row for answer in found for row in answer["readers"]]
    delays = np.concatenate([row["delays_s"] for row in rows if not row["stopped"]]) * 1000
    return {
        "readers": len(rows),
        "stopped": sum(row["stopped"] for row in rows),
        "events": events,
        "events_per_s": events / took,
        "lost": sum(end - row["seen"] + row["misplaced"] for row in rows),
        "lost_by_the_stopped": sum(end - row["seen"] + row["misplaced"] for row in rows if row["stopped"]),
        "delay_median_ms": float(np.median(delays)),
        "delay_p99_ms": float(np.percentile(delays, 99)),
        "clients_cpu_s": sum(answer["cpu_s"] for answer in found),
        "seconds": took,
    }
