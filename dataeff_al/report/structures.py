"""How well every structure is found: box plots of Dice by group, the campaign beside its twins."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.patches import Patch

from dataeff_al.report.curves import by_name
from dataeff_al.report.model import Curve, RunReport
from dataeff_al.report.style import INK, SERIES, new_figure, plain, png, quiet_grid

MOST_CURVES = 6


def structure_boxes(report: RunReport) -> bytes | None:
    """One box a group and paradigm, over structures (and repeats); None when nothing is grouped or measured."""
    curves = list(by_name(report.curves).items())[:MOST_CURVES]
    found = {name: _dice(each, report.structures) for name, each in curves}
    groups = [group for group in report.structures if any(found[name][group] for name in found)]
    if not groups:
        return None
    figure = new_figure(3.4)
    axes = figure.subplots()
    width = 0.8 / len(found)
    for place, values in enumerate(found.values()):
        at = np.arange(len(groups)) - 0.4 + width * (place + 0.5)
        axes.boxplot([values[group] or [np.nan] for group in groups], positions=at, **_box(width, place))
    axes.set_xticks(range(len(groups)), [_named(group, report.structures) for group in groups])
    axes.set_xlim(-0.5, len(groups) - 0.5)
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel("test Dice")
    quiet_grid(axes, "y")
    handles = [Patch(color=SERIES[place % len(SERIES)], label=plain(name, 24)) for place, name in enumerate(found)]
    figure.legend(handles=handles, loc="outside upper left", ncols=min(6, len(handles)), fontsize=8.5)
    return png(figure)


def _dice(curves: Sequence[Curve], groups: Mapping[str, Sequence[str]]) -> dict[str, list[float]]:
    """The test Dice of each group's structures under the final models of a paradigm."""
    last = [curve.rounds[-1].test for curve in curves if curve.rounds]
    return {
        group: [test[f"dice/{name}"] for test in last for name in names if f"dice/{name}" in test]
        for group, names in groups.items()
    }


def _named(group: str, groups: Mapping[str, Sequence[str]]) -> str:
    return f"{plain(group, 24)} ({len(groups[group])})"


def _box(width: float, place: int) -> dict[str, Any]:
    colour = SERIES[place % len(SERIES)]
    return {
        "widths": 0.8 * width,
        "patch_artist": True,
        "manage_ticks": False,
        "boxprops": {"facecolor": colour, "edgecolor": INK, "linewidth": 0.8},
        "medianprops": {"color": INK, "linewidth": 1.4},
        "flierprops": {"marker": "o", "markersize": 2.5, "markeredgecolor": INK, "alpha": 0.6},
        "whiskerprops": {"linewidth": 0.8},
        "capprops": {"linewidth": 0.8},
    }
