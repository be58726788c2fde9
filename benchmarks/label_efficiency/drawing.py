"""Learning curves of a study as a picture: each method's median over seeds, and the range of the seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

from benchmarks.harness import Json
from dataeff_al.report.style import MARKERS, SERIES, new_figure, png, quiet_grid, styled

Points = Sequence[Sequence[float]]
_PANEL_IN = 5.6, 4.4


def draw(curves: Json, path: Path) -> None:
    """Write the panels of a result's curves to a PNG file; a paired panel shows the seeds that all its methods have."""
    panels, series = curves["panels"], curves["series"]
    shown = {title: [name for name in names if name in series] for title, names in panels.items()}
    # A method alone is no comparison.
    shown = {title: names for title, names in shown.items() if len(names) > 1}
    with styled():
        figure = new_figure(_PANEL_IN[1], _PANEL_IN[0] * max(len(shown), 1))
        axes = figure.subplots(1, max(len(shown), 1), squeeze=False)[0]
        for each, (title, names) in zip(axes, shown.items(), strict=False):
            methods = {name: series[name] for name in names}
            _panel(each, title, _paired(methods) if title in curves["paired"] else methods, curves)
        path.write_bytes(png(figure))


def _paired(methods: Mapping[str, Mapping[str, Points]]) -> dict[str, dict[str, Points]]:
    shared = set.intersection(*(set(by_seed) for by_seed in methods.values()))
    return {name: {seed: by_seed[seed] for seed in shared or by_seed} for name, by_seed in methods.items()}


def _panel(axes: Axes, title: str, methods: Mapping[str, Mapping[str, Points]], curves: Json) -> None:
    for (name, by_seed), colour, marker in zip(methods.items(), SERIES, MARKERS, strict=False):
        labels, values = _aligned(list(by_seed.values()))
        said = f"{name} ({len(values)}){_unseen(values, *curves['range'])}"
        axes.plot(labels, np.median(values, 0), marker=marker, markersize=4, color=colour, label=said)
        axes.fill_between(labels, values.min(0), values.max(0), alpha=0.15, color=colour, linewidth=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    lowest, highest = curves["range"]
    if highest is not None:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set(title=title, xlabel="labels", ylabel=f"test {curves['metric']}")
    axes.set_ylim(lowest, highest)
    quiet_grid(axes, "both")
    axes.legend(fontsize=8, loc="best", title="method (seeds)", title_fontsize=8)


def _unseen(values: np.ndarray, lowest: float, highest: float | None) -> str:
    """What the legend adds for a curve that lies below what is shown."""
    return f", below {lowest:.0%}" if highest and values.max() < lowest else ""


def _aligned(seeds: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """The labels that all seeds share, and their values there, ``(seeds, points)``."""
    common = sorted(set.intersection(*(set(labels) for labels, _ in seeds)))
    tables = [dict(zip(labels, values, strict=True)) for labels, values in seeds]
    return np.array(common), np.array([[table[at] for at in common] for table in tables])
