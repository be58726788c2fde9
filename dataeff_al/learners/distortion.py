"""Random changes of images under which they stay what they are: the two views of a contrastive pair, and the weak and
strong views of consistency training."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from dataeff_al.errors import CapabilityError
from dataeff_al.learners.distortion_spec import DistortionParams
from dataeff_al.samples.types import TensorSpec

_KNOTS = 4
_GREYING = 1.5


@dataclass(frozen=True)
class Distortion:
    """How far a view may be from its image.

    Attributes:
        turn_deg: rotation and shear, drawn from +- this [degrees].
        scale: scaling, drawn from 1 +- this.
        shift: translation, drawn from +- this part of the image.
        elastic: size of a smooth random displacement, as a part of the image.
        mirror: whether left and right may be exchanged.
        tone: contrast and brightness, drawn from 1 +- and 0 +- this; intensities only.
        colour: saturation and the channels' balance, drawn from 1 +- parts of this.
        crop: smallest side of a random crop that takes the image's place, as a part of it; 1: none.
        erase: side of a square that is blanked, as a part of the image; 0: none.
    """

    turn_deg: float = 15.0
    scale: float = 0.2
    shift: float = 0.1
    elastic: float = 0.03
    mirror: bool = False
    tone: float = 0.0
    colour: float = 0.0
    crop: float = 1.0
    erase: float = 0.0

    @classmethod
    def of(cls, params: DistortionParams) -> Distortion:
        """The distortion that a campaign states."""
        return cls(**{name: getattr(params, name) for name in DistortionParams.model_fields})

    def scaled(self, factor: float) -> Distortion:
        """The same kinds of change, ``factor`` times as far."""
        kept = {"mirror": self.mirror, "crop": 1.0 - factor * (1.0 - self.crop)}
        return replace(self, **{name: value * factor for name, value in asdict(self).items()} | kept)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A view of each image ``(n, c, h, w)``; class probabilities stay probabilities."""
        grid = self._affine(x, generator) + self._waves(x, generator)
        x = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
        if self.tone:
            contrast, brightness = _uniform(generator, (2, len(x), 1, 1, 1))
            x = ((x - 0.5) * (1 + self.tone * contrast) + 0.5 + self.tone * brightness).clamp(0, 1)
        x = self._coloured(x, generator) if self.colour else x
        return self._erased(x, generator) if self.erase else x

    def _affine(self, x: Tensor, generator: torch.Generator) -> Tensor:
        turn, shear, scale, right, down, side = _uniform(generator, (6, len(x)))
        angle, slant = (math.radians(self.turn_deg) * each for each in (turn, shear))
        size = 1.0 + self.scale * scale
        flip = torch.where(side < 0, -1.0, 1.0) if self.mirror else torch.ones_like(side)
        # Shifts are parts of the image, whose coordinates run from -1 to 1.
        across, along = 2 * self.shift * right, 2 * self.shift * down
        if self.crop < 1:
            share, aside, below = _uniform(generator, (3, len(x)))
            part = (self.crop**2 + (1 - self.crop**2) * (share + 1) / 2).sqrt()
            size, across, along = size * part, across + (1 - part) * aside, along + (1 - part) * below
        rows = [
            torch.stack([flip * size * angle.cos(), -size * (angle + slant).sin(), across], 1),
            torch.stack([flip * size * angle.sin(), size * (angle + slant).cos(), along], 1),
        ]
        return functional.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)

    def _waves(self, x: Tensor, generator: torch.Generator) -> Tensor | float:
        if not self.elastic:
            return 0.0
        knots = 2 * self.elastic * _uniform(generator, (len(x), 2, _KNOTS, _KNOTS))
        smooth = functional.interpolate(knots, size=x.shape[-2:], mode="bicubic", align_corners=False)
        return smooth.permute(0, 2, 3, 1)

    def _coloured(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Saturation, down to grey, and each channel's strength by itself."""
        saturation = (1 + _GREYING * self.colour * _uniform(generator, (len(x), 1, 1, 1))).clamp(min=0)
        balance = 1 + 0.5 * self.colour * _uniform(generator, (len(x), x.shape[1], 1, 1))
        grey = x.mean(1, keepdim=True)
        return ((grey + saturation * (x - grey)) * balance).clamp(0, 1)

    def _erased(self, x: Tensor, generator: torch.Generator) -> Tensor:
        height, width = x.shape[-2:]
        top, left = torch.rand((2, len(x), 1, 1), generator=generator)
        rows, columns = torch.arange(height)[:, None] / height, torch.arange(width)[None] / width
        inside = ((rows - top * (1 - self.erase)) % 1 < self.erase) & (
            (columns - left * (1 - self.erase)) % 1 < self.erase
        )
        return torch.where(inside[:, None], x.mean((-2, -1), keepdim=True), x)


def check_images(who: str, tensor: TensorSpec) -> None:
    """Raises CapabilityError for what has no views: volumes and tables."""
    if len(tensor.shape) != 3:
        raise CapabilityError(f"{who} must have images (c, h, w), but got shape {tuple(tensor.shape)}.")


def _uniform(generator: torch.Generator, shape: tuple[int, ...]) -> Tensor:
    """Numbers from -1 to 1."""
    return 2 * torch.rand(shape, generator=generator) - 1
