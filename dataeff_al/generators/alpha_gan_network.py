"""The networks of an alpha-GAN: encoder and decoder, and a critic each of images and of codes."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dataeff_al.generators.pca import components
from dataeff_al.generators.vae_network import stage_sizes
from dataeff_al.learners.layout import convert, laid_out

_SLOPE = 0.1
_CODE_WIDTH = 256
_LEAST_POWER = 1e-6


class Plan:
    """Channels of each halving of an image ``(c, h, w)``, and the sizes from full down to the smallest."""

    def __init__(self, shape: tuple[int, ...], width: int) -> None:
        height, across = shape[1:]
        found = stage_sizes((height, across))
        self.sizes = found if len(found) > 1 else [*found, ((height + 1) // 2, (across + 1) // 2)]
        self.widths = [width * min(2**stage, 4) for stage in range(len(self.sizes) - 1)]
        self.channels = shape[0]

    @property
    def deepest(self) -> tuple[int, ...]:
        """Channels, height and width where the image is smallest."""
        return (self.widths[-1], *self.sizes[-1])


class Residual(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_normed(channels, channels), nn.LeakyReLU(_SLOPE), *_normed(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """``(n, c, h, w)`` to the same form."""
        return nn.functional.leaky_relu(x + self.body(x), _SLOPE)


class Encoder(nn.Module):
    """Strided convolutions, a residual block at the end, and one code for each image."""

    def __init__(self, plan: Plan, latent_dim: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inside, outside in pairwise([plan.channels, *plan.widths]):
            layers += [*_normed(inside, outside, stride=2), nn.LeakyReLU(_SLOPE)]
        self.trunk = nn.Sequential(*layers, Residual(plan.widths[-1]))
        self.head = nn.Linear(math.prod(plan.deepest), latent_dim)
        convert(self.trunk, 2)

    def forward(self, x: Tensor) -> Tensor:
        """``(n, c, h, w)`` to ``(n, latent_dim)``."""
        return self.head(self.trunk(laid_out(x)).contiguous().flatten(1))


class Decoder(nn.Module):
    """From a code up to logits of an image: nearest-neighbour doubling, which leaves no checkerboard."""

    def __init__(self, plan: Plan, latent_dim: int) -> None:
        super().__init__()
        self.start, self.sizes = plan.deepest, plan.sizes[:-1]
        self.stem = nn.Linear(latent_dim, math.prod(self.start))
        self.first = Residual(plan.widths[-1])
        downwards = pairwise([plan.widths[0], *plan.widths])
        self.stages = nn.ModuleList(_raising(inside, outside) for outside, inside in reversed(list(downwards)))
        self.last = nn.Conv2d(plan.widths[0], plan.channels, 3, padding=1)
        convert(self, 2)

    def forward(self, z: Tensor) -> Tensor:
        """``(n, latent_dim)`` to logits ``(n, c, h, w)``."""
        x = self.first(laid_out(self.stem(z).reshape(len(z), *self.start)))
        for stage, size in zip(self.stages, reversed(self.sizes), strict=True):
            x = stage(x)[:, :, : size[0], : size[1]]
        return self.last(x)


class Autoencoder(nn.Module):
    """Encoder and decoder: what is kept when the critics have done their work.

    Both are corrections of the pool's principal components, whose whitened coordinates are the codes at first: they are
    as the prior wants them and reconstruct better than any network does after a thousand steps.
    """

    mean: Tensor
    axes: Tensor

    def __init__(self, shape: tuple[int, ...], width: int, latent_dim: int) -> None:
        super().__init__()
        plan, size = Plan(shape, width), math.prod(shape)
        self.encoder, self.decoder = Encoder(plan, latent_dim), Decoder(plan, latent_dim)
        for weights in (*self.encoder.head.parameters(), *self.decoder.last.parameters()):
            nn.init.zeros_(weights)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("axes", torch.zeros(latent_dim, size))

    def begin(self, x: Tensor) -> None:
        """Take the principal components of ``x`` ``(n, c, h, w)``, as many as there are, each times its deviation."""
        flat = x.flatten(1)
        self.mean.copy_(flat.mean(0))
        found = components(flat - self.mean, min(len(self.axes), len(x) - 1, flat.shape[1]))
        self.axes[: len(found)] = found * ((flat - self.mean) @ found.T).std(0, correction=0)[:, None]

    def encode(self, x: Tensor) -> Tensor:
        """Codes ``(n, latent_dim)`` float32."""
        power = self.axes.square().sum(1)
        linear = (x.flatten(1) - self.mean) @ (self.axes / (power + _LEAST_POWER)[:, None]).T
        return linear.float() + self.encoder(x).float()

    def decode(self, z: Tensor) -> Tensor:
        """Images ``(n, c, h, w)``, of which what leaves [0, 1] is still to be cut off."""
        correction = self.decoder(z).float().contiguous()
        return (z @ self.axes + self.mean).float().reshape(correction.shape) + correction


class ImageCritic(nn.Module):
    """Whether images are of the pool, as logits ``(n,)``; spectral norms keep it smooth (Miyato et al., 2018)."""

    def __init__(self, shape: tuple[int, ...], width: int) -> None:
        super().__init__()
        plan, layers = Plan(shape, width), list[nn.Module]()
        for inside, outside in pairwise([plan.channels, *plan.widths]):
            layers += [spectral_norm(nn.Conv2d(inside, outside, 3, stride=2, padding=1)), nn.LeakyReLU(_SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), spectral_norm(nn.Linear(math.prod(plan.deepest), 1)))

    def forward(self, x: Tensor) -> Tensor:
        """``(n, c, h, w)`` to ``(n,)``."""
        return self.layers(laid_out(x))[:, 0].float()


class CodeCritic(nn.Module):
    """Whether codes are drawn from the prior rather than encoded, as logits ``(n,)``."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        sizes = [latent_dim, _CODE_WIDTH, _CODE_WIDTH]
        layers = [part for pair in pairwise(sizes) for part in (spectral_norm(nn.Linear(*pair)), nn.LeakyReLU(_SLOPE))]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Linear(_CODE_WIDTH, 1)))

    def forward(self, z: Tensor) -> Tensor:
        """``(n, latent_dim)`` to ``(n,)``."""
        return self.layers(z)[:, 0].float()


def _normed(inside: int, outside: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inside, outside, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outside)]


def _raising(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Upsample(scale_factor=2), *_normed(inside, outside), nn.LeakyReLU(_SLOPE))
