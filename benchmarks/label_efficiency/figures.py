"""From the curves of paired seeds to labels needed, savings with intervals, and the tables that show them."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.harness import Json, Table
from benchmarks.label_efficiency.study import Metric
from dataeff_al.efficiency import LearningCurve, Saving, area, in_two_digits, labels_to_target, saving

Key = tuple[str, str]
"""A method: its group's name and its own."""


@dataclass(frozen=True)
class Findings:
    """Curves by method and seed, in one metric."""

    metric: Metric
    curves: Mapping[Key, Mapping[int, LearningCurve]]
    references: Mapping[int, float]

    def needed(self, method: Key, target: float) -> list[float | None]:
        """Labels that each seed needed for the target; None where it was not reached."""
        more = self.metric.more_is_better
        return [labels_to_target(curve, target, more_is_better=more) for curve in self.curves[method].values()]

    def saved(self, method: Key, against: Key, target: float | None) -> Saving | None:
        """What a method saves against another on the seeds that both have; None without such seeds.

        ``target`` None: what the other ends with, seed by seed.
        """
        if not {method, against} <= self.curves.keys():
            return None
        ours, theirs = self.curves[method], self.curves[against]
        seeds = sorted(ours.keys() & theirs.keys())
        if not seeds:
            return None
        pairs = [ours[seed] for seed in seeds], [theirs[seed] for seed in seeds]
        return saving(method[1], pairs[0], against[1], pairs[1], target, more_is_better=self.metric.more_is_better)


def findings(cells: Mapping[str, Json], groups: Mapping[str, str], metric: Metric) -> Findings:
    """The curves of measured cells; ``groups`` tells the group of each cell's key."""
    curves: dict[Key, dict[int, LearningCurve]] = {}
    references: dict[int, float] = {}
    for key, cell in cells.items():
        for name, curve in cell["curves"].items():
            found = LearningCurve(curve["labels"], curve["test"][metric.name])
            curves.setdefault((groups[key], name), {})[cell["seed"]] = found
        if cell["reference"]:
            references[cell["seed"]] = cell["reference"][metric.name]
    return Findings(metric, curves, references)


def median_needed(found: Findings, method: Key, target: float) -> float | None:
    """The median over seeds of the labels needed, an unreached target counting as infinitely many; None: not reached
    by half of the seeds, or not measured."""
    if method not in found.curves:
        return None
    needed = [float("inf") if labels is None else labels for labels in found.needed(method, target)]
    middle = statistics.median(needed)
    return None if middle == float("inf") else middle


def needed_table(found: Findings, targets: Sequence[float]) -> Table:
    """Labels needed by every method: the median of the seeds, and in how many the target was reached."""
    columns = ["group", "method", "seeds", *map(found.metric.told, targets), "area", "last", "labels"]
    return Table("labels needed (median of the seeds; reached in)", columns, list(_needed_rows(found, targets)))


def _needed_rows(found: Findings, targets: Sequence[float]) -> Iterator[list[str | float | int | None]]:
    for (group, name), curves in found.curves.items():
        reached = [_reached(found, (group, name), target) for target in targets]
        last = statistics.median(curve.values[-1] for curve in curves.values())
        areas = statistics.median(area(curve) for curve in curves.values())
        labels = max(curve.labels[-1] for curve in curves.values())
        yield [group, name, len(curves), *reached, round(areas, 4), round(last, 4), labels]


def _reached(found: Findings, method: Key, target: float) -> str:
    needed = found.needed(method, target)
    middle, times = median_needed(found, method, target), sum(labels is not None for labels in needed)
    return f"{'-' if middle is None else round(middle)} ({times}/{len(needed)})"


def saving_row(title: str, found: Saving | None) -> list[str | float | int | None]:
    """A saving as a row: factor or bound, interval, seeds, and the sentence that says what it means."""
    if found is None:
        return [title, None, None, None, 0, "not measured"]
    factor = found.factor or found.at_least or found.at_most
    sign = "" if found.factor else ">= " if found.at_least else "<= " if found.at_most else ""
    interval = f"{in_two_digits(found.ci[0])}-{in_two_digits(found.ci[1])}" if found.ci else "-"
    shown = f"{sign}{factor:.3g}" if factor else "-"
    return [title, found.target, shown, interval, found.seeds, found.verdict]
