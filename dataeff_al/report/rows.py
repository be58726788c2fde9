"""What the rows of cases share: heading, column titles, the sample's own column, the legend's form."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from dataeff_al.report.model import Case
from dataeff_al.report.pictures import depth_of, draw_sample, has_picture
from dataeff_al.report.style import QUIET, number, plain


def heading(case: Case) -> str:
    """Id, error in words, and the slice shown of a volume."""
    unit = f" {plain(case.unit, 12)}" if case.unit and case.kind in ("field", "values") else ""
    slice_index = depth_of(case)
    where = "" if slice_index is None else f"  ·  slice {slice_index + 1}"
    return f"{plain(case.id, 34)}  ·  {plain(case.error_name, 34)} {number(case.error)}{unit}{where}"


def titled(axes: Axes, title: str) -> Axes:
    """The axes itself, under a small column title."""
    axes.set_title(title, fontsize=8.5, color=QUIET, pad=4)
    return axes


def sample_column(axes: Axes, case: Case, depth: int | None) -> None:
    """The sample under its title, or nothing where it is no picture."""
    if has_picture(case):
        draw_sample(titled(axes, "sample"), case, depth)
    else:
        axes.set_axis_off()


def legend_options(handles: Sequence[Patch]) -> dict[str, Any]:
    """How a legend of patches is set: one line where it fits."""
    options: dict[str, Any] = {"handlelength": 1.1, "handleheight": 1.0, "columnspacing": 1.3, "fontsize": 8.5}
    return {**options, "ncols": max(1, min(8, len(handles)))}
