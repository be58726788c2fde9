"""Learning curves of a study as a picture: each method's median over seeds, and the range of the seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, ScalarFormatter

from benchmarks.harness import Json

Points = Sequence[Sequence[float]]
_DPI = 110


def draw(curves: Json, path: Path) -> None:
    """Write the panels of a result's curves to a PNG file."""
    panels, series = curves["panels"], curves["series"]
    shown = {title: [name for name in names if name in series] for title, names in panels.items()}
    shown = {title: names for title, names in shown.items() if names}
    figure = Figure(figsize=(5.6 * max(len(shown), 1), 4.2), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, max(len(shown), 1), squeeze=False)[0]
    for each, (title, names) in zip(axes, shown.items(), strict=False):
        _panel(each, title, {name: series[name] for name in names}, curves["floor"])
    figure.savefig(path)


def _panel(axes: Axes, title: str, methods: Mapping[str, Mapping[str, Points]], floor: float) -> None:
    for name, by_seed in methods.items():
        labels, values = _aligned(list(by_seed.values()))
        (line,) = axes.plot(labels, np.median(values, 0), marker="o", markersize=3, label=f"{name} ({len(values)})")
        axes.fill_between(labels, values.min(0), values.max(0), alpha=0.15, color=line.get_color(), linewidth=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set(title=title, xlabel="labels", ylabel="test accuracy")
    axes.set_ylim(bottom=floor)
    axes.grid(alpha=0.3, which="both", linewidth=0.4)
    axes.legend(fontsize=8, loc="lower right", title="method (seeds)", title_fontsize=8)


def _aligned(seeds: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """The labels that all seeds share, and their values there, ``(seeds, points)``."""
    common = sorted(set.intersection(*(set(labels) for labels, _ in seeds)))
    tables = [dict(zip(labels, values, strict=True)) for labels, values in seeds]
    return np.array(common), np.array([[table[at] for at in common] for table in tables])
