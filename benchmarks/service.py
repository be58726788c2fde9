"""The same campaign through the controller and Ray, its twin beside it; and how labeling scales with replicas."""

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.campaign_run import PHASES, bought_s, measured
from benchmarks.harness import Benchmark, Cell, Json, Result, Table
from benchmarks.replicas import replica_scaling


def _cells(seeds: Sequence[int], quick: bool) -> list[Cell]:
    runs = [Cell(f"run-{seed}", lambda: measured(quick=quick)) for seed in seeds]
    return [Cell("replicas", lambda: replica_scaling(60 if quick else 400)), *runs]


def _share(run: Json) -> float:
    """Own time of the longest chain: the generator, then the busier of the campaigns that run side by side."""
    chain = run["generator_s"] + max(bought_s(each) for each in run["campaigns"])
    return float((run["seconds"] - chain) / run["seconds"])


def _assemble(found: Mapping[str, Json]) -> Result:
    runs = {key: cell for key, cell in found.items() if key.startswith("run-")}
    figures = {
        "run_ray_s": statistics.median(run["seconds"] for run in runs.values()),
        "run_ray_rss_gib": max(run["peak_gib"] for run in runs.values()),
        "own_share_ray": statistics.median(_share(run) for run in runs.values()),
        "replica_scaling": found["replicas"]["replica_scaling"],
    }
    rows = [
        [
            key,
            *(round(max(each[name] for each in run["campaigns"]), 1) for name in PHASES),
            round(run["generator_s"], 1),
        ]
        for key, run in runs.items()
    ]
    table = Table("seconds by phase, the slower of the campaign and its twin", ["run", *PHASES, "generator"], rows)
    return Result(figures, [table])


BENCHMARK = Benchmark(seeds=3, cells=_cells, assemble=_assemble)
