"""Diverse gradient embeddings: uncertain samples whose gradients point in different directions."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dataeff_al.samplers.candidates import candidates, inputs, learner_of
from dataeff_al.samplers.protocol import Proposal, SamplerContext
from dataeff_al.samplers.spec_strong import BadgeParams, badge_needs
from dataeff_al.view import View


class Badge:
    """BADGE (Ash et al., 2020): k-means++ seeding on gradients of the last layer for the model's own answer.

    The gradient of sample i is ``(p_i - e_i) (x) h_i``, with probabilities ``p``, the most probable class ``e`` and
    the hidden representation ``h``; distances follow from the factors, so that the products are never formed.
    """

    @property
    def needs(self) -> frozenset[str]:
        """``probabilities`` and ``features``."""
        return badge_needs(None)

    def propose(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """At most ``n`` ids; the score is the gradient's squared length. Raises DataError when none is left."""
        ids, learner = candidates(view), learner_of(view, "badge")
        parts = [(_residual(learner.predict(x)), learner.features(x)) for x in inputs(view, ids)]
        residual = torch.cat([part[0] for part in parts]).double().numpy()
        hidden = torch.cat([part[1] for part in parts]).double().numpy()
        length = (residual**2).sum(1) * (hidden**2).sum(1)
        chosen = _seeds(residual, hidden, length, min(n, len(ids)), rng)
        return [Proposal(ids[row], score=float(length[row])) for row in chosen]


def _residual(p: Tensor) -> Tensor:
    """Probabilities less the most probable class, averaged over pixels where each has its own: ``(n, k)``."""
    chosen = torch.zeros_like(p).scatter_(1, p.argmax(1, keepdim=True), 1.0)
    return (p - chosen).flatten(2).mean(2) if p.dim() > 2 else p - chosen


def _seeds(a: np.ndarray, h: np.ndarray, length: np.ndarray, n: int, rng: np.random.Generator) -> list[int]:
    """Rows in the order of k-means++: the longest gradient first, then by squared distance to the chosen."""
    free, distance, chosen = np.ones(len(a), bool), length.copy(), list[int]()
    while len(chosen) < n:
        weight = np.where(free, distance, 0.0)
        if not chosen:
            row = int(weight.argmax())
        elif weight.sum() > 0:
            row = int(rng.choice(len(a), p=weight / weight.sum()))
        else:
            row = int(rng.choice(np.flatnonzero(free)))
        chosen.append(row)
        free[row] = False
        to_row = length + length[row] - 2.0 * (a @ a[row]) * (h @ h[row])
        distance = np.maximum(to_row if len(chosen) == 1 else np.minimum(distance, to_row), 0.0)
    return chosen


def build(params: BadgeParams, context: SamplerContext) -> Badge:  # noqa: ARG001
    """The sampler of a campaign."""
    return Badge()
