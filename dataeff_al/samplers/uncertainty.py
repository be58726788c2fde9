"""How undecided the current model is about pool samples."""

from collections.abc import Sequence

import numpy as np

from dataeff_al.errors import CapabilityError
from dataeff_al.learners.protocol import Learner
from dataeff_al.samplers.candidates import inputs
from dataeff_al.samples.types import SampleId
from dataeff_al.view import View


def margins(view: View, learner: Learner, ids: Sequence[SampleId]) -> np.ndarray:
    """Difference of the two largest probabilities ``(n,)`` float32; averaged over pixels where each has its own.

    Raises :class:`CapabilityError` when the learner predicts no probabilities.
    """
    if "probabilities" not in learner.offers:
        raise CapabilityError(f"the learner must offer probabilities, but got {sorted(learner.offers)}.")
    found = []
    for x in inputs(view, ids):
        best = learner.predict(x).topk(2, dim=1).values
        found.append((best[:, 0] - best[:, 1]).reshape(len(x), -1).mean(1).numpy())
    return np.concatenate(found)
