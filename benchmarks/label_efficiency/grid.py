"""The grid of a study's cells, group by seed, and what is asked of the curves that they hold."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from benchmarks.harness import Benchmark, Cell, Json, Result, Table
from benchmarks.label_efficiency.figures import Findings, Key, findings, median_needed, needed_table, saving_row
from benchmarks.label_efficiency.running import measured
from benchmarks.label_efficiency.study import Metric, Study
from dataeff_al.efficiency import Saving

SEEDS = 5
LEAST_SPAN = 0.1
# What an ingredient is worth is seen on the seeds that the method without it has been measured under.
PAIRED = ("ablations",)


@dataclass(frozen=True)
class Question:
    """A figure: the median of the labels that a method needs for a target."""

    name: str
    method: Key
    target: float


@dataclass(frozen=True)
class Comparison:
    """A figure: how many times fewer labels a method needs than the best of others, seed by seed.

    The best other is the one against which the method saves least. ``target`` None: what the other ends with, seed by
    seed. ``told`` says what kind of saving it is.
    """

    name: str
    method: Key
    others: Sequence[Key]
    target: float | None
    told: str


def benchmark_of(
    study: Study,
    metric: Metric,
    targets: Sequence[float],
    questions: Sequence[Question],
    comparisons: Sequence[Comparison],
    panels: Mapping[str, Sequence[str]],
) -> Benchmark:
    """The benchmark of a study; ``panels``: the methods of each picture, by title."""
    groups = {f"{group.name}-{seed}": group.name for group in study.groups for seed in range(1000)}

    def cells(seeds: Sequence[int], quick: bool) -> list[Cell]:
        return [
            Cell(f"{group.name}-{seed}", partial(measured, study, group, seed, quick=quick))
            for seed in seeds
            for group in study.groups
        ]

    def assemble(cells: Mapping[str, Json]) -> Result:
        found = _assembled(findings(cells, groups, metric), targets, questions, comparisons)
        shown = (
            [min(targets), min(1.0, max(targets) + max(max(targets) - min(targets), LEAST_SPAN))]
            if metric.more_is_better
            else [0.0, None]
        )
        return replace(
            found,
            curves={"panels": panels, "paired": PAIRED, "metric": metric.name, "range": shown, "series": found.curves},
        )

    return Benchmark(seeds=SEEDS, cells=cells, assemble=assemble, piecewise=True)


def _assembled(
    found: Findings, targets: Sequence[float], questions: Sequence[Question], comparisons: Sequence[Comparison]
) -> Result:
    hardest = {comparison.name: _hardest(found, comparison) for comparison in comparisons}
    figures = {question.name: median_needed(found, question.method, question.target) for question in questions}
    figures |= {name: _factor(saving) for name, saving in hardest.items()}
    rows = [saving_row(f"{each.name}: {each.told}", hardest[each.name]) for each in comparisons]
    savings = Table("savings over paired seeds", ["what", "target", "factor", "95 %", "seeds", "in words"], rows)
    curves = {
        f"{group}/{name}": {str(seed): [list(curve.labels), list(curve.values)] for seed, curve in by_seed.items()}
        for (group, name), by_seed in found.curves.items()
    }
    lines = [f"{value:.4f}" for _, value in sorted(found.references.items())]
    notes = [f"Trained on the whole pool, the plain target reaches {', '.join(lines)}."] if lines else []
    return Result(figures, [savings, needed_table(found, targets)], curves, notes)


def _hardest(found: Findings, comparison: Comparison) -> Saving | None:
    """The saving against the other that leaves least, a bound counting as the number that it states; of the others that
    have been measured under most seeds, so that the luck of one seed does not stand for all.
    """
    savings = [found.saved(comparison.method, other, comparison.target) for other in comparison.others]
    known = [saving for saving in savings if saving is not None]
    most = max((saving.seeds for saving in known), default=0)
    return min((saving for saving in known if saving.seeds == most), key=_rank, default=None)


def _rank(saving: Saving) -> float:
    value = _factor(saving) or saving.at_most
    return math.inf if value is None else value


def _factor(saving: Saving | None) -> float | None:
    """The figure: a factor, or one that was surpassed. That it is below some number is no figure to be quoted."""
    return None if saving is None else saving.factor or saving.at_least
