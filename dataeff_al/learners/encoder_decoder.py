"""The two halves of a U-Net apart, of MONAI's blocks, so that one encoder can serve several decoders.

After Ronneberger et al., 2015, with two convolutions a level; see ``monai.networks.nets.BasicUNet``.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from monai.networks.blocks.convolutions import Convolution
from monai.networks.nets.basic_unet import Down, TwoConv, UpCat
from torch import Tensor, nn

from dataeff_al.errors import CapabilityError
from dataeff_al.learners.small_cnn import CONV

_ACT: Any = ("LeakyReLU", {"negative_slope": 0.1, "inplace": True})


def norm_of(name: str) -> Any:
    """MONAI's name of a normalisation."""
    return (name, {"affine": True})


def check_depth(grid: Sequence[int], levels: int) -> None:
    """Raises CapabilityError when the deepest level would have less than two places along every axis."""
    deepest = [side >> (levels - 1) for side in grid]
    if min(deepest) < 1 or max(deepest) < 2:
        raise CapabilityError(f"{levels} levels must leave something of a patch {tuple(grid)!r}, but got {deepest!r}.")


def convolution(dims: int, width: int, norm: Any) -> nn.Module:
    """One convolution that keeps the width, normalised and rectified."""
    return Convolution(dims, width, width, kernel_size=3, act=_ACT, norm=norm, bias=False, padding=1)


class Encoder(nn.Module):
    """From an image to its features at every level, full resolution first."""

    def __init__(self, dims: int, inside: int, channels: Sequence[int], norm: Any) -> None:
        super().__init__()
        self.stem = TwoConv(dims, inside, channels[0], _ACT, norm, False)
        self.down = nn.ModuleList(Down(dims, upper, lower, _ACT, norm, False) for upper, lower in pairwise(channels))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features ``(n, channels[level], ...)``."""
        levels = [self.stem(x)]
        for block in self.down:
            levels.append(block(levels[-1]))
        return levels


class Decoder(nn.Module):
    """From features at every level to one output a class at full resolution."""

    def __init__(self, dims: int, channels: Sequence[int], outputs: int, norm: Any) -> None:
        super().__init__()
        self.up = nn.ModuleList(
            UpCat(
                dims,
                lower,
                upper,
                upper,
                _ACT,
                norm,
                False,
                upsample="nontrainable",
                interp_mode="nearest",
                align_corners=None,
                halves=False,
            )
            for upper, lower in reversed(list(pairwise(channels)))
        )
        self.head = CONV[dims](channels[0], outputs, 1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Raw outputs ``(n, outputs, ...)``."""
        y = levels[-1]
        for block, skip in zip(self.up, reversed(levels[:-1]), strict=True):
            y = block(y, skip)
        return self.head(y)
