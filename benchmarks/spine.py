"""One campaign end to end: how long it takes, what it needs, and how much of that is our own overhead."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness import Benchmark, Cell, Json, Result, Table
from benchmarks.process import timed

CAMPAIGN = Path(__file__).parent.parent / "campaigns" / "vessel_stress.yaml"
TOOL = Path(sys.executable).parent / "dataeff-al"
QUICK = (
    "--set",
    "budget.total=40",
    "--set",
    "pool.size=400",
    "--set",
    "generator.steps=50",
    "--set",
    "trainer.steps=50",
)
HELP_RUNS = 7
ENDED_WELL = (0, 3)


def _run(quick: bool) -> Json:
    """The vessel campaign with its twin, as a whole process."""
    with tempfile.TemporaryDirectory() as folder:
        settings = QUICK if quick else ()
        done = timed([TOOL, "run", CAMPAIGN, "--inline", "--out", folder, *settings])
        if done.code not in ENDED_WELL:
            raise RuntimeError(f"the campaign must end well, but got exit code {done.code}: {done.output[-2000:]}")
        summary = json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))
    return {"seconds": done.seconds, "peak_gib": done.peak_gib, **_shares(summary, done.seconds)}


def _shares(summary: Json, wall_s: float) -> Json:
    """Seconds by phase over the campaign and its twins, as the record tells them."""
    rows = [*summary["rounds"], *(row for twin in summary["twins"] for row in twin["rounds"])]
    phases = {
        name: sum(row["seconds"].get(name, 0.0) for row in rows) for name in ("propose", "label", "train", "evaluate")
    }
    generator = (summary["generator"] or {}).get("seconds", 0.0)
    bought = phases["label"] + phases["train"] + phases["evaluate"]
    return {"phases": phases, "generator_s": generator, "rest_s": wall_s - bought - generator}


def _help() -> Json:
    seconds = []
    for _ in range(HELP_RUNS):
        began = time.monotonic()
        subprocess.run([TOOL, "--help"], check=True, capture_output=True)
        seconds.append(time.monotonic() - began)
    return {"seconds": statistics.median(seconds)}


def _cells(seeds: Sequence[int], quick: bool) -> list[Cell]:
    return [Cell("help", _help), *(Cell(f"run-{seed}", lambda: _run(quick)) for seed in seeds)]


def _assemble(found: Mapping[str, Json]) -> Result:
    runs = [cell for key, cell in found.items() if key.startswith("run-")]
    wall = statistics.median(run["seconds"] for run in runs)
    own = statistics.median(run["rest_s"] / run["seconds"] for run in runs)
    with_manifold = statistics.median((run["rest_s"] + run["generator_s"]) / run["seconds"] for run in runs)
    figures = {
        "run_s": wall,
        "run_rss_gib": max(run["peak_gib"] for run in runs),
        "own_share": own,
        "own_share_with_generator": with_manifold,
        "help_s": found["help"]["seconds"],
    }
    rows = [
        [
            key,
            *(round(run["phases"][name], 1) for name in run["phases"]),
            round(run["generator_s"], 1),
            round(run["rest_s"], 1),
        ]
        for key, run in zip([k for k in found if k.startswith("run-")], runs, strict=True)
    ]
    table = Table("seconds by phase", ["run", "propose", "label", "train", "evaluate", "generator", "rest"], rows)
    note = (
        "own_share is everything but labelling, training and evaluating, start-up and proposals included; fitting the "
        "generator counts as training there, and as overhead in own_share_with_generator."
    )
    return Result(figures, [table], notes=[note])


BENCHMARK = Benchmark(seeds=3, cells=_cells, assemble=_assemble)
