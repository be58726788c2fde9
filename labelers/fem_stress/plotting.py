"""Pictures of labels: the section by tissue, the mesh, and two stress maps; of a refusal, the section and the reason.

Axes are in mm with the raster's centre as origin and y downwards, as in the mask itself.
"""

import textwrap

import numpy as np
from matplotlib.figure import Figure

from dataeff_al.report.style import QUIET, new_figure, number, plain, png, styled
from dataeff_al.vessel.tissues import LUMEN, TISSUES
from labelers.fem_stress.laws import LinearElastic
from labelers.fem_stress.plot_panels import (
    HEADINGS,
    Scene,
    class_name,
    codes_in,
    extent_of,
    framed,
    mesh_panel,
    stress_panel,
    tissue_panel,
    tissue_patches,
    window_of,
)
from labelers.fem_stress.settings import StressSettings

MMHG_PER_KPA = 7.500617
_THEORY = {"linear": "linear elastic, small strain", "hyperelastic": "hyperelastic, finite strain"}
_STIFFNESS = {"linear": "Young's modulus", "hyperelastic": "shear modulus at rest"}
_OUTER = {
    "free": "outer border free",
    "elastic_foundation": "outer border on an elastic foundation",
    "adventitia": "adventitia laid around",
}


def stress_picture(scene: Scene) -> bytes:
    """PNG of four panels: tissues, mesh, first principal and von Mises stress with their peaks marked."""
    with styled():
        return png(stress_figure(scene))


def stress_figure(scene: Scene) -> Figure:
    """The same as a figure in the current style."""
    figure = new_figure(8.9)
    grid = figure.subplots(2, 2)
    _headed(figure, scene)
    figure.supxlabel(_footer(scene), x=0.012, ha="left", fontsize=8.5, color=QUIET)
    tissue_panel(grid[0, 0], scene)
    mesh_panel(grid[0, 1], scene)
    for axes, channel in zip(grid[1], HEADINGS, strict=True):
        stress_panel(figure, axes, scene, channel)
    for axes in grid.flat:
        framed(axes, window_of(scene), "mm")
    return figure


def refusal_picture(name: str, mask: np.ndarray, pixel_size_mm: float | None, reason: str) -> bytes:
    """PNG of a section ``(h, w)`` that has no label, with the reason; what is no plane of codes is not drawn."""
    with styled():
        return png(refusal_figure(name, mask, pixel_size_mm, reason))


def refusal_figure(name: str, mask: np.ndarray, pixel_size_mm: float | None, reason: str) -> Figure:
    """The same as a figure in the current style."""
    drawable = mask.ndim == 2 and mask.size > 0 and np.issubdtype(mask.dtype, np.integer)
    figure = new_figure(6.0 if drawable else 1.3, width_in=6.4)
    told = [plain(name, 60), *textwrap.wrap(f"No label: {plain(reason, 400)}", 76)]
    figure.suptitle("\n".join(told), x=0.012, ha="left", fontsize=10.5, linespacing=1.5)
    axes = figure.subplots()
    if not drawable:
        axes.set_axis_off()
        return figure
    size = pixel_size_mm or 1.0
    tissue_panel(axes, Scene(name, mask, size), heading="")
    names = {code: class_name(code) for code in codes_in(mask)}
    figure.legend(handles=tissue_patches(names), loc="outside lower center", ncols=3, fontsize=8.5)
    framed(axes, extent_of(mask, size), "mm" if pixel_size_mm else "pixels")
    return figure


def _headed(figure: Figure, scene: Scene) -> None:
    """Name and question over the tissues that occur; one block, so that the layout keeps room for all of it."""
    names = {code: class_name(code) + _stiffness(scene.settings, code) for code in codes_in(scene.mask) if code}
    figure.legend(
        handles=tissue_patches(names),
        title=f"{plain(scene.name, 60)}\n{_question(scene.settings)}",
        loc="outside upper left",
        alignment="left",
        title_fontproperties={"size": 11},
        ncols=len(names),
        fontsize=8.5,
        columnspacing=1.3,
        handletextpad=0.5,
        borderaxespad=0.7,
    )


def _question(settings: StressSettings) -> str:
    told = [f"lumen pressure {_pressure(settings.lumen_pressure_kpa)}"]
    if settings.imaged_at_kpa > 0:
        told.append(f"imaged at {_pressure(settings.imaged_at_kpa)}")
    return "  ·  ".join(told) + f"\n{_THEORY[settings.fidelity]}  ·  {_OUTER[settings.outer]}"


def _pressure(kpa: float) -> str:
    return f"{kpa * MMHG_PER_KPA:.0f} mmHg ({kpa:.2f} kPa)"


def _footer(scene: Scene) -> str:
    radial, around = (size // 2 for size in (scene.nodes.shape[1], scene.nodes.shape[0]))
    told = f"{_STIFFNESS[scene.settings.fidelity]} beside each tissue  ·  plane strain, Cauchy stress"
    lines = [f"{told}  ·  mesh of {radial} × {around} quadratic elements"]
    return "\n".join([*lines, *(plain(f"{key.replace('_', ' ')}: {value}", 120) for key, value in scene.notes.items())])


def _stiffness(settings: StressSettings, code: int) -> str:
    if code <= LUMEN:
        return ""
    law = settings.law(TISSUES[code])
    return f" {number(law.youngs_modulus_kpa if isinstance(law, LinearElastic) else law.shear_kpa)} kPa"
