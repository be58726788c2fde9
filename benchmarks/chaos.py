"""What becomes of campaigns that are killed anywhere: ``make chaos``, ``python -m benchmarks chaos``.

Real processes of ``dataeff-al`` are ended by SIGKILL at every named point (``dataeff-al failpoints``), in the middle of
their recovery, and at random; then people go on as they would, and the end is held against a campaign that nobody
disturbed: queries, labels, model, accounts, the labeler's own invoices, and ``fsck``. Random command sequences and
planted bugs are run from the tests.
"""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

from benchmarks.harness import Benchmark, Cell, Json, Result, Table
from benchmarks.killing.campaigns import VARIANTS
from benchmarks.killing.hand import Kill, Zygote
from benchmarks.killing.trial import Arena
from benchmarks.killing.trials import Tally, at_every_point, in_recovery, tried, tried_at_random
from dataeff_al.failpoints import POINTS

ROOT = Path(__file__).parents[1]
RECOVERED = ("pure", "keyed", "queryable", "blind", "rough", "twins")
DEPTH, QUICK_DEPTH = 8, 2
RANDOM_CELLS, KILLS_A_CELL = 11, 100
SEQUENCES, QUICK_SEQUENCES = 2000, 20
QUERIES, QUICK_QUERIES = 100_000, 1000
HANDS = os.cpu_count() or 1


def _points(name: str, quick: bool) -> Json:
    return _shared(name, lambda arena: list(at_every_point(arena, name, 1 if quick else 2)))


def _recovery(name: str, quick: bool) -> Json:
    steps = range(1, (QUICK_DEPTH if quick else DEPTH) + 1)
    return _shared(name, lambda arena: list(in_recovery(arena, name, steps)))


def _shared(name: str, listed: Callable[[Arena], Sequence[list[Kill]]]) -> Json:
    """The cases of one campaign, shared among as many hands as the machine has processors."""
    return _together(lambda arena, number: tried(arena, name, iter(listed(arena)[number::HANDS])))


def _random(seed: int, quick: bool) -> Json:
    kills = math.ceil((4 if quick else KILLS_A_CELL) / HANDS)
    return _together(lambda arena, number: tried_at_random(arena, kills, seed * HANDS + number))


@cache
def _arenas() -> Sequence[Arena]:
    """One for each hand, kept for all cells: a process takes long to get warm."""
    return [Arena(Zygote()) for _ in range(HANDS)]


def _together(part: Callable[[Arena, int], Tally]) -> Json:
    with ThreadPoolExecutor(HANDS) as hands:
        first, *others = hands.map(part, _arenas(), range(HANDS))
    for other in others:
        first.join(other)
    return first.as_json()


def _sequences(count: int) -> Json:
    """The tests' random command sequences against their model, in a process of their own."""
    command = [sys.executable, "-m", "pytest", "-q", "-s", "tests/campaign/test_command_sequences.py"]
    environment = {**os.environ, "DATAEFF_SEQUENCES": str(count)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"record"')]
    failed = [] if done.returncode == 0 else [done.stdout[-2000:]]
    return {"command_sequences": sum(each["command_sequences"] for each in told), "violations": failed, "told": told}


def _planted() -> Json:
    """Every planted bug, in a copy of the package, against the suites that must catch it."""
    command = [sys.executable, "tests/planted/run.py", "--json", "--unplanted"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if not lines or not lines[-1].startswith("{"):
        raise RuntimeError(f"the planted bugs must be tried, but got {(done.stdout + done.stderr)[-2000:]}")
    found: Json = json.loads(lines[-1])
    return found


def _recovery_time(queries: int) -> Json:
    from benchmarks import recovery

    found: Json = recovery.measure(queries)
    return found


def _cells(seeds: Sequence[int], quick: bool) -> list[Cell]:
    return [
        *(Cell(f"points-{name}", partial(_points, name, quick)) for name in VARIANTS),
        *(Cell(f"recovery-{name}", partial(_recovery, name, quick)) for name in RECOVERED),
        *(
            Cell(f"random-{seed:02}-{k:02}", partial(_random, seed * RANDOM_CELLS + k, quick))
            for seed in seeds
            for k in range(1 if quick else RANDOM_CELLS)
        ),
        Cell("sequences", partial(_sequences, QUICK_SEQUENCES if quick else SEQUENCES)),
        Cell("planted", _planted),
        Cell("recovery_time", partial(_recovery_time, QUICK_QUERIES if quick else QUERIES)),
    ]


def _assemble(found: Mapping[str, Json]) -> Result:
    killed = {key: cell for key, cell in found.items() if "kills" in cell}
    points = {point for cell in killed.values() for point in cell["points"] if point in POINTS}
    violations = [text for cell in found.values() for text in cell.get("violations", ())]
    figures = {
        "kill_points": len(points),
        "kills": sum(cell["kills"] for cell in killed.values()),
        "random_kills": sum(cell["kills"] for key, cell in killed.items() if key.startswith("random")),
        "trials": sum(cell["trials"] for cell in killed.values()),
        "command_sequences": found["sequences"]["command_sequences"],
        "violations": len(violations),
        "planted_bugs": found["planted"]["planted_bugs"],
        "planted_bugs_caught": found["planted"]["planted_bugs_caught"],
        "recovery_s_100k": found["recovery_time"]["serving_s"],
    }
    columns = ["what", "trials", "kills", "points", "not reached", "violations"]
    rows = [_row(key, cell) for key, cell in killed.items()]
    missed = sorted(set(POINTS) - points)
    notes = [f"Of {len(POINTS)} named points {len(missed)} were not killed at: {', '.join(missed) or 'none'}."]
    uncaught = [f"The planted bug {name} was not caught." for name in found["planted"]["missed"]]
    table = Table("processes killed by SIGKILL", columns, rows)
    return Result(figures, [table], notes=notes, broken=[*violations[:20], *uncaught])


def _row(key: str, cell: Json) -> list[str | int]:
    points = sum(point in POINTS for point in cell["points"])
    return [key, cell["trials"], cell["kills"], points, cell["unreached"], len(cell["violations"])]


BENCHMARK = Benchmark(seeds=1, cells=_cells, assemble=_assemble)
