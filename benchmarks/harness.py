"""What every benchmark shares: a grid of cells, each measured once and kept, and one JSON file of results."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from dataeff_al.campaign.outcome import write_file, write_json
from dataeff_al.campaign.summary import versions

Json = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One measurement: a key fit for a file name, and the function that makes it as JSON."""

    key: str
    measure: Callable[[], Json]


@dataclass(frozen=True)
class Table:
    """A table of results: its title, the names of its columns, and its rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | int | None]]

    def text(self) -> str:
        """The table in plain text."""
        cells = [list(self.columns), *([_shown(value) for value in row] for row in self.rows)]
        widths = [max(len(row[place]) for row in cells) for place in range(len(self.columns))]
        lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in cells]
        return "\n".join([self.title, lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


@dataclass(frozen=True)
class Result:
    """What a benchmark found: figures by flat name, tables, curves for plots; ``broken``: promises it saw broken."""

    figures: Mapping[str, float | None]
    tables: Sequence[Table] = ()
    curves: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    broken: Sequence[str] = ()


@dataclass(frozen=True)
class Benchmark:
    """A grid of cells and how their results are put together.

    ``cells(seeds, quick)`` lists the measurements; ``assemble`` gets their results by key, in the order of the grid.
    A grid of many hours is ``piecewise``: it may be measured cell by cell, and its results then tell what is missing.
    Its cells are kept with the results, so that another machine goes on where this one ended.
    """

    seeds: int
    cells: Callable[[Sequence[int], bool], Sequence[Cell]]
    assemble: Callable[[Mapping[str, Json]], Result]
    piecewise: bool = False


def run(
    benchmark: Benchmark, name: str, home: Path, *, seeds: int | None, quick: bool, fresh: bool, only: str = "*"
) -> tuple[str, bool]:
    """Measure what is missing, write ``results/NAME.json``; the tables as text, and whether every promise was kept.

    A quick run keeps its cells apart and writes no results, so that its numbers are never quoted. ``only``: the cells
    to measure, as in file names; the results hold all that were kept. Raises ValueError when that leaves gaps in a
    benchmark that is not piecewise.
    """
    count = seeds or (1 if quick else benchmark.seeds)
    kept = _place(benchmark, name, home, quick=quick)
    kept.mkdir(parents=True, exist_ok=True)
    cells = benchmark.cells(range(count), quick)
    for cell in cells:
        if fnmatch(cell.key, only):
            _measured(cell, kept / f"{cell.key}.json", fresh)
    paths = {cell.key: kept / f"{cell.key}.json" for cell in cells}
    files = {key: json.loads(path.read_text(encoding="utf-8")) for key, path in paths.items() if path.exists()}
    if missing := [key for key in paths if key not in files]:
        if not benchmark.piecewise:
            raise ValueError(f"all cells of {name} must be measured, but got none for {', '.join(missing)}.")
        print(f"not measured yet: {', '.join(missing)}", file=sys.stderr)
    result = benchmark.assemble({key: file["found"] for key, file in files.items()})
    if not quick:
        results = home / "results"
        results.mkdir(exist_ok=True)
        measured = dict.fromkeys(file["commit"] for file in files.values())
        write_json(results / f"{name}.json", _report(name, count, list(measured), result))
    return _text(result), not result.broken


def _place(benchmark: Benchmark, name: str, home: Path, *, quick: bool) -> Path:
    """The folder of the cells; those of an hour or less belong to the machine on which they were measured."""
    if quick:
        return home / "cells" / f"{name}-quick"
    return (home / "results" if benchmark.piecewise else home) / "cells" / name


def _measured(cell: Cell, path: Path, fresh: bool) -> None:
    if fresh or not path.exists():
        print(f"measuring {cell.key}", file=sys.stderr, flush=True)
        kept = {"commit": _commit(), "found": cell.measure()}
        write_file(path, (json.dumps(kept, allow_nan=False) + "\n").encode())


def _report(name: str, seeds: int, measured: Sequence[str], result: Result) -> Json:
    return {
        "name": name,
        "command": f"python -m benchmarks {name} --seeds {seeds}",
        "commit": _commit(),
        "measured": list(measured),
        "seeds": seeds,
        "versions": versions(),
        "machine": machine(),
        "figures": dict(result.figures),
        "tables": [
            {"title": t.title, "columns": list(t.columns), "rows": [list(r) for r in t.rows]} for t in result.tables
        ],
        "curves": dict(result.curves),
        "notes": list(result.notes),
    }


def machine() -> Json:
    """What the measurement ran on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpus": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "load": [round(value, 2) for value in os.getloadavg()],
        "system": platform.system(),
        "processor": platform.machine(),
    }


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def _text(result: Result) -> str:
    figures = Table("figures", ["name", "value"], [[name, value] for name, value in result.figures.items()])
    return "\n\n".join([*(table.text() for table in result.tables), figures.text(), *result.notes, *result.broken])


def _shown(value: str | float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
