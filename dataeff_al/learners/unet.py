"""U-Net, 2-D or 3-D, for fields and masks on the input's grid (Ronneberger et al., 2015, with batch norm)."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from dataeff_al.errors import CapabilityError
from dataeff_al.learners.base import Network, TorchLearner, make_learner, make_task
from dataeff_al.learners.layout import convert, laid_out
from dataeff_al.learners.protocol import LearnerContext
from dataeff_al.learners.small_cnn import CONV, NORM
from dataeff_al.learners.spec import UnetParams


def coordinates(x: Tensor) -> Tensor:
    """Axes in [-1, 1] and the distance from the centre, ``(n, dims + 1, [d,] h, w)``, for an input like ``x``."""
    axes = [torch.linspace(-1.0, 1.0, size, dtype=x.dtype) for size in x.shape[2:]]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    radius = (grid**2).sum(0, keepdim=True).sqrt()
    return torch.cat([grid, radius]).expand(x.shape[0], *[-1] * (x.dim() - 1))


def _block(dims: int, inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(CONV[dims](inside, outside, 3, padding=1, bias=False), NORM[dims](outside), nn.ReLU())


class Unet(Network):
    """Encoder and decoder with skips. One convolution at full resolution each way keeps it fast on one core."""

    def __init__(self, shape: tuple[int, ...], channels: list[int], outputs: int, positions: bool) -> None:
        super().__init__()
        dims = len(shape) - 1
        self.positions = positions
        inside = shape[0] + (dims + 1 if positions else 0)
        self.stem = _block(dims, inside, channels[0])
        pairs = list(pairwise(channels))
        self.down = nn.ModuleList(
            nn.Sequential(_block(dims, upper, lower), _block(dims, lower, lower)) for upper, lower in pairs
        )
        self.up = nn.ModuleList(_block(dims, lower + upper, upper) for upper, lower in reversed(pairs))
        self.head = CONV[dims](channels[0], outputs, 1)
        convert(self, dims)

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs ``(n, outputs, [d,] h, w)``."""
        levels = self._encode(x)
        y = levels.pop()
        for block in self.up:
            skip = levels.pop()
            y = functional.interpolate(y, size=skip.shape[2:], mode="nearest")
            y = block(torch.cat([y, skip], 1))
        return self.head(y)

    def hidden(self, x: Tensor) -> Tensor:
        """Mean and maximum of the deepest level over space, ``(n, 2 * channels[-1])``."""
        deepest = self._encode(x)[-1].flatten(2)
        return torch.cat([deepest.mean(2), deepest.amax(2)], 1)

    def _encode(self, x: Tensor) -> list[Tensor]:
        if self.positions:
            x = torch.cat([x, coordinates(x)], 1)
        levels = [self.stem(laid_out(x))]
        for block in self.down:
            levels.append(block(_halved(levels[-1])))
        return levels


def _halved(x: Tensor) -> Tensor:
    """Half the resolution by averaging, an odd pixel at the end averaged alone; an axis of one pixel stays."""
    kernel = [min(2, size) for size in x.shape[2:]]
    pool = functional.avg_pool2d if x.dim() == 4 else functional.avg_pool3d
    return pool(x, kernel, ceil_mode=True, count_include_pad=False)


def build(params: UnetParams, context: LearnerContext) -> TorchLearner:
    """The learner of a campaign. Raises CapabilityError unless input and target share one 2-D or 3-D grid."""
    shape, target = tuple(context.tensor.shape), context.target
    task = make_task("unet", ("mask", "field"), params.task, target)
    grid = tuple(target.shape) if target.kind == "mask" else tuple(target.shape[1:])
    if len(shape) - 1 not in CONV or grid != shape[1:]:
        raise CapabilityError(f"learner unet must have input and target on one grid, but got {shape} and {grid}.")
    positions = target.kind == "field" if params.coordinates is None else params.coordinates
    network = Unet(shape, params.channels, task.outputs, positions)
    return make_learner(context, task, network)
