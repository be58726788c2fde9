"""Cross-entropy and soft Dice of a whole batch of patches, with codes or shares of area, where they are valid."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def shares(y: Tensor, classes: int) -> Tensor:
    """Codes ``(n, ...)`` as shares ``(n, classes, ...)`` float32; shares stay as they are."""
    return functional.one_hot(y, classes).movedim(-1, 1).float() if y.dtype == torch.int64 else y


def region_loss(raw: Tensor, y: Tensor, valid: Tensor | None) -> Tensor:
    """Mean cross-entropy plus one minus the mean soft Dice of the structures in the batch.

    ``raw`` ``(n, k, ...)``; ``y`` codes ``(n, ...)`` int64 or shares ``(n, k, ...)``; ``valid`` ``(n, ...)`` bool or
    None. Dice pools the batch, so that a structure which a patch lacks does not count there.
    """
    raw = raw.float()
    truth, weight = shares(y, raw.shape[1]), None if valid is None else valid[:, None].to(raw.dtype)
    entropy = functional.cross_entropy(raw, y, reduction="none")[:, None]
    guess = raw.softmax(1)
    if weight is not None:
        entropy, truth, guess = entropy * weight, truth * weight, guess * weight
    count = entropy.numel() if weight is None else weight.sum().clamp(min=1.0)
    apart = _dice()(guess, truth).flatten()
    here = (truth.movedim(1, 0).flatten(1).sum(1) > 0)[1:]
    dice = apart[here].mean() if bool(here.any()) else apart.sum() * 0.0
    return entropy.sum() / count + dice


@cache
def _dice() -> Any:
    # Seconds and hundreds of megabytes: only who trains on regions pays for it.
    from monai.losses.dice import DiceLoss

    return DiceLoss(include_background=False, batch=True, reduction="none", smooth_nr=1.0, smooth_dr=1.0)
