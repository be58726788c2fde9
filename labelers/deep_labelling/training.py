"""Fitting networks from annotated images, to the last step of one schedule."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from dataeff_al.errors import TrainingError

Made = TypeVar("Made")
WEIGHT_DECAY, CLIP, WARM_UP = 1e-3, 5.0, 0.2
FEWEST_HELD_BACK = 6
PARTS, PARTS_OF_FEW = 2, 4
FEW_CASES, FEW_IMAGES = 8, 100
"""Of fewer than this a half is so much less than all that networks which saw it say little about those that saw all."""


def generator_of(rng: np.random.Generator) -> torch.Generator:
    """A torch generator seeded from a numpy one."""
    return torch.Generator().manual_seed(int(rng.integers(2**62)))


def fit(
    network: nn.Module, loss: Callable[[torch.Generator], Tensor], steps: int, rate: float, generator: torch.Generator
) -> list[float]:
    """Minimise ``loss`` over a network's weights with AdamW and a one-cycle schedule; the loss of every step.

    Raises TrainingError when the loss is not a number.
    """
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=WEIGHT_DECAY)
    # A warm-up that ends with its first step has no length to be divided by.
    warm_up = max(WARM_UP, 2 / (steps + 1))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1, pct_start=warm_up)
    network.train()
    losses: list[float] = []
    for _ in range(steps):
        value = loss(generator)
        optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimiser.step()
        schedule.step()
        losses.append(value.item())
    network.eval()
    if not np.isfinite(losses).all():
        raise TrainingError(f"the loss must stay finite, but got {losses[-1]!r} after {steps} steps.")
    return losses


def initialised(make: Callable[[], Made], generator: torch.Generator) -> Made:
    """Networks whose first weights depend on the generator alone; making them leaves torch's own numbers untouched."""
    seed = int(torch.randint(2**31, (1,), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def folds(count: int, groups: np.ndarray | None, rng: np.random.Generator) -> np.ndarray | None:
    """The part ``(count,)`` of each image, which one network leaves out: whole groups, or without groups runs of
    neighbours in the set, which are often slices of one case; halves, or quarters where there is little. None for sets
    of which nothing can be held back.
    """
    if count < FEWEST_HELD_BACK:
        return None
    if groups is None:
        parts = PARTS_OF_FEW if 2 * FEWEST_HELD_BACK <= count < FEW_IMAGES else PARTS
        return np.arange(count) * parts // count
    names, place = np.unique(groups, return_inverse=True)
    if len(names) < PARTS:
        return None
    parts = min(PARTS_OF_FEW, len(names)) if len(names) < FEW_CASES else PARTS
    return np.asarray((rng.permutation(len(names)) % parts)[place])
