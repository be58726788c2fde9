"""Pictures of an answer: the contour over the image, the field with the walks that closed on it, the return map, and
patches along the contour with the displacement that was predicted from each."""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dataeff_al.envs.sampling import bilinear, patch_points
from dataeff_al.report.style import BAD, SERIES, new_figure, picture_axes, plain, png, styled
from labelers.deep_labelling.annotated import view_stack
from labelers.deep_labelling.consensus import Traced
from labelers.deep_labelling.labeller import DeepLabeller
from labelers.deep_labelling.pairs import in_patch
from labelers.deep_labelling.policies import Agents, Starts
from labelers.deep_labelling.walking import ready

ARROWS, PATCHES, PATCH_SIDE = 15, 4, 24
FIELD = "#56b4e9"


def walk_picture(
    name: str, image: np.ndarray, models: Mapping[str, DeepLabeller], confidence: float | None, reason: str
) -> bytes:
    """PNG of an image ``(h, w)`` with what each region's labeller did in it, one row a region."""
    with styled():
        figure = new_figure(2.75 * len(models) + 0.4, width_in=10.6)
        rows = figure.subfigures(len(models), 1, squeeze=False)[:, 0]
        for row, (region, model) in zip(rows, models.items(), strict=True):
            _row(row, image, region, model)
        said = reason or (f"expected Dice {confidence:.2f}" if confidence is not None else "")
        figure.suptitle(f"{plain(name, 50)}  ·  {plain(said, 90)}", x=0.012, ha="left", fontsize=9.5, weight="bold")
        return png(figure)


def _row(row: Figure, image: np.ndarray, region: str, model: DeepLabeller) -> None:
    (traced,) = model.traced(image[None])
    x, y, radius = traced.start
    start = Starts(torch.tensor([[x, y]]), torch.tensor([radius]))
    agents, _ = ready(model.policy, image[None], start, model.settings)
    grid = row.add_gridspec(1, 4, width_ratios=[1, 1, 1.05, 1])
    left, middle, right = (row.add_subplot(grid[0, column]) for column in range(3))
    inner = grid[0, 3].subgridspec(PATCHES // 2, 2)
    tiles = [row.add_subplot(inner[number // 2, number % 2]) for number in range(PATCHES)]
    _draw_contour(left, image, traced, region)
    _draw_field(middle, image, agents, traced)
    _draw_return_map(right, traced)
    for number, axes in enumerate(tiles):
        _draw_patch(axes, image, agents, traced, number / PATCHES)


def _shown(axes: Axes, image: np.ndarray, title: str) -> None:
    axes.imshow(image, cmap="gray")
    axes.set_title(title, fontsize=8.5)
    picture_axes(axes)


def _draw_contour(axes: Axes, image: np.ndarray, traced: Traced, region: str) -> None:
    _shown(axes, image, plain(region, 24) if traced.contour is not None else f"{plain(region, 24)}: no contour")
    if traced.contour is not None:
        closed = np.vstack([traced.contour, traced.contour[:1]])
        axes.plot(closed[:, 0], closed[:, 1], color=SERIES[4], lw=1.6)


def _view(agents: Agents, image: np.ndarray) -> list[tuple[float, float]]:
    """The part of an image that is worth showing: from where to where in x and in y."""
    half = float(2.0 * agents.found.radii[0])
    middle = agents.found.centres[0].tolist()
    sides = zip(middle, reversed(image.shape), strict=True)
    return [(max(at - half, -0.5), min(at + half, side - 0.5)) for at, side in sides]


def _draw_field(axes: Axes, image: np.ndarray, agents: Agents, traced: Traced) -> None:
    """The answering agents' velocities on a grid, and every agent's walk from its start."""
    _shown(axes, image, "field and walks")
    (left, right), (top, bottom) = _view(agents, image)
    ticks = np.linspace(left, right, ARROWS + 2)[1:-1], np.linspace(top, bottom, ARROWS + 2)[1:-1]
    grid = np.stack(np.meshgrid(*ticks), axis=-1).reshape(-1, 2)
    speed = np.array([_velocity(agents, point, np.array([1.0, 0.0])) for point in grid])
    axes.quiver(*grid.T, *speed.T, color=FIELD, angles="xy", scale=20, width=0.006)
    for orbit in traced.orbits:
        closed = orbit.contour is not None
        axes.plot(*orbit.path.T, color=SERIES[4] if closed else BAD, lw=1.0)
        axes.plot(*orbit.path[0], "o", ms=4, color="white", mec="black", mew=0.7, zorder=4)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


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
    axes.set_title("walks: distance to the answer [px]", fontsize=8.5)
    if traced.contour is None:
        axes.text(0.5, 0.5, "no orbit closed", ha="center", va="center", fontsize=8.5, transform=axes.transAxes)
        axes.set_axis_off()
        return
    for orbit in traced.orbits:
        gap = np.linalg.norm(orbit.path[:, None] - traced.contour[None], axis=-1).min(axis=1)
        axes.plot(gap, lw=0.9, color=SERIES[4] if orbit.contour is not None else BAD)
    for name, colour in (("closed", SERIES[4]), ("not closed", BAD)):
        axes.plot([], [], color=colour, label=name)
    axes.legend(fontsize=7.5)
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
    _shown(axes, patch, f"patch, {share:.0%} round")
    speed = in_patch(torch.tensor(_velocity(agents, point, heading)).view(1, 2), way)[0].numpy()
    middle = (PATCH_SIDE - 1) / 2
    axes.annotate(
        "",
        (middle + 8 * speed[0], middle + 8 * speed[1]),
        (middle, middle),
        arrowprops={"color": SERIES[1], "width": 1.2, "headwidth": 5, "headlength": 5},
    )
