"""One sample beside its label, for labelers that draw no pictures of their own."""

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dataeff_al.report.model import Case
from dataeff_al.report.pictures import (
    class_name,
    depth_of,
    draw_field,
    draw_overlay,
    draw_sample,
    has_picture,
    legend_of,
    plane,
)
from dataeff_al.report.rows import legend_options, sample_column, titled
from dataeff_al.report.style import SERIES, new_figure, plain, png, quiet_grid, styled

MOST_CHANNELS = 4
_COLUMN_IN = 2.6


def answer_picture(case: Case) -> bytes:
    """PNG of the case's sample and truth; its prediction is not looked at."""
    with styled():
        figure = _PAINTERS[case.kind](case)
        figure.suptitle(_title(case), x=0.012, ha="left", fontsize=9.5, weight="bold")
        return png(figure)


def _title(case: Case) -> str:
    depth = depth_of(case)
    return plain(case.id, 60) + ("" if depth is None else f"  ·  slice {depth + 1}")


def _columns(case: Case, count: int, extra_in: float = 0.0) -> tuple[Figure, list[Axes]]:
    """A row of ``count`` axes, the sample in the first one where it is a picture."""
    pictured = has_picture(case)
    figure = new_figure(_COLUMN_IN + 0.35 + extra_in, width_in=_COLUMN_IN * (count + pictured) + 0.4)
    axes = list(figure.subplots(1, count + pictured, squeeze=False)[0])
    if pictured:
        sample_column(axes[0], case, depth_of(case))
    return figure, axes[pictured:]


def _class_picture(case: Case) -> Figure:
    name = plain(class_name(case.classes, int(case.truth)), 30)
    if has_picture(case):
        figure = new_figure(_COLUMN_IN + 0.35, width_in=_COLUMN_IN + 0.4)
        draw_sample(titled(figure.subplots(), name), case, depth_of(case))
        return figure
    figure, (axes,) = _columns(case, 1)
    axes.text(0.5, 0.5, name, ha="center", va="center", fontsize=14)
    axes.set_axis_off()
    return figure


def _mask_picture(case: Case) -> Figure:
    figure, (axes,) = _columns(case, 1, extra_in=0.35)
    codes = plane(case.truth, depth_of(case))
    draw_overlay(titled(axes, "label"), case, codes, depth_of(case))
    handles = legend_of([codes], case.classes, background=False)
    if handles:
        figure.legend(handles=handles, loc="outside lower center", **legend_options(handles))
    return figure


def _field_picture(case: Case) -> Figure:
    channels = range(min(len(case.truth), MOST_CHANNELS))
    figure, axes = _columns(case, len(channels))
    for place, channel in zip(axes, channels, strict=True):
        values = plane(case.truth[channel], depth_of(case))
        low, high = _range(values)
        image = draw_field(titled(place, plain(class_name(case.channels, channel), 24)), values, "magma", low, high)
        bar = figure.colorbar(image, ax=place, shrink=0.8, pad=0.02)
        bar.ax.set_title(plain(case.unit, 12), fontsize=8)
        bar.ax.tick_params(labelsize=8, length=2)
        bar.outline.set_visible(False)
    return figure


def _range(values: np.ndarray) -> tuple[float, float]:
    """The values' own range; peaks are cut off at 99.5 %, because one would leave the rest black."""
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(min(0.0, known.min())), float(np.percentile(known, 99.5))
    return (low, high) if high > low else (low, low + 1.0)


def _values_picture(case: Case) -> Figure:
    figure, (axes,) = _columns(case, 1)
    at = np.arange(case.truth.size)
    axes.barh(at, np.ravel(case.truth), 0.65, color=SERIES[0])
    if len(at) <= 12:
        axes.set_yticks(at, [plain(class_name(case.channels, int(i)), 20) for i in at])
    axes.invert_yaxis()
    axes.set_xlabel(plain(case.unit, 20), fontsize=8.5)
    quiet_grid(axes, "x")
    return figure


_PAINTERS: Mapping[str, Callable[[Case], Figure]] = {
    "class": _class_picture,
    "mask": _mask_picture,
    "field": _field_picture,
    "values": _values_picture,
}
