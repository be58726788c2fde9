"""The service: a whole campaign through it and Ray, its labelers, its readers, its clients, and its restart."""

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.campaign_run import PHASES, bought_s, measured
from benchmarks.harness import Benchmark, Cell, Json, Result, Table
from benchmarks.replicas import replica_scaling
from benchmarks.serving.asking import asked_and_told
from benchmarks.serving.ray_start import ray_started
from benchmarks.serving.resuming import resumed
from benchmarks.serving.watching import watched

WORK_S = 1.0
"""How long one of the 200 clients works on a query."""
ASKING = ("ask-one", "ask-200", "ask-200-rush")
WATCHING = ("watch", "watch-stopped")
NOTES = (
    "Memory: run_ray_rss_gib is the proportional set size (PSS), in which a page that several processes share counts "
    "once; run_ray_rss_sum_gib adds up resident sizes, in which such a page counts for every process.",
    f"200 clients: each asks for a query, works on it for {WORK_S:g} s on average, and tells its label; in the rush "
    "nobody works, and every answer is followed by the next request at once. Each client has a connection of its own; "
    "two processes hold them. Every label is another blob. The record is SQLite, synchronous, on this machine's disk.",
    "Watch: the server is a controller as `serve` runs it; a thread beside it writes 1,000 events a second in 50 "
    "durable transactions. A stopped reader takes one message and then nothing until the end. Delays are from the "
    "commit to the reader.",
    "resume_s: from the start of a new process to all campaigns being driven, with Ray, less what Ray itself takes to "
    "be imported and to start in a process that does nothing else (ray_start_s).",
)


def _cells(seeds: Sequence[int], quick: bool) -> list[Cell]:
    seconds = 4.0 if quick else 15.0
    return [
        Cell("watch", lambda: watched(seconds, stopped=0)),
        Cell("watch-stopped", lambda: watched(seconds, stopped=1)),
        Cell("ask-one", lambda: asked_and_told(1, seconds, 0.0)),
        Cell("ask-200", lambda: asked_and_told(200, seconds, WORK_S, processes=2)),
        Cell("ask-200-rush", lambda: asked_and_told(200, seconds, 0.0, processes=2)),
        Cell("resume-inline", lambda: resumed(ray=False)),
        Cell("replicas", lambda: replica_scaling(60 if quick else 400)),
        Cell("resume-ray", lambda: resumed(ray=True)),
        Cell("ray-start", ray_started),
        *(Cell(f"whole-{seed}", lambda: measured(quick=quick)) for seed in seeds),
    ]


def _share(run: Json) -> float:
    """Own time of the longest chain: the generator, then the busier of the campaigns that run side by side."""
    chain = run["generator_s"] + max(bought_s(each) for each in run["campaigns"])
    return float((run["seconds"] - chain) / run["seconds"])


def _assemble(found: Mapping[str, Json]) -> Result:
    runs = {key: cell for key, cell in found.items() if key.startswith("whole-")}
    figures = {
        "run_ray_s": statistics.median(run["seconds"] for run in runs.values()),
        "run_ray_rss_gib": max(run["peak_pss_gib"] for run in runs.values()),
        "run_ray_rss_sum_gib": max(run["peak_rss_sum_gib"] for run in runs.values()),
        "own_share_ray": statistics.median(_share(run) for run in runs.values()),
        "replica_scaling": found["replicas"]["replica_scaling"],
        **_watched(found),
        **_asked(found),
        **_resumed(found),
    }
    return Result(figures, [_phases(runs), _readers(found), _clients(found)], notes=NOTES)


def _watched(found: Mapping[str, Json]) -> dict[str, float]:
    steady, stopped = found["watch"], found["watch-stopped"]
    return {
        "watch_lost": steady["lost"] + stopped["lost"],
        "watch_events_per_s": min(steady["events_per_s"], stopped["events_per_s"]),
        "watch_delay_p99_ms": steady["delay_p99_ms"],
        "watch_delay_p99_ms_beside_a_stopped_reader": stopped["delay_p99_ms"],
    }


def _asked(found: Mapping[str, Json]) -> dict[str, float]:
    return {
        "ask_tell_median_ms": found["ask-one"]["ask_tell_median_ms"],
        "ask_median_ms": found["ask-one"]["ask_median_ms"],
        "tell_median_ms": found["ask-one"]["tell_median_ms"],
        "ask_tell_p99_ms_200_clients": found["ask-200"]["p99_ms"],
        "ask_tell_p99_ms_200_clients_in_a_rush": found["ask-200-rush"]["p99_ms"],
        "requests_per_s_200_clients_in_a_rush": found["ask-200-rush"]["requests_per_s"],
        "ask_tell_errors": sum(found[key]["errors"] for key in ASKING),
    }


def _resumed(found: Mapping[str, Json]) -> dict[str, float]:
    ray_s = found["ray-start"]["import_s"] + found["ray-start"]["start_s"]
    return {
        "resume_s": found["resume-ray"]["driven_s"] - ray_s,
        "resume_with_ray_s": found["resume-ray"]["driven_s"],
        "resume_without_ray_s": found["resume-inline"]["driven_s"],
        "ray_start_s": ray_s,
    }


def _phases(runs: Mapping[str, Json]) -> Table:
    rows = [
        [
            key,
            *(round(max(each[name] for each in run["campaigns"]), 1) for name in PHASES),
            round(run["generator_s"], 1),
        ]
        for key, run in runs.items()
    ]
    return Table("seconds by phase, the slower of the campaign and its twin", ["run", *PHASES, "generator"], rows)


def _readers(found: Mapping[str, Json]) -> Table:
    columns = ["readers", "stopped", "events", "events_per_s", "lost", "lost_by_the_stopped", "delay_median_ms"]
    columns += ["delay_p99_ms", "server_cpu_s", "clients_cpu_s", "seconds"]
    return Table("readers of Watch", ["cell", *columns], [_row(found, key, columns) for key in WATCHING])


def _clients(found: Mapping[str, Json]) -> Table:
    columns = ["clients", "told", "errors", "requests_per_s", "ask_median_ms", "tell_median_ms", "p99_ms", "worst_ms"]
    columns += ["server_cpu_s", "clients_cpu_s", "seconds"]
    return Table("clients that ask and tell", ["cell", *columns], [_row(found, key, columns) for key in ASKING])


def _row(found: Mapping[str, Json], key: str, columns: Sequence[str]) -> list[str | float | int | None]:
    return [key, *(found[key][name] for name in columns)]


BENCHMARK = Benchmark(seeds=3, cells=_cells, assemble=_assemble)
