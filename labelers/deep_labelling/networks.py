"""The networks: one that reads polar views, one that reads oriented patches, one that finds where to start."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from dataeff_al.learners.layout import convert, laid_out


class RingConv(nn.Module):
    """Convolution, batch norm and ReLU on maps ``(n, c, angles, radii)``: angles wrap, beyond the radii is nothing."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.pad = size // 2
        self.conv = nn.Conv2d(inputs, outputs, size, stride, (0, self.pad), bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Same size as ``x``, divided by the stride."""
        # One concatenation takes a fraction of what circular padding does.
        x = torch.cat([x[:, :, -self.pad :], x, x[:, :, : self.pad]], dim=2)
        return functional.relu(self.norm(self.conv(x)), inplace=True)


class FlatConv(nn.Module):
    """Convolution, batch norm and ReLU on images."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Same size as ``x``, divided by the stride."""
        return functional.relu(self.norm(self.conv(x)), inplace=True)


class HourGlass(nn.Module):
    """A small U-Net over blocks of one kind: halved at each width, joined on the way back."""

    def __init__(self, block: type[RingConv] | type[FlatConv], inputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        before = (inputs, *widths[:-1])
        self.down = nn.ModuleList(nn.Sequential(block(a, b), block(b, b)) for a, b in zip(before, widths, strict=True))
        pairs = zip(widths[-2::-1], widths[:0:-1], strict=True)
        self.up = nn.ModuleList(block(wide + deep, wide) for wide, deep in pairs)

    def forward(self, x: Tensor) -> Tensor:
        """``(n, widths[0], a, b)``; ``a`` and ``b`` must be divisible by ``2 ** (len(widths) - 1)``."""
        kept: list[Tensor] = []
        for level, down in enumerate(self.down):
            x = down(functional.max_pool2d(x, 2) if level else x)
            kept.append(x)
        for up, skip in zip(self.up, kept[-2::-1], strict=True):
            x = up(torch.cat([functional.interpolate(x, scale_factor=2), skip], dim=1))
        return x


class PolarNetwork(nn.Module):
    """From polar views ``(n, a, r)`` to a map ``(n, a / 2, r / 2)``: signed distance over a share of the radius.

    Angles wrap around, so that a turned view gives the same map, turned.
    """

    def __init__(self, widths: tuple[int, ...] = (24, 32, 48, 64)) -> None:
        super().__init__()
        self.stem = RingConv(2, widths[0], 5, 2)
        self.body = HourGlass(RingConv, widths[0], widths)
        self.head = nn.Conv2d(widths[0], 1, 1)
        convert(self, 2)

    def forward(self, views: Tensor) -> Tensor:
        """Level maps, negative inside."""
        radius = torch.linspace(-1, 1, views.shape[-1]).expand(len(views), 1, *views.shape[1:])
        x = self.stem(laid_out(torch.cat([views[:, None], radius], dim=1)))
        return self.head(self.body(x))[:, 0]


class PatchNetwork(nn.Module):
    """From oriented patches ``(n, side, side)`` to ``outputs`` numbers."""

    def __init__(self, side: int, outputs: int, widths: tuple[int, ...] = (16, 32, 48, 64)) -> None:
        super().__init__()
        before = (1, *widths[:-1])
        left = (-(-side // 2 ** len(widths))) ** 2
        self.body = nn.Sequential(*(FlatConv(a, b, 3, 2) for a, b in zip(before, widths, strict=True)))
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(widths[-1] * left, 96), nn.ReLU(), nn.Linear(96, outputs))
        convert(self, 2)

    def forward(self, patches: Tensor) -> Tensor:
        """``(n, outputs)``."""
        return self.head(self.body(laid_out(patches[:, None])))


class DetectorNetwork(nn.Module):
    """From small images ``(n, h, w)`` to logits of being near a region's centre, and to log radius in its own cells.

    ``place`` and ``spread`` ``(2,)``: where regions lie, as shares of an image's sides, kept with the weights.
    """

    place: Tensor
    spread: Tensor

    def __init__(self, widths: tuple[int, ...] = (12, 16, 24, 32)) -> None:
        super().__init__()
        self.body = HourGlass(FlatConv, 1, widths)
        self.head = nn.Conv2d(widths[0], 2, 1)
        self.register_buffer("place", torch.full((2,), 0.5))
        self.register_buffer("spread", torch.full((2,), 0.3))
        convert(self, 2)

    def forward(self, images: Tensor) -> Tensor:
        """``(n, 2, h, w)`` for sides divisible by 8."""
        return self.head(self.body(laid_out(images[:, None])))
