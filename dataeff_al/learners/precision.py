"""Arithmetic of a fit: bfloat16 multiplications where the processor has them, float32 elsewhere."""

from typing import Literal

import torch
from torch import Tensor, nn

Precision = Literal["auto", "float32", "bfloat16"]


def has_fast_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware (AVX512-BF16 or AMX)."""
    probes = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(probe is not None and probe() for probe in probes)


def arithmetic(precision: Precision) -> torch.autocast:
    """A context in which forward passes run in the stated precision; ``auto`` takes bfloat16 where it is fast.

    Weights, losses and optimiser stay in float32. The same machine type always gives the same numbers.
    """
    wanted = precision == "bfloat16" or (precision == "auto" and has_fast_bfloat16())
    return torch.autocast("cpu", torch.bfloat16, enabled=wanted)


class Conv3d(nn.Conv3d):
    """A 3-D convolution that is done in float32, whatever the arithmetic around it.

    The bfloat16 gradient of its weights in oneDNN, as PyTorch 2.13 ships it, writes past its buffers for some shapes
    (24 channels into 8 on a grid 80 wide is one), which ends in a crash far away, or in wrong numbers. 2-D
    convolutions have a kernel of their own.
    """

    def forward(self, input: Tensor) -> Tensor:
        """The convolution of ``(n, c, d, h, w)`` or ``(c, d, h, w)``."""
        if not torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.to(self.weight.dtype))


class ConvTranspose3d(nn.ConvTranspose3d):
    """A transposed 3-D convolution in float32: see :class:`Conv3d`, whose gradient is its own."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """The transposed convolution of ``(n, c, d, h, w)`` or ``(c, d, h, w)``."""
        if not torch.is_autocast_enabled("cpu"):
            return super().forward(input, output_size)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.to(self.weight.dtype), output_size)
