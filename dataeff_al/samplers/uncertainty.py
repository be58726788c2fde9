"""How undecided the current model is about pool samples."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from torch import Tensor

from dataeff_al.errors import CapabilityError
from dataeff_al.learners.protocol import Learner
from dataeff_al.samplers.candidates import inputs
from dataeff_al.samples.types import SampleId
from dataeff_al.view import View


def margins(view: View, learner: Learner, ids: Sequence[SampleId]) -> np.ndarray:
    """Difference of the two largest probabilities ``(n,)`` float32; averaged over pixels where each has its own.

    Raises :class:`CapabilityError` when the learner predicts no probabilities.
    """
    return 1.0 - undecidedness(view, learner, ids, _closeness)


def entropies(view: View, learner: Learner, ids: Sequence[SampleId]) -> np.ndarray:
    """Entropy of the predicted probabilities ``(n,)`` float32 [nat]; averaged over pixels where each has its own.

    Raises :class:`CapabilityError` when the learner predicts no probabilities.
    """
    return undecidedness(view, learner, ids, entropy)


def undecidedness(
    view: View, learner: Learner, ids: Sequence[SampleId], measure: Callable[[Tensor], Tensor]
) -> np.ndarray:
    """A measure of probabilities ``(n, k, ...) -> (n, ...)``, averaged over pixels: ``(n,)`` float32."""
    if "probabilities" not in learner.offers:
        raise CapabilityError(f"the learner must offer probabilities, but got {sorted(learner.offers)}.")
    parts = [measure(learner.predict(x)).reshape(len(x), -1).mean(1).numpy() for x in inputs(view, ids)]
    return np.concatenate(parts)


def entropy(p: Tensor) -> Tensor:
    """Entropy of probabilities ``(n, k, ...)``: ``(n, ...)`` [nat]; a probability of zero counts nothing."""
    return -(p * p.clamp(min=1e-12).log()).sum(1)


def _closeness(p: Tensor) -> Tensor:
    """One minus the difference of the two largest probabilities."""
    best = p.topk(2, dim=1).values
    return 1.0 - (best[:, 0] - best[:, 1])


MEASURES: Mapping[str, Callable[[View, Learner, Sequence[SampleId]], np.ndarray]] = {
    "margin": lambda view, learner, ids: 1.0 - margins(view, learner, ids),
    "entropy": entropies,
}
"""Undecidedness by name, larger where the model is less sure."""
