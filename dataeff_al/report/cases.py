"""The best and the worst predictions beside the truth, one row a sample, drawn as their kind of target asks for."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch

from dataeff_al.report.fields import field_figure
from dataeff_al.report.model import Case, RunReport
from dataeff_al.report.pictures import (
    class_name,
    depth_of,
    draw_intensity,
    draw_overlay,
    draw_sample,
    has_picture,
    legend_of,
    plane,
)
from dataeff_al.report.rows import heading, legend_options, sample_column, titled
from dataeff_al.report.style import (
    BAD,
    GOOD,
    INK,
    NO_DATA,
    SERIES,
    WIDTH_IN,
    new_figure,
    plain,
    png,
    quiet_grid,
)

MOST_ROWS, MOST_TILES = 3, 12


def best_predictions(report: RunReport) -> bytes | None:
    """The test samples that the final model gets most right; None when there are none."""
    return _figure(report.best)


def worst_predictions(report: RunReport) -> bytes | None:
    """The test samples that the final model gets most wrong; None when there are none."""
    return _figure(report.worst)


def _figure(cases: Sequence[Case]) -> bytes | None:
    return png(_PAINTERS[cases[0].kind](cases)) if cases else None


def _rows(cases: Sequence[Case], height_in: float, extra_in: float = 0.0) -> tuple[Figure, list[SubFigure]]:
    """One subfigure with a heading for each case."""
    figure = new_figure(height_in * len(cases) + extra_in)
    rows = list(figure.subfigures(len(cases), 1, squeeze=False)[:, 0])
    for row, case in zip(rows, cases, strict=True):
        row.suptitle(heading(case), x=0.012, ha="left", fontsize=9.5, color=INK, weight="bold")
    return figure, rows


def _mask_figure(cases: Sequence[Case]) -> Figure:
    cases = cases[:MOST_ROWS]
    figure, rows = _rows(cases, 2.6, 0.4)
    shown: list[np.ndarray] = []
    for row, case in zip(rows, cases, strict=True):
        shown += _mask_row(row, case)
    handles = [*legend_of(shown, cases[0].classes, background=False), Patch(color=BAD, label="wrong")]
    figure.legend(handles=handles, loc="outside lower center", **legend_options(handles))
    return figure


def _mask_row(row: SubFigure, case: Case) -> list[np.ndarray]:
    depth = depth_of(case)
    truth, guess = plane(case.truth, depth), plane(case.prediction, depth)
    sample, left, right, wrong = row.subplots(1, 4)
    sample_column(sample, case, depth)
    draw_overlay(titled(left, "truth"), case, truth, depth)
    draw_overlay(titled(right, "prediction"), case, guess, depth)
    draw_intensity(titled(wrong, f"wrong: {np.mean(truth != guess):.1%} of pixels"), np.zeros(truth.shape))
    wrong.imshow(_wrong_layer(truth, guess))
    return [truth, guess]


def _wrong_layer(truth: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """RGB ``(h, w, 3)``: pale background, grey where foreground is right, strong colour where anything is wrong."""
    colours = {"pale": NO_DATA, "right": "#b8c0ca", "wrong": BAD}
    rgb = {name: [int(value[i : i + 2], 16) / 255 for i in (1, 3, 5)] for name, value in colours.items()}
    layer = np.full((*truth.shape, 3), rgb["pale"])
    layer[(truth == guess) & (truth > 0)] = rgb["right"]
    layer[truth != guess] = rgb["wrong"]
    return layer


def _class_figure(cases: Sequence[Case]) -> Figure:
    cases = cases[:MOST_TILES]
    columns = min(6, len(cases))
    rows = math.ceil(len(cases) / columns)
    figure = new_figure(1.95 * rows, width_in=WIDTH_IN * max(columns, 3) / 6)
    tiles = figure.subplots(rows, columns, squeeze=False)
    for axes, case in zip(tiles.flat, cases, strict=False):
        _class_tile(axes, case)
    for axes in list(tiles.flat)[len(cases) :]:
        axes.set_axis_off()
    return figure


def _class_tile(axes: Axes, case: Case) -> None:
    truth, guess = int(case.truth), int(np.argmax(case.prediction))
    right = truth == guess
    if has_picture(case):
        draw_sample(axes, case, depth_of(case))
    else:
        _probability_bars(axes, case)
    for spine in axes.spines.values():
        spine.set_color(GOOD if right else BAD)
        spine.set_linewidth(1.6)
    share = f"{float(np.max(case.prediction)):.0%}"
    said = f"{'✓' if right else '✗'} {plain(class_name(case.classes, guess), 14)} ({share})"
    axes.set_title(
        f"{said}\ntrue: {plain(class_name(case.classes, truth), 14)}", fontsize=8.5, color=GOOD if right else BAD
    )


def _probability_bars(axes: Axes, case: Case) -> None:
    """The likeliest five classes, for samples that are no picture."""
    order = np.argsort(-case.prediction, kind="stable")[:5]
    axes.barh(range(len(order)), case.prediction[order], 0.65, color=SERIES[0])
    axes.set_yticks(range(len(order)), [plain(class_name(case.classes, int(code)), 8) for code in order], fontsize=7.5)
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.invert_yaxis()
    for spine in axes.spines.values():
        spine.set_visible(True)


def _values_figure(cases: Sequence[Case]) -> Figure:
    cases = cases[:MOST_ROWS]
    longest = max(case.truth.size for case in cases)
    figure, rows = _rows(cases, min(3.4, 1.25 + 0.2 * min(longest, 12)))
    for row, case in zip(rows, cases, strict=True):
        _values_row(row, case)
    return figure


def _values_row(row: SubFigure, case: Case) -> None:
    if has_picture(case):
        sample, axes = row.subplots(1, 2, width_ratios=[1, 3])
        draw_sample(titled(sample, "sample"), case, depth_of(case))
    else:
        axes = row.subplots()
    truth, guess = np.ravel(case.truth), np.ravel(case.prediction)
    at = np.arange(len(truth))
    axes.hlines(at, np.minimum(truth, guess), np.maximum(truth, guess), color="#c3cad3", lw=2.5, zorder=1)
    axes.plot(truth, at, "o", ms=8, mfc="white", mec=INK, mew=1.5, label="truth", zorder=2)
    axes.plot(guess, at, "X", ms=7, color=SERIES[1], mec="white", mew=0.6, label="prediction", zorder=3)
    names = [plain(class_name(case.channels, int(i)), 20) for i in at] if len(at) <= 12 else None
    if names:
        axes.set_yticks(at, names)
    axes.set_ylim(len(truth) - 0.4, -0.6)
    axes.set_xlabel(plain(case.unit, 20), fontsize=8.5)
    axes.margins(x=0.08)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5)
    quiet_grid(axes, "x")


_PAINTERS: Mapping[str, Callable[[Sequence[Case]], Figure]] = {
    "class": _class_figure,
    "mask": _mask_figure,
    "field": lambda cases: field_figure(cases[:MOST_ROWS]),
    "values": _values_figure,
}
