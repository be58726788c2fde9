import json
import sys
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as command
from benchmarks.harness import Benchmark, Cell, Result, run


def counting(measured, *, broken=(), piecewise=False):
    """Two cells that note that they were measured; their sum is the figure."""

    def cells(seeds, quick):
        def cell(seed):
            return Cell(f"cell-{seed}", lambda: measured.append((seed, quick)) or {"value": seed + 1})

        return [cell(seed) for seed in seeds]

    def assemble(found):
        return Result({"total": float(sum(each["value"] for each in found.values()))}, broken=broken)

    return Benchmark(seeds=2, cells=cells, assemble=assemble, piecewise=piecewise)


def test_a_cell_is_measured_once_and_kept(tmp_path):
    measured = []
    for fresh, expected in ((False, 2), (False, 2), (True, 4)):
        text, kept = run(counting(measured), "toy", tmp_path, seeds=None, quick=False, fresh=fresh)
        assert len(measured) == expected
        assert kept
        assert "total  3" in text
    report = json.loads((tmp_path / "results" / "toy.json").read_text())
    assert report["figures"] == {"total": 3.0}


def test_a_quick_run_leaves_no_results_and_no_cells_that_a_whole_run_would_take(tmp_path):
    measured = []
    run(counting(measured), "toy", tmp_path, seeds=2, quick=True, fresh=False)
    assert not (tmp_path / "results").exists()
    run(counting(measured), "toy", tmp_path, seeds=2, quick=False, fresh=False)
    assert measured == [(0, True), (1, True), (0, False), (1, False)]


def test_gaps_are_refused_unless_the_grid_may_be_measured_in_pieces(tmp_path, capsys):
    with pytest.raises(ValueError, match="all cells of toy must be measured, but got none for cell-1"):
        run(counting([]), "toy", tmp_path, seeds=2, quick=False, fresh=False, only="cell-0")
    run(counting([], piecewise=True), "toy", tmp_path, seeds=2, quick=False, fresh=False, only="cell-0")
    assert "not measured yet: cell-1" in capsys.readouterr().err


def test_the_cells_of_a_long_grid_are_kept_with_its_results_and_say_which_code_they_measured(tmp_path):
    run(counting([], piecewise=True), "toy", tmp_path, seeds=1, quick=False, fresh=False)
    kept = json.loads((tmp_path / "results" / "cells" / "toy" / "cell-0.json").read_text())
    assert kept["found"] == {"value": 1}
    assert len(kept["commit"]) == 40
    assert json.loads((tmp_path / "results" / "toy.json").read_text())["measured"] == [kept["commit"]]
    measured = []
    run(counting(measured, piecewise=True), "toy", tmp_path, seeds=2, quick=False, fresh=False)
    assert measured == [(1, False)]


@pytest.mark.parametrize(("broken", "code"), [((), 0), (("a label was paid for twice",), 1)])
def test_a_broken_promise_is_told_and_ends_with_one(tmp_path, monkeypatch, capsys, broken, code):
    benchmark = counting([], broken=broken)
    monkeypatch.setattr(command, "HERE", tmp_path)
    monkeypatch.setattr(command, "names", lambda: ["toy"])
    monkeypatch.setitem(sys.modules, "benchmarks.toy", SimpleNamespace(BENCHMARK=benchmark))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "toy"])
    assert command.main() == code
    shown = capsys.readouterr().out
    assert all(promise in shown for promise in broken)
