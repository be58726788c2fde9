"""Pictures of a pullback: frames with borders, the longitudinal cut, measures along the vessel."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dataeff_al.report.style import FAINT, INK, QUIET, SERIES, new_figure, picture_axes, plain, png, quiet_grid, styled
from labelers.ivus.borders import Borders
from labelers.ivus.polar import middle, to_polar
from labelers.ivus.pullback import Pullback
from labelers.ivus.table import Table

LUMEN, EEM, CALCIUM = "#ffb000", "#38c6ff", "#ff5fa2"
"""Borders over grey: told apart by readers with any colour blindness, and by line style where bridged."""
CUT_ANGLES_DEG = (0.0, 90.0)


def frames_picture(pullback: Pullback, borders: Borders, title: str = "", most: int = 6) -> bytes:
    """Up to ``most`` frames, evenly chosen, with their borders, as PNG bytes."""
    chosen = np.unique(np.linspace(0, len(borders) - 1, min(most, len(borders))).round().astype(int))
    columns = min(len(chosen), 3)
    rows = -(-len(chosen) // columns)
    with styled():
        figure = new_figure(2.75 * rows + 0.55)
        axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
        for ax in axes[len(chosen) :]:
            ax.set_axis_off()
        for ax, frame in zip(axes, chosen, strict=False):
            draw_frame(ax, pullback, borders, int(frame))
        figure.legend(handles=_legend(), loc="outside lower center", ncols=5, fontsize=9)
        if title:
            figure.suptitle(plain(title, 70), fontsize=10)
        return png(figure)


def draw_frame(axes: Axes, pullback: Pullback, borders: Borders, frame: int) -> None:
    """One frame with lumen, EEM and calcium, cut to twice the vessel; bridged parts are dotted."""
    h, w = np.array(pullback.frames.shape[1:]) * pullback.pixel_size_mm / 2
    low, high = pullback.frames.min(), pullback.frames.max()
    axes.imshow(pullback.frames[frame], cmap="gray", extent=(-w, w, h, -h), vmin=low, vmax=high)
    for contour, seen, colour in (
        (borders.lumen_mm[frame], borders.lumen_seen[frame], LUMEN),
        (borders.eem_mm[frame], borders.eem_seen[frame], EEM),
    ):
        _draw_border(axes, contour, seen, borders.centre_mm, colour)
    for arc in borders.calcium[frame]:
        axes.fill(*arc.polygon_mm.T, facecolor=CALCIUM, alpha=0.45, edgecolor=CALCIUM, lw=0.8)
    reach = min(1.6 * np.abs(borders.eem_mm[frame]).max(), max(h, w))
    axes.set_xlim(-reach, reach)
    axes.set_ylim(reach, -reach)
    picture_axes(axes)
    axes.set_facecolor("black")
    bar = 1.0
    axes.plot([-0.93 * reach, -0.93 * reach + bar], [0.92 * reach] * 2, color="white", lw=2)
    axes.text(-0.93 * reach, 0.87 * reach, "1 mm", color="white", fontsize=7, va="bottom")
    axes.set_title(f"frame {frame}   confidence {borders.confidence[frame]:.2f}", fontsize=8.5)


def _draw_border(axes: Axes, contour: np.ndarray, seen: np.ndarray, centre: np.ndarray, colour: str) -> None:
    at = contour - centre
    place = np.rint(np.arctan2(at[:, 1], at[:, 0]) / (2 * np.pi) * len(seen)).astype(int) % len(seen)
    closed, known = np.vstack([contour, contour[:1]]), np.append(seen[place], seen[place[0]])
    for shown, style in ((known, "-"), (~known, ":")):
        both = shown | np.roll(shown, 1) | np.roll(shown, -1) if style == ":" else shown
        axes.plot(*np.where(both[:, None], closed, np.nan).T, color=colour, lw=1.2, ls=style)


def _legend() -> list[Line2D | Patch]:
    lines = [Line2D([], [], color=c, lw=1.6, label=name) for name, c in (("lumen", LUMEN), ("EEM", EEM))]
    bridged = Line2D([], [], color=QUIET, lw=1.6, ls=":", label="bridged, not seen")
    return [*lines, bridged, Patch(facecolor=CALCIUM, alpha=0.6, label="calcium")]


def cut_picture(pullback: Pullback, borders: Borders, title: str = "") -> bytes:
    """Longitudinal cuts through the catheter at two angles, both borders along them, as PNG bytes."""
    with styled():
        figure = new_figure(5.2)
        axes = figure.subplots(len(CUT_ANGLES_DEG), 1, sharex=True)
        for ax, angle in zip(axes, CUT_ANGLES_DEG, strict=True):
            _draw_cut(ax, pullback, borders, angle)
        spacing = borders.frame_spacing_mm
        axes[-1].set_xlabel("frame" if spacing is None else "position along the vessel (mm)")
        figure.legend(handles=_legend()[:2], loc="outside lower center", ncols=2, fontsize=9)
        if title:
            figure.suptitle(plain(title, 70), fontsize=10)
        return png(figure)


def _draw_cut(axes: Axes, pullback: Pullback, borders: Borders, angle_deg: float) -> None:
    size, spacing = pullback.pixel_size_mm, borders.frame_spacing_mm or 1.0
    centre_px = tuple(np.array(middle(pullback.frames.shape)) + borders.centre_mm / size)
    radii, angles = int(min(pullback.extent_mm) / 2 / 0.03), 72
    there = round(angle_deg / 360 * angles)
    lines = []
    for frame in pullback.frames:
        polar = to_polar(frame, size, angles, radii, 0.03, (centre_px[0], centre_px[1]), smooth=False)
        lines.append(np.concatenate([polar[(there + angles // 2) % angles][::-1], polar[there]]))
    reach, count = radii * 0.03, len(lines)
    extent = (-0.5 * spacing, (count - 0.5) * spacing, -reach, reach)
    axes.imshow(np.array(lines).T, cmap="gray", aspect="auto", origin="lower", extent=extent)
    for contours, colour in ((borders.lumen_mm, LUMEN), (borders.eem_mm, EEM)):
        for turn, sign in ((0.0, 1.0), (180.0, -1.0)):
            along = [_radius_at(c - borders.centre_mm, np.radians(angle_deg + turn)) for c in contours]
            axes.plot(np.arange(count) * spacing, sign * np.array(along), color=colour, lw=1.2)
    most = 1.5 * max(float(np.abs(c).max()) for c in borders.eem_mm)
    axes.set_ylim(-min(most, reach), min(most, reach))
    axes.set_ylabel(f"at {angle_deg:.0f}° (mm)")


def _radius_at(points: np.ndarray, angle: float) -> float:
    turn = np.arctan2(points[:, 1], points[:, 0])
    order = np.argsort(turn)
    return float(np.interp(angle, turn[order], np.hypot(*points.T)[order], period=2 * np.pi))


def measures_picture(table: Table, title: str = "") -> bytes:
    """Areas, plaque burden, diameters and calcium along the pullback, as PNG bytes."""
    along = table["position_mm"]
    known = bool(np.isfinite(along).all())
    x = along if known else table["frame"]
    with styled():
        figure = new_figure(6.4)
        axes = figure.subplots(4, 1, sharex=True, height_ratios=[2, 1, 1, 1])
        _lines(
            axes[0], x, table, {"eem_area_mm2": "EEM", "lumen_area_mm2": "lumen", "plaque_area_mm2": "plaque + media"}
        )
        axes[0].set_ylabel("area (mm²)")
        _lines(axes[1], x, table, {"plaque_burden_percent": "plaque burden", "area_stenosis_percent": "area stenosis"})
        axes[1].set_ylabel("%")
        _lines(axes[2], x, table, {"lumen_min_diameter_mm": "lumen, least", "lumen_max_diameter_mm": "lumen, greatest"})
        axes[2].set_ylabel("diameter (mm)")
        axes[3].bar(x, table["calcium_arc_deg"], width=_width(x), color="#b5417a")
        axes[3].set_ylim(0, max(90.0, 1.1 * float(table["calcium_arc_deg"].max())))
        axes[3].set_ylabel("calcium (°)")
        narrowest = int(table["lumen_area_mm2"].argmin())
        for ax in axes:
            quiet_grid(ax)
            ax.axvline(x[narrowest], color=FAINT, lw=5, zorder=0)
        area = table["lumen_area_mm2"][narrowest]
        axes[0].set_title(
            f"minimal lumen area {area:.2f} mm² in frame {narrowest}", fontsize=8.5, color=INK, loc="left"
        )
        axes[-1].set_xlabel("position along the vessel (mm)" if known else "frame")
        if title:
            figure.suptitle(plain(title, 70), fontsize=10)
        return png(figure)


def _lines(axes: Axes, x: np.ndarray, table: Table, names: dict[str, str]) -> None:
    for (column, name), colour, style in zip(names.items(), SERIES, ("-", "--", "-."), strict=False):
        if np.isfinite(table[column]).any():
            axes.plot(x, table[column], color=colour, ls=style, lw=1.6, marker="o", ms=2.5, label=name)
    axes.legend(fontsize=8, ncols=3, loc="upper right")
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.0) if low > 0 and low < 0.4 * high else low, high + 0.3 * (high - low))


def _width(x: np.ndarray) -> float:
    return 0.8 * float(np.median(np.diff(x))) if len(x) > 1 else 0.4
