"""Where a target has values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from dataeff_al.samples.types import SampleSpec, TargetSpec

if TYPE_CHECKING:
    from torch import Tensor


def undefined_codes(target: TargetSpec, samples: SampleSpec) -> list[int]:
    """Codes of the input's classes where the target has no value; none when the input has no such classes."""
    classes = list(samples.input_field.classes)
    return [classes.index(name) for name in target.undefined_in if name in classes]


def defined(target: TargetSpec, samples: SampleSpec, x: Tensor) -> Tensor:
    """Where the target of network inputs ``(n, c, [d,] h, w)`` has values: ``(n, [d,] h, w)`` bool, ``(n,)`` for
    targets without pixels."""
    if target.kind not in ("mask", "field"):
        return torch.ones(len(x), dtype=torch.bool)
    codes = undefined_codes(target, samples)
    if not codes:
        return torch.ones((len(x), *x.shape[2:]), dtype=torch.bool)
    return ~torch.isin(x.argmax(1), torch.tensor(codes))


def blanked(target: TargetSpec, samples: SampleSpec, codes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values ``(n, k, h, w)`` with NaN where the input's codes ``(n, h, w)`` say that there is none."""
    outside = np.isin(codes, undefined_codes(target, samples))
    return np.where(outside[:, None], np.float32(np.nan), values)
