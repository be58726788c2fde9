"""Pictures of an answer: the contour over the image, the field with the walks that closed on it, the return map, and
patches along the contour with the displacement that was predicted from each."""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dataeff_al.envs.sampling import bilinear, patch_points
from dataeff_al.report.style import BAD, GOOD, SERIES, new_figure, plain, png, styled
from labelers.deep_labelling.annotated import view_stack
from labelers.deep_labelling.consensus import Traced, agreed
from labelers.deep_labelling.labeller import DeepLabeller, prepared
from labelers.deep_labelling.pairs import in_patch
from labelers.deep_labelling.policies import Agents
from labelers.deep_labelling.tracing import trace

ARROWS, PATCHES, PATCH_SIDE = 17, 4, 24


def walk_picture(
    name: str, image: np.ndarray, models: Mapping[str, DeepLabeller], confidence: float | None, reason: str
) -> bytes:
    """PNG of an image ``(h, w)`` with what each region's labeller did in it, one row a region."""
    with styled():
        figure = new_figure(2.9 * len(models) + 0.4, width_in=11.0)
        rows = figure.subfigures(len(models), 1, squeeze=False)[:, 0]
        for row, (region, model) in zip(rows, models.items(), strict=True):
            _row(row, image, region, model)
        said = reason or (f"expected Dice {confidence:.2f}" if confidence is not None else "")
        figure.suptitle(f"{plain(name, 50)}  ·  {plain(said, 90)}", x=0.012, ha="left", fontsize=9.5, weight="bold")
        return png(figure)


def _row(row: Figure, image: np.ndarray, region: str, model: DeepLabeller) -> None:
    agents, limits, sure = prepared(model.policy, model.detector, image[None], model.settings)
    orbits = trace(agents.guide, agents.points, agents.headings, agents.steps_px, limits)
    traced = agreed(orbits, limits.image, agents.answering, float(agents.sharpness[0]), float(sure[0]))
    left, middle, right, *tiles = row.subplots(1, 3 + PATCHES, width_ratios=[2, 2, 2, *[1] * PATCHES])
    _draw_contour(left, image, traced, region)
    _draw_field(middle, image, agents, traced)
    _draw_return_map(right, traced)
    for number, axes in enumerate(tiles):
        _draw_patch(axes, image, agents, traced, number / PATCHES)


def _shown(axes: Axes, image: np.ndarray, title: str) -> None:
    axes.imshow(image, cmap="gray")
    axes.set_title(title, fontsize=8.5)
    axes.set_xticks([])
    axes.set_yticks([])


def _draw_contour(axes: Axes, image: np.ndarray, traced: Traced, region: str) -> None:
    _shown(axes, image, plain(region, 24) if traced.contour is not None else f"{plain(region, 24)}: no contour")
    if traced.contour is not None:
        closed = np.vstack([traced.contour, traced.contour[:1]])
        axes.plot(closed[:, 0], closed[:, 1], color=GOOD, lw=1.4)


def _view(agents: Agents) -> tuple[np.ndarray, float]:
    """The middle and half the side of what is worth showing of an image."""
    return agents.found.centres[0].numpy(), float(2.0 * agents.found.radii[0])


def _draw_field(axes: Axes, image: np.ndarray, agents: Agents, traced: Traced) -> None:
    """The answering agents' velocities on a grid, and every agent's walk from its start."""
    _shown(axes, image, "field and walks")
    middle, half = _view(agents)
    ticks = np.linspace(-half, half, ARROWS)
    grid = middle + np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    speed = np.array([_velocity(agents, point, np.array([1.0, 0.0])) for point in grid])
    axes.quiver(*grid.T, *speed.T, color="#7fd3ff", angles="xy", scale=28, width=0.004, alpha=0.7)
    for orbit in traced.orbits:
        closed = orbit.contour is not None
        axes.plot(*orbit.path.T, color=SERIES[1] if closed else BAD, lw=0.8)
        axes.plot(*orbit.path[0], "o", ms=3, color="white", mec="black", mew=0.5)
    axes.set_xlim(middle[0] - half, middle[0] + half)
    axes.set_ylim(middle[1] + half, middle[1] - half)


@torch.no_grad()
def _velocity(agents: Agents, point: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """The velocity of the answering agent (the last one where all may answer) at a point."""
    count = len(agents.points)
    points = torch.tensor(point, dtype=torch.float32).expand(count, 2)
    headings = torch.tensor(heading, dtype=torch.float32).expand(count, 2)
    which = -1 if agents.answering is None else agents.answering
    return agents.guide.velocity(points, headings)[which].numpy()


def _draw_return_map(axes: Axes, traced: Traced) -> None:
    """How far each agent still was from the answer as it walked: the return closes where the line stays low."""
    axes.set_title("distance to the answer [px]", fontsize=8.5)
    if traced.contour is None:
        axes.text(0.5, 0.5, "no orbit closed", ha="center", va="center", fontsize=8.5, transform=axes.transAxes)
        axes.set_axis_off()
        return
    for orbit in traced.orbits:
        gap = np.linalg.norm(orbit.path[:, None] - traced.contour[None], axis=-1).min(axis=1)
        axes.plot(gap, lw=0.9, color=SERIES[1] if orbit.contour is not None else BAD)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("step", fontsize=8)
    axes.tick_params(labelsize=7)


def _draw_patch(axes: Axes, image: np.ndarray, agents: Agents, traced: Traced, share: float) -> None:
    """The oriented patch at a place on the walk, with the displacement there."""
    path = traced.contour if traced.contour is not None else traced.orbits[0].path
    at = int(share * (len(path) - 1))
    point, heading = path[at], path[(at + 1) % len(path)] - path[at]
    heading = heading / max(float(np.linalg.norm(heading)), 1e-9)
    spacing = float(3.0 * agents.found.radii[0]) / PATCH_SIDE
    where, way = (torch.tensor(value, dtype=torch.float32).view(1, 2) for value in (point, heading))
    points = patch_points(where, way, PATCH_SIDE, spacing)
    patch = bilinear(view_stack(image[None]), torch.zeros(1, dtype=torch.long), points)[0].numpy()
    _shown(axes, patch, "patch" if share else "patch, displacement")
    speed = in_patch(torch.tensor(_velocity(agents, point, heading)).view(1, 2), way)[0].numpy()
    middle = (PATCH_SIDE - 1) / 2
    axes.annotate(
        "",
        (middle + 8 * speed[0], middle + 8 * speed[1]),
        (middle, middle),
        arrowprops={"color": SERIES[1], "width": 1.2, "headwidth": 5, "headlength": 5},
    )
