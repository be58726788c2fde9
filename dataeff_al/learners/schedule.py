"""Batches and learning rates of a fit of fixed length."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

_WARM_UP = 0.25
_START, _END = 0.04, 0.001


def one_cycle(step: int, steps: int) -> float:
    """Factor on the peak learning rate at ``step`` of ``steps``: cosine up over a quarter, cosine down to the end.

    After Smith and Topin, 2018.
    """
    done = step / max(steps - 1, 1)
    if done < _WARM_UP:
        return _START + (1.0 - _START) * 0.5 * (1.0 - math.cos(math.pi * done / _WARM_UP))
    return _END + (1.0 - _END) * 0.5 * (1.0 + math.cos(math.pi * (done - _WARM_UP) / (1.0 - _WARM_UP)))


def batches(rows: int, size: int, steps: int, seed: int) -> Iterator[Tensor]:
    """``steps`` index tensors ``(size,)`` int64 out of ``rows``: one shuffled pass after another, cut into batches.

    A batch is always full, also when there are fewer rows than its size, so that every fit costs the same.
    """
    generator = torch.Generator().manual_seed(seed)
    waiting = torch.zeros(0, dtype=torch.int64)
    for _ in range(steps):
        while len(waiting) < size:
            waiting = torch.cat([waiting, torch.randperm(rows, generator=generator)])
        yield waiting[:size]
        waiting = waiting[size:]
