"""The latent map: where in the data manifold the labels were bought, and how the walkers got there."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Normalize
from matplotlib.lines import Line2D

from dataeff_al.report.model import LatentMap, RunReport
from dataeff_al.report.style import INK, QUIET, new_figure, plain, png, rounds_map

MOST_PATHS = 150
MOST_LETTERS, MOST_NAMES = 2, 400


def latent_map(report: RunReport) -> bytes | None:
    """Pool in grey, labelled samples coloured by round, synthesised ones as stars, trajectories as arrows.

    Classes of short names stand in their samples' places, so that a walk is seen to cross from one to another.
    """
    found = report.latent_map
    if found is None:
        return None
    figure = new_figure(6.0)
    axes = figure.subplots()
    size = 14 if len(found.pool) < 1500 else 7
    axes.scatter(found.pool[:, 0], found.pool[:, 1], s=size, color="#c3cad3", linewidths=0, alpha=0.8, zorder=1)
    colours = _norm(found)
    _draw_paths(axes, found)
    _draw_labelled(axes, found, colours)
    axes.set_xlabel(plain(found.axes[0], 60))
    axes.set_ylabel(plain(found.axes[1], 60))
    axes.tick_params(length=3)
    axes.margins(0.04)
    if len(found.labelled):
        bar = figure.colorbar(ScalarMappable(colours, rounds_map()), ax=axes, pad=0.015, aspect=32, shrink=0.85)
        bar.set_label("round that bought the label")
        bar.set_ticks(_round_ticks(found))
        bar.minorticks_off()
        bar.outline.set_visible(False)
    figure.legend(handles=_legend(found), loc="outside upper left", ncols=4, fontsize=9, handletextpad=0.5)
    return png(figure)


def _rounds(found: LatentMap) -> tuple[int, int]:
    return (int(found.rounds.min()), int(found.rounds.max())) if len(found.rounds) else (0, 0)


def _norm(found: LatentMap) -> Normalize:
    first, last = _rounds(found)
    return BoundaryNorm(np.arange(first - 0.5, last + 1.5), rounds_map().N, extend="neither")


def _round_ticks(found: LatentMap) -> list[int]:
    first, last = _rounds(found)
    return list(range(first, last + 1, max(1, (last - first) // 8)))


def _draw_labelled(axes: Axes, found: LatentMap, colours: Normalize) -> None:
    named = bool(found.names) and len(found.names) <= MOST_NAMES and max(map(len, found.names)) <= MOST_LETTERS
    for mask, marker, size in ((~found.synthesised, "o", 95 if named else 34), (found.synthesised, "*", 130)):
        axes.scatter(
            found.labelled[mask, 0],
            found.labelled[mask, 1],
            c=found.rounds[mask],
            cmap=rounds_map(),
            norm=colours,
            marker=marker,
            s=size,
            edgecolors="white",
            linewidths=0.7,
            zorder=4,
        )
    for (across, up), number, name in zip(found.labelled, found.rounds, found.names if named else (), strict=False):
        ink = "white" if _dark(colours, number) else INK
        axes.text(across, up, plain(name, MOST_LETTERS), ha="center", va="center", fontsize=7, color=ink, zorder=5)


def _dark(colours: Normalize, number: int) -> bool:
    red, green, blue, _ = rounds_map()(colours(number))
    return bool(0.3 * red + 0.59 * green + 0.11 * blue < 0.55)


def _draw_paths(axes: Axes, found: LatentMap) -> None:
    """Trajectories, evenly thinned to :data:`MOST_PATHS`, with an arrow head on the last step that moves."""
    for path in found.paths[:: max(1, -(-len(found.paths) // MOST_PATHS))]:
        axes.plot(*path.T, color=INK, lw=0.9, alpha=0.55, zorder=2)
        moves = np.flatnonzero(np.abs(np.diff(path, axis=0)).sum(axis=1) > 0)
        if not moves.size:
            continue
        start, end = path[moves[-1]], path[moves[-1] + 1]
        arrow = {"arrowstyle": "-|>", "color": INK, "lw": 0.9, "alpha": 0.7, "shrinkA": 0, "shrinkB": 2}
        axes.annotate("", xy=end, xytext=start, arrowprops=arrow, zorder=3)


def _legend(found: LatentMap) -> list[Line2D]:
    dot: Any = {"ls": "", "mec": "white", "mew": 0.7}
    handles = [Line2D([], [], color="#c3cad3", marker="o", ms=4, ls="", label=f"pool ({len(found.pool):,})")]
    chosen = int((~found.synthesised).sum())
    if chosen:
        handles.append(Line2D([], [], color=QUIET, marker="o", ms=6.5, label=f"labelled ({chosen:,})", **dot))
    if chosen < len(found.synthesised):
        made = len(found.synthesised) - chosen
        handles.append(Line2D([], [], color=QUIET, marker="*", ms=12, label=f"synthesised ({made:,})", **dot))
    if len(found.paths):
        handles.append(Line2D([], [], color=INK, lw=1, marker=">", ms=4, label=f"walks ({len(found.paths):,})"))
    return handles
