"""Channels-last memory: about twice as fast for convolutions on a processor."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

_FORMAT = {2: torch.channels_last, 3: torch.channels_last_3d}
_CONVERT: Mapping[int, Callable[..., Any]] = {
    2: nn.utils.convert_conv2d_weight_memory_format,
    3: nn.utils.convert_conv3d_weight_memory_format,
}


def convert(module: nn.Module, dims: int) -> None:
    """Lay the module's convolution weights out channels-last; ``dims``: 2 or 3."""
    _CONVERT[dims](module, _FORMAT[dims])


def laid_out(x: Tensor) -> Tensor:
    """``x`` ``(n, c, [d,] h, w)`` in channels-last memory."""
    return x.contiguous(memory_format=_FORMAT[x.dim() - 2])
