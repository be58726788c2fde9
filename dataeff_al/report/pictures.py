"""Single pictures of samples, masks and fields, and the small things that belong to them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, to_rgba
from matplotlib.image import AxesImage
from matplotlib.patches import Patch, Rectangle

from dataeff_al.report.model import Case
from dataeff_al.report.style import INK, NO_DATA, picture_axes, plain

TISSUE_COLOURS: Mapping[str, str] = {
    "outside": "#f4f5f7",
    "background": "#f4f5f7",
    "lumen": "#66c7fe",
    "wall": "#a35700",
    "fibrous": "#007161",
    "lipid": "#ffdd00",
    "calcium": "#242526",
    "adventitia": "#d5869e",
}
"""Colours that known tissues always have: any two differ for readers with any of the three colour blindnesses."""

CODE_COLOURS = ("#f4f5f7", "#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#f0e442", "#7a5195")


def class_name(classes: Sequence[str], code: int) -> str:
    """The name of a code, or the code itself."""
    return classes[code] if 0 <= code < len(classes) else str(code)


def colour_of(classes: Sequence[str], code: int) -> str:
    """The colour of a class code: by tissue name where known, else by the code."""
    fallback = CODE_COLOURS[0] if code == 0 else CODE_COLOURS[1 + (code - 1) % (len(CODE_COLOURS) - 1)]
    return TISSUE_COLOURS.get(class_name(classes, code).lower(), fallback)


def depth_of(case: Case) -> int | None:
    """The slice of a volume to show: the middle of what its truth marks, or of the volume; None for flat samples."""
    planes = {"mask": 3, "field": 4}.get(case.kind)
    if planes is not None and case.truth.ndim == planes:
        marked = case.truth > 0 if case.kind == "mask" else np.isfinite(case.truth).any(axis=0)
        slices = np.flatnonzero(marked.any(axis=(1, 2)))
        return int(slices[len(slices) // 2]) if slices.size else marked.shape[0] // 2
    volume = {"intensity": 4, "codes": 3}.get(case.image_kind)
    if case.image is not None and case.image.ndim == volume:
        return case.image.shape[-3] // 2
    return None


def plane(array: np.ndarray, depth: int | None) -> np.ndarray:
    """The last two axes ``([...,] h, w)`` of a volume at ``depth``; a flat array as it is."""
    return array if depth is None else array[..., depth, :, :]


def has_picture(case: Case) -> bool:
    """Whether the sample can be drawn as a picture."""
    return case.image is not None and case.image_kind != "values" and case.image.ndim >= 2


def draw_sample(axes: Axes, case: Case, depth: int | None) -> None:
    """The sample itself: intensities in grey or colour, codes in their tissues' colours."""
    if case.image is None:
        axes.set_axis_off()
        return
    flat_axes = 2 if case.image_kind == "codes" else 3
    picture = plane(case.image, depth if case.image.ndim > flat_axes else None)
    if case.image_kind == "codes":
        draw_codes(axes, picture, case.image_classes)
    else:
        draw_intensity(axes, picture)
    scale_bar(axes, case, picture.shape[-1])


def draw_intensity(axes: Axes, picture: np.ndarray) -> None:
    """``(c, h, w)`` or ``(h, w)``: three channels as colour, else the first one in grey; NaN and constants survive."""
    planes = np.nan_to_num(picture if picture.ndim == 3 else picture[None], nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(planes.min()), float(planes.max())
    scaled = (planes - low) / (high - low) if high > low else np.full_like(planes, 0.5)
    if len(planes) == 3:
        axes.imshow(np.moveaxis(scaled, 0, -1))
    else:
        axes.imshow(scaled[0], cmap="gray", vmin=0, vmax=1)
    picture_axes(axes)


def draw_codes(axes: Axes, codes: np.ndarray, classes: Sequence[str]) -> None:
    """A mask ``(h, w)`` of class codes in named colours."""
    top = max(int(codes.max()), len(classes) - 1, 1)
    colours = ListedColormap([colour_of(classes, code) for code in range(top + 1)])
    axes.imshow(codes, cmap=colours, norm=BoundaryNorm(np.arange(-0.5, top + 1), top + 1))
    picture_axes(axes)


def draw_overlay(axes: Axes, case: Case, codes: np.ndarray, depth: int | None) -> None:
    """Foreground of a mask ``(h, w)`` over the grey sample; on its own colours where there is no grey sample."""
    fits = case.image is not None and case.image.shape[-2:] == codes.shape
    if not fits or case.image_kind != "intensity":
        draw_codes(axes, codes, case.classes)
        return
    draw_sample(axes, case, depth)
    layer = np.zeros((*codes.shape, 4))
    for code in np.unique(codes[codes > 0]):
        layer[codes == code] = to_rgba(colour_of(case.classes, int(code)), 0.72)
    axes.imshow(layer)


def draw_field(axes: Axes, values: np.ndarray, cmap: str, low: float, high: float) -> AxesImage:
    """A map ``(h, w)``; NaN, where nothing is known, stays pale."""
    axes.set_facecolor(NO_DATA)
    image = axes.imshow(np.ma.masked_invalid(values), cmap=cmap, vmin=low, vmax=high)
    picture_axes(axes)
    return image


def scale_bar(axes: Axes, case: Case, width: int) -> None:
    """A bar of a round number of millimetres, about a fifth of the picture, when the pixel size is known."""
    if not case.pixel_size_mm:
        return
    wanted = 0.25 * width * case.pixel_size_mm
    power = 10.0 ** np.floor(np.log10(wanted))
    length_mm = power * max(step for step in (1, 2, 5) if step * power <= wanted * 1.0001)
    length = length_mm / case.pixel_size_mm
    dark = case.image_kind == "intensity"
    colour = "white" if dark else INK
    x, y = 0.05 * width, axes.get_ylim()[0] - 0.07 * width
    axes.add_patch(Rectangle((x, y), length, 0.018 * width, color=colour, lw=0))
    text = f"{length_mm:g} mm"
    axes.text(x + length / 2, y - 0.02 * width, text, color=colour, ha="center", va="bottom", fontsize=7.5)


def legend_of(codes: Sequence[np.ndarray], classes: Sequence[str], *, background: bool) -> list[Patch]:
    """A patch for every code that occurs."""
    present = sorted({int(code) for array in codes for code in np.unique(array)})
    return [
        Patch(
            facecolor=colour_of(classes, code), edgecolor="#9aa5b1", lw=0.5, label=plain(class_name(classes, code), 24)
        )
        for code in present
        if background or code != 0
    ]
