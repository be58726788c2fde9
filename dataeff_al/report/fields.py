"""Fields beside the truth: sample, truth and prediction on one colour scale, and their difference.

Placed by hand: the columns of all rows stand under each other, however wide the numbers at the colour bars are.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from dataeff_al.report.model import Case
from dataeff_al.report.pictures import depth_of, draw_field, legend_of, plane
from dataeff_al.report.rows import heading, legend_options, sample_column, titled
from dataeff_al.report.style import QUIET, WIDTH_IN, new_figure, plain

_ROW_IN, _PICTURE_IN = 2.4, 1.72
_COLUMNS_IN = (0.08, 1.88, 3.68, 6.05)


def field_figure(cases: Sequence[Case]) -> Figure:
    """One row a case, with the legend of the samples' codes below."""
    codes = [case.image for case in cases if case.image is not None and case.image_kind == "codes"]
    heights = [_ROW_IN] * len(cases) + [0.4] * bool(codes)
    figure = new_figure(sum(heights))
    figure.set_layout_engine("none")
    rows = list(figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
    for row, case in zip(rows, cases, strict=False):
        row.text(0.012, 1 - 0.1 / _ROW_IN, heading(case), va="top", fontsize=9.5, weight="bold")
        _field_row(row, case)
    if codes:
        handles = legend_of(codes, cases[0].image_classes, background=True)
        rows[-1].legend(handles=handles, loc="center", **legend_options(handles))
    return figure


def _place(row: SubFigure, left_in: float, width_in: float = _PICTURE_IN, shrink: float = 1.0) -> Axes:
    """An axes at a fixed place in a row of fields, ``shrink`` times as high as a picture."""
    height = _PICTURE_IN * shrink
    bottom = 0.12 + (_PICTURE_IN - height) / 2
    return row.add_axes((left_in / WIDTH_IN, bottom / _ROW_IN, width_in / WIDTH_IN, height / _ROW_IN))


def _field_row(row: SubFigure, case: Case) -> None:
    depth, channel = depth_of(case), worst_channel(case)
    truth = plane(case.truth[channel], depth).astype(np.float64)
    guess = np.where(np.isfinite(truth), plane(case.prediction[channel], depth), np.nan)
    name = f" ({plain(case.channels[channel], 20)})" if len(case.channels) > 1 else ""
    sample, left, right, error = (_place(row, at) for at in _COLUMNS_IN)
    sample_column(sample, case, depth)
    low, high = _field_range(truth)
    draw_field(titled(left, f"truth{name}"), truth, "magma", low, high)
    image = draw_field(titled(right, f"prediction{name}"), guess, "magma", low, high)
    _bar(row, image, _COLUMNS_IN[2], case.unit, _extend(np.stack([guess, truth]), low, high))
    spread = _spread(guess - truth)
    image = draw_field(titled(error, "prediction − truth"), guess - truth, "RdBu_r", -spread, spread)
    _bar(row, image, _COLUMNS_IN[3], case.unit, _extend(guess - truth, -spread, spread))


def worst_channel(case: Case) -> int:
    """The channel with the largest squared error."""
    squared = np.nan_to_num((case.prediction - case.truth) ** 2)
    return int(np.argmax(squared.reshape(len(squared), -1).sum(axis=1)))


def _field_range(truth: np.ndarray) -> tuple[float, float]:
    """Colour range from the truth, its highest half percent cut off: peaks would leave the rest black."""
    known = truth[np.isfinite(truth)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(min(0.0, np.percentile(known, 0.5))), float(np.percentile(known, 99.5))
    return (low, high) if high > low else (low, low + 1.0)


def _spread(error: np.ndarray) -> float:
    known = np.abs(error[np.isfinite(error)])
    top = float(np.percentile(known, 99)) if known.size else 0.0
    return top if top > 0 else 1.0


def _extend(values: np.ndarray, low: float, high: float) -> str:
    """At which ends of a colour bar values lie beyond it."""
    known = values[np.isfinite(values)]
    below, above = bool((known < low).any()), bool((known > high).any())
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[below, above]


def _bar(row: SubFigure, image: AxesImage, column_in: float, unit: str, extend: str) -> None:
    """The colour bar to the right of the picture that starts at ``column_in``."""
    place = _place(row, column_in + _PICTURE_IN + 0.07, 0.09, shrink=0.92)
    bar = row.colorbar(image, cax=place, extend=extend, extendfrac=0.05)
    bar.locator = MaxNLocator(nbins=5)
    bar.update_ticks()
    bar.ax.tick_params(labelsize=8, length=2)
    bar.outline.set_visible(False)
    place.set_title(plain(unit, 16), fontsize=8, color=QUIET, pad=4, loc="left")
