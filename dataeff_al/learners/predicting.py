"""Predictions for many samples, a block at a time."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from dataeff_al.learners.protocol import Learner
from dataeff_al.samples.protocol import Codec
from dataeff_al.samples.regions import blanked, undefined_codes
from dataeff_al.samples.types import Sample, SampleSpec, TargetSpec

ROWS = 256


def predictions(
    learner: Learner, soften: Callable[[Sequence[Sample]], Tensor], samples: Sequence[Sample]
) -> np.ndarray:
    """Predictions for samples, in blocks, in natural units: ``(n, ...)`` float32."""
    blocks = range(0, len(samples), ROWS)
    return np.concatenate([learner.predict(soften(samples[at : at + ROWS])).float().numpy() for at in blocks])


def predictions_where_defined(
    learner: Learner, codec: Codec, form: SampleSpec, target: TargetSpec, samples: Sequence[Sample]
) -> np.ndarray:
    """As :func:`predictions`, with NaN where the target has no value, such as stress outside tissue."""
    found = predictions(learner, codec.soften, samples)
    if not undefined_codes(target, form):
        return found
    return blanked(target, form, np.stack([sample.fields[form.input] for sample in samples]), found)
