"""Where the time and the budget went."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dataeff_al.report.model import PHASES, Cost, RunReport
from dataeff_al.report.style import FAINT, INK, PHASE_COLOURS, QUIET, SERIES, new_figure, number, plain, png, quiet_grid

PHASE_WORDS: Mapping[str, str] = {
    "propose": "propose",
    "label": "label",
    "train": "train",
    "evaluate": "evaluate",
    "own": "own overhead",
}


def time_per_round(report: RunReport) -> bytes | None:
    """Seconds of the campaign's own rounds, stacked by phase; None when nothing was timed."""
    rounds = report.curves[0].rounds if report.curves else ()
    if not any(sum(each.seconds.values()) > 0 for each in rounds):
        return None
    figure = new_figure(3.4)
    axes = figure.subplots()
    at, base = [each.round for each in rounds], [0.0] * len(rounds)
    for phase in PHASES:
        seconds = [float(each.seconds.get(phase, 0.0)) for each in rounds]
        label = f"{PHASE_WORDS[phase]} ({number(sum(seconds))} s)"
        axes.bar(at, seconds, 0.72, bottom=base, color=PHASE_COLOURS[phase], label=label, edgecolor="white", lw=0.5)
        base = [low + more for low, more in zip(base, seconds, strict=True)]
    axes.set_xlabel("round")
    axes.set_ylabel("seconds")
    axes.set_xlim(min(at) - 0.7, max(at) + 0.7)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=14, integer=True))
    quiet_grid(axes)
    figure.legend(loc="outside lower center", ncols=5, fontsize=9, handlelength=1.1, columnspacing=1.4)
    return png(figure)


def cost_bars(report: RunReport) -> bytes | None:
    """The budget as one stacked bar, and what lies outside it as further bars; None when nothing was counted."""
    cost = report.cost
    outside = {"evaluation": cost.evaluation, "extra": cost.extra}
    if not any((cost.budget, cost.spent, cost.wasted, cost.reserved, *outside.values())):
        return None
    figure = new_figure(1.9 + 0.35 * sum(1 for value in outside.values() if value))
    axes = figure.subplots()
    _budget_bar(axes, cost)
    names = ["budget"]
    for name, value in outside.items():
        if value:
            axes.barh(len(names), value, 0.6, color=SERIES[3] if name == "evaluation" else SERIES[6])
            place: Any = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(f"{value:,}", (value, len(names)), fontsize=9, color=QUIET, **place)
            names.append(name)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.08)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"unit: {plain(cost.unit)}")
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    quiet_grid(axes, "x")
    figure.legend(loc="outside lower center", ncols=4, fontsize=9, handlelength=1.1)
    return png(figure)


def _budget_bar(axes: Axes, cost: Cost) -> None:
    left = max(0, cost.budget - cost.spent - cost.wasted - cost.reserved)
    parts = (
        ("spent", cost.spent, SERIES[0], "white"),
        ("wasted", cost.wasted, SERIES[1], "white"),
        ("reserved", cost.reserved, SERIES[4], INK),
        ("left", left, FAINT, INK),
    )
    start = 0
    for name, value, colour, ink in parts:
        axes.barh(0, value, 0.6, left=start, color=colour, label=f"{name} ({value:,})", edgecolor="white", lw=0.6)
        if value >= 0.06 * max(cost.budget, 1):
            axes.text(start + value / 2, 0, f"{value:,}", ha="center", va="center", color=ink, fontsize=9)
        start += value
