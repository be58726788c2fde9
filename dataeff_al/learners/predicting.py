"""Predictions for many samples, a block at a time."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from dataeff_al.learners.protocol import Learner
from dataeff_al.samples.types import Sample

ROWS = 256


def predictions(
    learner: Learner, soften: Callable[[Sequence[Sample]], Tensor], samples: Sequence[Sample]
) -> np.ndarray:
    """Predictions for samples, in blocks, in natural units: ``(n, ...)`` float32."""
    blocks = range(0, len(samples), ROWS)
    return np.concatenate([learner.predict(soften(samples[at : at + ROWS])).float().numpy() for at in blocks])
