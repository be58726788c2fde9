"""The panels of a picture: tissues, mesh, and a stress map with its peak."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from dataeff_al.report.pictures import TISSUE_COLOURS, colour_of
from dataeff_al.report.style import INK, PAPER, QUIET, SERIES, number
from dataeff_al.vessel.raster import pixel_centres
from dataeff_al.vessel.tissues import LUMEN, OUTSIDE, TISSUES
from labelers.fem_stress.settings import StressSettings

HEADINGS = {"first_principal": "First principal stress", "von_mises": "Von Mises stress"}
"""Channels that a picture shows, with their headings."""

MAP = "viridis"
"""Even in lightness, so that it reads in grey and for colour-blind readers."""

PALE = 0.75
"""How much white is mixed into the tissues under the mesh."""

TOP_PERCENT = 99.5
"""Percentile at which the colours end: one peak would leave the rest dark."""

ROOMY = 0.36
"""Least width of a lumen, as a share of the panel, that holds the text about the peak."""

Window = tuple[float, float, float, float]
"""Left, right, bottom, top of a panel."""


@dataclass(frozen=True)
class Scene:
    """What a picture shows: mask ``(h, w)`` of tissue codes, nodes ``(lines, rings, 2)`` mm, maps ``(h, w)`` kPa."""

    name: str
    mask: np.ndarray
    pixel_size_mm: float
    nodes: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 2)))
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    settings: StressSettings = field(default_factory=StressSettings)
    notes: Mapping[str, str] = field(default_factory=dict)


def class_name(code: int) -> str:
    """The name of a tissue code, or what it is when it is none."""
    return TISSUES[code] if 0 <= code < len(TISSUES) else f"code {code}: no tissue"


def codes_in(mask: np.ndarray) -> list[int]:
    """Codes that occur; the first nine where a mask is anything but codes."""
    return [int(code) for code in np.unique(mask)[:9]]


def tissue_patches(names: Mapping[int, str]) -> list[Patch]:
    """Legend entries: text by code."""
    return [
        Patch(facecolor=colour_of(TISSUES, code), edgecolor=QUIET, lw=0.5, label=name) for code, name in names.items()
    ]


def tissue_panel(axes: Axes, scene: Scene, heading: str = "Section") -> None:
    """The mask in its tissues' colours."""
    axes.set_title(heading, loc="left", weight="bold")
    axes.imshow(_coloured(scene.mask), extent=extent_of(scene.mask, scene.pixel_size_mm))


def mesh_panel(axes: Axes, scene: Scene) -> None:
    """Element sides over pale tissues."""
    axes.set_title("Mesh", loc="left", weight="bold")
    pale = PALE + (1 - PALE) * _coloured(scene.mask)
    axes.imshow(pale, extent=extent_of(scene.mask, scene.pixel_size_mm))
    rings = np.concatenate([scene.nodes, scene.nodes[:1]])[:, ::2].transpose(1, 0, 2)
    rays = scene.nodes[::2]
    axes.add_collection(LineCollection([*rings, *rays], colors=INK, linewidths=min(0.6, 60 / len(rays))))
    axes.add_collection(LineCollection([rings[0], rings[-1]], colors=INK, linewidths=1.3))


def stress_panel(figure: Figure, axes: Axes, scene: Scene, channel: str) -> None:
    """A channel's map with a colour bar in kPa and a mark at its highest pixel."""
    axes.set_title(HEADINGS[channel], loc="left", weight="bold")
    values, extent = scene.maps[channel], extent_of(scene.mask, scene.pixel_size_mm)
    low, high = _range(values)
    axes.imshow(_coloured(np.where(scene.mask == LUMEN, LUMEN, OUTSIDE)), extent=extent)
    image = axes.imshow(np.ma.masked_invalid(values), cmap=MAP, vmin=low, vmax=high, extent=extent)
    ends = "max" if np.nanmax(values) > high else "neither"
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", pad=0.02, shrink=0.66, aspect=26, extend=ends)
    bar.set_label("kPa", fontsize=9)
    bar.ax.tick_params(labelsize=8, length=2)
    bar.outline.set_visible(False)
    _mark_peak(axes, scene, values)


def _mark_peak(axes: Axes, scene: Scene, values: np.ndarray) -> None:
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    x, y = pixel_centres((values.shape[0], values.shape[1]), scene.pixel_size_mm)
    at = (float(x[column]), float(y[row]))
    axes.plot(*at, "o", ms=11, mfc="none", mec=PAPER, mew=3.2, zorder=5)
    axes.plot(*at, "o", ms=11, mfc="none", mec=SERIES[1], mew=1.6, zorder=6)
    axes.annotate(
        f"peak {number(float(values[row, column]))} kPa\n({class_name(int(scene.mask[row, column]))})",
        xy=at,
        xytext=_place_of_text(scene, at),
        ha="center",
        va="center",
        fontsize=8.5,
        zorder=7,
        bbox={"boxstyle": "round,pad=0.3", "fc": PAPER, "ec": SERIES[1], "lw": 0.8, "alpha": 0.92},
        arrowprops={"arrowstyle": "-", "color": SERIES[1], "lw": 1.2, "shrinkB": 6},
    )


def _place_of_text(scene: Scene, at: tuple[float, float]) -> tuple[float, float]:
    """The middle of the lumen where the text fits, else the panel's corner nearest to the peak."""
    lumen, window = scene.nodes[:, 0], window_of(scene)
    middle, width = lumen.mean(axis=0), window[1] - window[0]
    if (lumen.max(axis=0) - lumen.min(axis=0)).min() > ROOMY * width:
        return float(middle[0]), float(middle[1])
    x = window[0] + 0.18 * width if at[0] < middle[0] else window[1] - 0.18 * width
    return x, window[3] + 0.08 * width if at[1] < middle[1] else window[2] - 0.08 * width


def _range(values: np.ndarray) -> tuple[float, float]:
    """From zero, or the least values below it, to the percentile TOP_PERCENT."""
    known = values[np.isfinite(values)]
    low, high = (float(np.percentile(known, share)) for share in (100 - TOP_PERCENT, TOP_PERCENT))
    low = min(0.0, low)
    return (low, high) if high > low else (low, low + 1.0)


def _coloured(mask: np.ndarray) -> np.ndarray:
    """The mask in its tissues' colours ``(h, w, 3)``."""
    picture = np.tile(np.array(to_rgb(TISSUE_COLOURS["outside"])), (*mask.shape, 1))
    for code in np.unique(mask):
        picture[mask == code] = to_rgb(colour_of(TISSUES, int(code)))
    return picture


def extent_of(plane: np.ndarray, pixel_size_mm: float) -> Window:
    """The whole raster ``(h, w)``, mm."""
    h, w = plane.shape[0] * pixel_size_mm / 2, plane.shape[1] * pixel_size_mm / 2
    return -w, w, h, -h


def window_of(scene: Scene) -> Window:
    """The square around the mesh with a small margin, mm."""
    points = scene.nodes.reshape(-1, 2)
    low, high = points.min(axis=0), points.max(axis=0)
    (x, y), half = (low + high) / 2, 0.55 * float((high - low).max())
    return float(x - half), float(x + half), float(y + half), float(y - half)


def framed(axes: Axes, window: Window, unit: str) -> None:
    """Axes with a frame, equal scales and the unit."""
    axes.set_xlim(window[0], window[1])
    axes.set_ylim(window[2], window[3])
    axes.set_aspect("equal")
    axes.set_facecolor(TISSUE_COLOURS["outside"])
    axes.set_xlabel(f"x ({unit})", fontsize=9)
    axes.set_ylabel(f"y ({unit})", fontsize=9)
    axes.tick_params(length=3, labelsize=8)
    axes.spines[["top", "right"]].set_visible(True)
