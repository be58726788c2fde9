"""The peers: MONAI's U-Net on whole images, and on the crop that our detector finds; there also taught as ours is."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from dataeff_al.envs.sampling import bilinear, standardised
from dataeff_al.learners.layout import convert, laid_out
from labelers.deep_labelling import changes
from labelers.deep_labelling.annotated import AnnotatedSet, view_stack
from labelers.deep_labelling.detector import Detector
from labelers.deep_labelling.polar_policy import plausibility
from labelers.deep_labelling.walking import likelihood

WIDTHS = (16, 32, 64, 128)
CROP_SIDE, WHOLE_SIDE = 96, 128
CROP_SHIFT_PX, WHOLE_SHIFT_PX = 6.0, 25.0


def made_network() -> nn.Module:
    """A residual U-Net of four levels, in the layout that is fastest for it, too."""
    from monai.networks.nets.unet import UNet

    network: nn.Module = UNet(
        spatial_dims=2, in_channels=1, out_channels=1, channels=WIDTHS, strides=(2, 2, 2), num_res_units=2, norm="batch"
    )
    convert(network, 2)
    return network


@dataclass(frozen=True)
class Frame:
    """Where a network looks: ``side`` by ``side`` points ``spacing_px`` apart about centres ``(m, 2)``."""

    side: int
    spacing_px: float

    def points(self, centres: Tensor, angle: Tensor, scale: Tensor, flip: Tensor) -> Tensor:
        """``(m, side, side, 2)`` px, turned, scaled and mirrored."""
        ticks = (torch.arange(self.side) - (self.side - 1) / 2) * self.spacing_px
        x, y = torch.meshgrid(ticks, ticks, indexing="xy")
        cos, sin = (scale * torch.cos(angle))[:, None, None], (scale * torch.sin(angle))[:, None, None]
        x = flip[:, None, None] * x
        offset = torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1)
        return centres[:, None, None] + offset


@dataclass(frozen=True)
class Lessons:
    """How crops are drawn: about the regions or the images' middles (``centred``), ``shift_px`` off; ``made_up``: with
    walls and spots as our own policy makes them up.
    """

    frame: Frame
    shift_px: float
    centred: bool
    made_up: bool = False


def fitted(known: AnnotatedSet, lessons: Lessons, seconds: float, seed: int) -> nn.Module:
    """Train with AdamW and a one-cycle schedule over ``seconds`` of this process's CPU time; BCE and soft Dice."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = made_network()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-3)
    network.train()
    started = time.process_time()
    while (share := (time.process_time() - started) / seconds) < 1:
        rate = 4e-3 * (share / 0.2 if share < 0.2 else 0.5 * (1 + np.cos(np.pi * (share - 0.2) / 0.8)))
        for group in optimiser.param_groups:
            group["lr"] = max(rate, 1e-6)
        views, lesson = pairs(known, lessons, 16, generator)
        logits = network(laid_out(views[:, None]))[:, 0]
        inside = torch.sigmoid(logits)
        overlap = (2 * (inside * lesson).sum((1, 2)) + 1) / ((inside + lesson).sum((1, 2)) + 1)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, lesson) + (1 - overlap).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


def pairs(known: AnnotatedSet, lessons: Lessons, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Crops and masks ``(count, side, side)`` with the augmentation that our detector has."""
    rows = torch.randint(len(known), (count,), generator=generator)
    height, width = known.images.shape[1:]
    middle = torch.tensor([(width - 1) / 2, (height - 1) / 2]).expand(count, 2)
    about = known.centres[rows] if lessons.centred else middle
    centres = about + lessons.shift_px * changes.normal((count, 2), generator)
    usual = torch.rand(count, generator=generator) < 0.5
    turn = changes.uniform((count,), 0, 2 * torch.pi, generator)
    angle = torch.where(usual, 0.3 * changes.normal((count,), generator), turn)
    flip = torch.where(usual, torch.ones(()), changes.either(count, generator))
    scale = torch.exp(0.2 * changes.normal((count,), generator))
    points = lessons.frame.points(centres, angle, scale, flip)
    points = changes.warped(points, centres, known.radii[rows], generator)
    distance, radii = bilinear(known.distances, rows, points), known.radii[rows]
    if lessons.made_up:
        share = changes.walls(count, generator)
        points = changes.apart(points, known.centres[rows], distance.clamp_min(0), share)
        distance = torch.where(distance > 0, distance * share[:, None, None], distance)
    level = torch.randint(3, (count,), generator=generator)
    seen = bilinear(known.blurred, rows + level * len(known), points)
    if lessons.made_up:
        spots = changes.spots(points, known.centres[rows], radii, generator) * (distance < 0)
        seen = torch.lerp(seen, changes.wall_grey(seen, distance, radii), spots)
    return standardised(changes.recoloured(seen, generator)), (distance < 0).float()


@torch.no_grad()
def answered(network: nn.Module, frame: Frame, images: np.ndarray, detector: Detector | None) -> np.ndarray:
    """Masks ``(n, h, w)`` bool: the largest region of a crop; of the detector's candidates the crop that our policy's
    own rule would choose: the likeliest that holds a decided region.
    """
    return np.stack([_answer(network, frame, image, detector) for image in images])


def _answer(network: nn.Module, frame: Frame, image: np.ndarray, detector: Detector | None) -> np.ndarray:
    height, width = image.shape
    stack = view_stack(image[None])
    centres, sure = torch.tensor([[(width - 1) / 2, (height - 1) / 2]]), torch.ones(1)
    if detector is not None:
        candidates = detector.find(stack)
        centres, sure = candidates.centres[0], candidates.sure[0]
    one = torch.ones(len(centres))
    seen = bilinear(stack, torch.zeros(len(centres), dtype=torch.long), frame.points(centres, 0 * one, one, one))
    inside = torch.sigmoid(network(laid_out(standardised(seen)[:, None]))[:, 0])
    best = int(likelihood(plausibility(inside), sure).argmax())
    return _back(inside[best].numpy(), frame, centres[best].numpy(), (height, width))


def _back(inside: np.ndarray, frame: Frame, centre: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    from scipy.ndimage import label, map_coordinates

    y, x = np.mgrid[: shape[0], : shape[1]]
    offsets = (y - centre[1], x - centre[0])
    at = [offset / frame.spacing_px + (frame.side - 1) / 2 for offset in offsets]
    parts, count = label(map_coordinates(inside, at, order=1, cval=0.0) > 0.5)
    if not count:
        return np.zeros(shape, bool)
    return np.asarray(parts == np.bincount(parts.ravel())[1:].argmax() + 1)


def crop_frame() -> Frame:
    """The strong peer's crop, at the images' own resolution."""
    return Frame(CROP_SIDE, 1.0)


def whole_frame(shape: tuple[int, ...]) -> Frame:
    """The whole image, at 128 points a side."""
    return Frame(WHOLE_SIDE, max(shape) / WHOLE_SIDE)
