"""Encoder and decoder of the variational autoencoder, for any number of axes and any size."""

import math
from itertools import pairwise

from torch import Tensor, nn

from dataeff_al.learners.layout import convert, laid_out
from dataeff_al.learners.precision import Conv3d, ConvTranspose3d

_CONV = {2: nn.Conv2d, 3: Conv3d}
_UP = {2: nn.ConvTranspose2d, 3: ConvTranspose3d}
_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_SMALLEST = 4
_MOST_STAGES = 4
_DENSE_WIDTH = 8


def stage_sizes(space: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Spatial sizes from full resolution down, halved (rounding up) until the largest axis is four pixels or less."""
    sizes = [space]
    while max(sizes[-1]) > _SMALLEST and len(sizes) <= _MOST_STAGES:
        sizes.append(tuple((size + 1) // 2 for size in sizes[-1]))
    return sizes


class Encoder(nn.Module):
    """Strided convolutions to mean and log variance of the latent."""

    def __init__(self, shape: tuple[int, ...], widths: list[int], latent_dim: int) -> None:
        super().__init__()
        dims, sizes = len(shape) - 1, stage_sizes(shape[1:])
        layers: list[nn.Module] = []
        for inside, outside in zip([shape[0], *widths[:-1]], widths, strict=True):
            layers += [_CONV[dims](inside, outside, 3, stride=2, padding=1, bias=False), _NORM[dims](outside)]
            layers.append(nn.LeakyReLU(0.1, inplace=True))
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1] * math.prod(sizes[-1]), 2 * latent_dim)
        convert(self.trunk, dims)

    def forward(self, x: Tensor) -> Tensor:
        """``(n, c, ...)`` to ``(n, 2 * latent_dim)``."""
        deep = self.trunk(laid_out(x))
        return self.head(deep.contiguous().flatten(1))


class Decoder(nn.Module):
    """Transposed convolutions from the latent to logits; odd sizes are cropped on the way up."""

    def __init__(self, shape: tuple[int, ...], widths: list[int], latent_dim: int) -> None:
        super().__init__()
        dims, self.sizes = len(shape) - 1, stage_sizes(shape[1:])
        self.start = (widths[-1], *self.sizes[-1])
        self.stem = nn.Sequential(nn.Linear(latent_dim, math.prod(self.start)), nn.LeakyReLU(0.1, inplace=True))
        self.stages = nn.ModuleList()
        for inside, outside in pairwise(reversed(widths)):
            up = _UP[dims](inside, outside, 4, stride=2, padding=1, bias=False)
            self.stages.append(nn.Sequential(up, _NORM[dims](outside), nn.LeakyReLU(0.1, inplace=True)))
        self.stages.append(_UP[dims](widths[0], shape[0], 4, stride=2, padding=1))
        convert(self.stages, dims)

    def forward(self, z: Tensor) -> Tensor:
        """``(n, latent_dim)`` to logits ``(n, c, ...)``."""
        x = laid_out(self.stem(z).reshape(len(z), *self.start))
        for stage, size in zip(self.stages, reversed(self.sizes[:-1]), strict=True):
            x = stage(x)
            for axis, pixels in enumerate(size):
                x = x.narrow(axis + 2, 0, pixels)
        return x


class Vae(nn.Module):
    """Encoder and decoder; ``encode`` gives mean and log variance, ``logits`` the decoder's raw output."""

    def __init__(self, shape: tuple[int, ...], width: int, latent_dim: int) -> None:
        super().__init__()
        self.encoder: nn.Module
        self.decoder: nn.Module
        if len(shape) - 1 in _CONV and max(shape[1:]) > _SMALLEST:
            stages = len(stage_sizes(shape[1:])) - 1
            widths = [width * min(2**stage, 4) for stage in range(stages)]
            self.encoder, self.decoder = Encoder(shape, widths, latent_dim), Decoder(shape, widths, latent_dim)
        else:
            size, hidden = math.prod(shape), width * _DENSE_WIDTH
            self.encoder = nn.Sequential(nn.Flatten(), _dense(size, hidden), nn.Linear(hidden, 2 * latent_dim))
            self.decoder = nn.Sequential(_dense(latent_dim, hidden), nn.Linear(hidden, size), nn.Unflatten(1, shape))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance, each ``(n, latent_dim)``."""
        mean, log_variance = self.encoder(x).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-10.0, 10.0)

    def logits(self, z: Tensor) -> Tensor:
        """Raw output ``(n, *shape)``."""
        # Softmax over a few classes is several times faster when each class is one contiguous plane.
        return self.decoder(z).float().contiguous()


def _dense(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inside, outside), nn.ReLU(), nn.Linear(outside, outside), nn.ReLU())
