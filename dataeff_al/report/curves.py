"""Learning curves: the test metric against the labels it took, for the campaign and its twins."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from dataeff_al.efficiency import LearningCurve, labels_to_target
from dataeff_al.report.model import Curve, RunReport
from dataeff_al.report.style import (
    INK,
    MARKERS,
    QUIET,
    SERIES,
    WIDTH_IN,
    new_figure,
    number,
    plain,
    png,
    quiet_grid,
)

Points = list[tuple[int, float]]

LOG_FROM = 4
"""Labels get a logarithmic axis when the last round has this many times the first one's."""


def points(curve: Curve, metric: str, split: str = "test") -> Points:
    """``(labels, value)`` of the rounds that have a finite value on ``split``, by labels."""
    found = [(each.labels, getattr(each, split).get(metric, math.nan)) for each in curve.rounds]
    return sorted((labels, float(value)) for labels, value in found if math.isfinite(value))


def by_name(curves: Sequence[Curve]) -> dict[str, list[Curve]]:
    """Repeats of one campaign together, in order of first appearance."""
    groups: dict[str, list[Curve]] = {}
    for curve in curves:
        groups.setdefault(curve.name, []).append(curve)
    return groups


def mean_points(curves: Sequence[Curve], metric: str, split: str = "test") -> Points:
    """The mean over repeats at the labels that all of them have; one curve's own points."""
    tables = [dict(points(curve, metric, split)) for curve in curves]
    shared = sorted(set.intersection(*(set(table) for table in tables)))
    return [(labels, float(np.mean([table[labels] for table in tables]))) for labels in shared]


def labels_needed(report: RunReport, curves: Sequence[Curve]) -> int | None:
    """Labels at which the mean over repeats reaches the target; None when it does not or there is no target."""
    found = [(labels, value) for labels, value in mean_points(curves, report.target.metric) if labels > 0]
    if report.target.value is None or not found:
        return None
    better = report.target.more_is_better
    needed = labels_to_target(LearningCurve(*_columns(found)), report.target.value, more_is_better=better)
    return None if needed is None else math.ceil(needed - 1e-9)


def learning_curves(report: RunReport) -> bytes | None:
    """The target metric of all curves, with target and full-pool reference; None when no round has it."""
    if not any(points(curve, report.target.metric) for curve in report.curves):
        return None
    figure = new_figure(4.6)
    axes = figure.subplots()
    groups = by_name(report.curves)
    handles = _draw_groups(axes, report, groups, report.target.metric)
    handles += _draw_marks(axes, report)
    _finish(axes, report, report.target.metric)
    columns = 2 if len(handles) > 3 else max(1, len(handles))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=9, handlelength=2.6)
    return png(figure)


def other_metrics(report: RunReport) -> bytes | None:
    """Small pictures of every further test metric, six at most; None when there is none."""
    names = _other_names(report)
    if not names:
        return None
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure = new_figure(0.5 + 2.5 * rows, width_in=WIDTH_IN * max(columns, 2) / 3)
    handles: list[Line2D] = []
    for axes, name in zip(figure.subplots(rows, columns, squeeze=False).flat, names, strict=False):
        handles = _draw_groups(axes, report, by_name(report.curves), name, small=True)
        _finish(axes, report, name, small=True)
    for axes in figure.axes[len(names) :]:
        axes.set_axis_off()
    figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)), fontsize=9)
    return png(figure)


def _other_names(report: RunReport) -> list[str]:
    """Metrics beside the target's that have a finite value in some round, in the order in which they appear."""
    seen: dict[str, None] = {}
    for curve in report.curves:
        for each in curve.rounds:
            seen |= {name: None for name, value in each.test.items() if math.isfinite(value)}
    return [name for name in seen if name != report.target.metric][:6]


def _draw_groups(
    axes: Axes, report: RunReport, groups: Mapping[str, Sequence[Curve]], metric: str, *, small: bool = False
) -> list[Line2D]:
    handles, validated = [], False
    for i, (name, curves) in enumerate(groups.items()):
        colour, marker = SERIES[i % len(SERIES)], MARKERS[i % len(MARKERS)]
        handles.append(_draw_group(axes, curves, metric, colour, marker, small))
        handles[-1].set_label(_series_label(report, name, curves, small))
        validation = mean_points(curves, metric, "validation")
        validated |= bool(validation) and not small
        if validation and not small:
            axes.plot(*zip(*validation, strict=True), color=colour, lw=1, ls=(0, (4, 3)), alpha=0.75)
    if validated:
        handles.append(Line2D([], [], color=QUIET, lw=1, ls=(0, (4, 3)), label="on the validation split"))
    return handles


def _series_label(report: RunReport, name: str, curves: Sequence[Curve], small: bool) -> str:
    """Name, repeats, and when the target was reached."""
    parts = [plain(name)]
    if len(curves) > 1 and not small:
        parts.append(f"mean of {len(curves)} seeds")
    if report.target.value is not None and not small:
        needed = labels_needed(report, curves)
        parts.append("target not reached" if needed is None else f"target at {needed:,} labels")
    return ", ".join(parts)


def _draw_group(axes: Axes, curves: Sequence[Curve], metric: str, colour: str, marker: str, small: bool) -> Line2D:
    """Repeats thin, their mean thick; returns a legend handle."""
    size = 3.5 if small else 5.5
    if len(curves) > 1:
        for curve in curves:
            axes.plot(*_columns(points(curve, metric)), color=colour, lw=0.8, alpha=0.35)
    mean = mean_points(curves, metric) if len(curves) > 1 else points(curves[0], metric)
    axes.plot(*_columns(mean), color=colour, lw=2, marker=marker, ms=size, mec="white", mew=0.7, zorder=3)
    return Line2D([], [], color=colour, lw=2, marker=marker, ms=5.5, mec="white", mew=0.7)


def _columns(found: Points) -> tuple[list[int], list[float]]:
    return [labels for labels, _ in found], [value for _, value in found]


def _draw_marks(axes: Axes, report: RunReport) -> list[Line2D]:
    """Lines of the target and of the model trained on the whole pool."""
    handles, unit = [], f" {plain(report.target.unit, 16)}" if report.target.unit else ""
    if report.target.value is not None:
        label = f"target: {number(report.target.value)}{unit}"
        handles.append(axes.axhline(report.target.value, color=INK, lw=1.3, ls=":", label=label, zorder=2))
    value = (report.reference or {}).get(report.target.metric, math.nan)
    if math.isfinite(value):
        size = f" ({report.reference_labels:,} labels)" if report.reference_labels else ""
        label = f"trained on the whole pool{size}: {number(value)}{unit}"
        handles.append(axes.axhline(value, color=QUIET, lw=1.3, ls="-.", label=label, zorder=2))
    return handles


def _finish(axes: Axes, report: RunReport, metric: str, *, small: bool = False) -> None:
    unit = f" [{plain(report.target.unit)}]" if report.target.unit and metric == report.target.metric else ""
    better = "higher is better" if report.target.more_is_better else "lower is better"
    if small:
        axes.set_title(plain(metric, 28), loc="left", fontsize=9.5)
        axes.tick_params(labelsize=8.5)
    else:
        axes.set_ylabel(f"{plain(metric)}{unit} on the test split")
        axes.set_title(better, loc="left", fontsize=9, color=QUIET)
    axes.set_xlabel("labels in the training set" if not small else "labels", fontsize=8.5 if small else 10)
    _label_axis(axes, [labels for curve in report.curves for labels, _ in points(curve, metric)], 5 if small else 9)
    quiet_grid(axes, "both" if not small else "y")


def _label_axis(axes: Axes, labels: Sequence[int], most: int) -> None:
    """Logarithmic when the labels span a factor of :data:`LOG_FROM`; ticks stand at rounds' labels, not too many."""
    distinct = sorted(set(labels))
    if distinct and distinct[0] > 0 and distinct[-1] >= LOG_FROM * distinct[0]:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(_spread_ticks(distinct, most))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=most, integer=True))


def _spread_ticks(labels: Sequence[int], most: int) -> list[int]:
    """Labels at least ``1 / most`` of the axis apart in logarithm, the last one always among them."""
    gap = math.log(labels[-1] / labels[0]) / most
    kept = [labels[-1]]
    for each in reversed(labels[:-1]):
        if math.log(kept[-1] / each) >= gap * 0.9:
            kept.append(each)
    return kept[::-1]
