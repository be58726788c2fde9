"""One campaign end to end, in one process: how long it takes, what it needs, how much of that is our own overhead."""

import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence

from benchmarks.campaign_run import PHASES, TOOL, bought_s, measured
from benchmarks.harness import Benchmark, Cell, Json, Result, Table

HELP_RUNS = 7


def _help() -> Json:
    seconds = []
    for _ in range(HELP_RUNS):
        began = time.monotonic()
        subprocess.run([TOOL, "--help"], check=True, capture_output=True)
        seconds.append(time.monotonic() - began)
    return {"seconds": statistics.median(seconds)}


def _cells(seeds: Sequence[int], quick: bool) -> list[Cell]:
    runs = [Cell(f"run-{seed}", lambda: measured("--inline", quick=quick)) for seed in seeds]
    return [Cell("help", _help), *runs]


def _share(run: Json, counted_s: float) -> float:
    """What is left of the wall clock when labelling, training and evaluating, and ``counted_s``, are taken away."""
    return float((run["seconds"] - counted_s - sum(bought_s(each) for each in run["campaigns"])) / run["seconds"])


def _assemble(found: Mapping[str, Json]) -> Result:
    runs = {key: cell for key, cell in found.items() if key.startswith("run-")}
    figures = {
        "run_s": statistics.median(run["seconds"] for run in runs.values()),
        "run_rss_gib": max(run["peak_rss_sum_gib"] for run in runs.values()),
        "own_share": statistics.median(_share(run, run["generator_s"]) for run in runs.values()),
        "own_share_with_generator": statistics.median(_share(run, 0.0) for run in runs.values()),
        "help_s": found["help"]["seconds"],
    }
    rows = [
        [
            key,
            *(round(sum(each[name] for each in run["campaigns"]), 1) for name in PHASES),
            round(run["generator_s"], 1),
        ]
        for key, run in runs.items()
    ]
    table = Table("seconds by phase, the campaign and its twin together", ["run", *PHASES, "generator"], rows)
    note = (
        "own_share is everything but labelling, training and evaluating, start-up and proposals included; fitting the "
        "generator counts as training there, and as overhead in own_share_with_generator."
    )
    return Result(figures, [table], notes=[note])


BENCHMARK = Benchmark(seeds=3, cells=_cells, assemble=_assemble)
