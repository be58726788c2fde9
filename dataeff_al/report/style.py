"""How every figure looks: colours that colour-blind readers can tell apart, one font, quiet axes."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure

DPI = 120
WIDTH_IN = 8.4
INK, QUIET, FAINT, PAPER = "#1f2933", "#5f6b7a", "#d9dee4", "#ffffff"
NO_DATA = "#eef1f4"

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#4d4d4d")
"""Okabe and Ito (2008), darkest contrast first: the campaign itself is blue."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")

PHASE_COLOURS = {
    "propose": "#0072b2",
    "label": "#e69f00",
    "train": "#009e73",
    "evaluate": "#cc79a7",
    "own": "#4d4d4d",
}

GOOD, BAD = "#00704f", "#b34700"

_FONT = "DejaVu Sans"
_STYLE = {
    "font.family": _FONT,
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "image.interpolation": "nearest",
}


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib's defaults and this style, whatever the user's matplotlibrc says; restored afterwards."""
    settings: Any = {
        key: value for key, value in mpl.rcParamsDefault.items() if not key.startswith(("backend", "date"))
    }
    settings.update(_STYLE)
    with mpl.rc_context(settings):
        yield


def new_figure(height_in: float, width_in: float = WIDTH_IN) -> Figure:
    """An empty figure with its own canvas, outside pyplot's registry."""
    figure = Figure(figsize=(width_in, height_in), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as PNG bytes; the same figure gives the same bytes."""
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


def quiet_grid(axes: Axes, axis: Any = "y") -> None:
    """A faint grid behind the data."""
    axes.grid(visible=True, axis=axis)
    axes.tick_params(length=3)


def picture_axes(axes: Axes) -> None:
    """An axes that only frames a picture."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(FAINT)


def rounds_map() -> Colormap:
    """Dark to light over rounds, without the yellow that vanishes on white."""
    viridis = mpl.colormaps["viridis"]
    return LinearSegmentedColormap.from_list("rounds", [viridis(0.88 * i / 32) for i in range(33)])


@cache
def _glyphs() -> Any:
    return font_manager.get_font(font_manager.findfont(_FONT))


def plain(text: str, limit: int = 40) -> str:
    """Text that the font can draw on one line: other characters become ``?``, long text ends in an ellipsis."""
    line = " ".join(text.split())
    drawn = "".join(char if _glyphs().get_char_index(ord(char)) else "?" for char in line[: limit + 1])
    return drawn if len(drawn) <= limit else f"{drawn[: limit - 1]}…"


def number(value: float) -> str:
    """Three significant digits, without an exponent for everyday sizes."""
    if value != value:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.3g}"
    return f"{value:.3g}" if value == 0 or abs(value) >= 1e-4 else f"{value:.1e}"
