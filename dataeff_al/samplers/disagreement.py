"""Where a committee disagrees: the models of an ensemble, or one model under exact symmetries of the task.

Both are answers to the same question that should be equal; their spread needs no labels and follows the error closely.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dataeff_al.errors import CapabilityError
from dataeff_al.learners.ensemble import members_of
from dataeff_al.learners.protocol import Learner, TargetBatch
from dataeff_al.samplers.candidates import inputs
from dataeff_al.samplers.uncertainty import entropy
from dataeff_al.samples.regions import defined
from dataeff_al.samples.types import SampleId
from dataeff_al.view import View

_LEAST = 1e-12


def disagreements(view: View, learner: Learner, ids: Sequence[SampleId], relative: float = 0.0) -> np.ndarray:
    """How far the committee's answers lie apart ``(n,)`` float64, averaged over pixels where the target is defined.

    Of probabilities: the mutual information of answer and member [nat] (BALD, Houlsby et al., 2011). Of values: the
    variance over members, each channel in units of its mean over ``ids``; ``relative`` (0 to 1) weighs in the variance
    in units of the sample's own mean square, which does not favour samples of large values.

    Raises :class:`CapabilityError` when there is neither an ensemble nor a symmetry.
    """
    if len(members_of(learner)) < 2 and not view.priors:
        raise CapabilityError("a committee must be an ensemble or have a prior with symmetries, but got neither.")
    if "probabilities" in learner.offers:
        return np.concatenate([_information(*_asked(view, learner, x)) for x in inputs(view, ids)])
    moments = [_moments(*_asked(view, learner, x)) for x in inputs(view, ids)]
    variance, square = (np.concatenate(parts) for parts in zip(*moments, strict=True))
    return (1.0 - relative) * _balanced(variance) + relative * _balanced(variance / np.maximum(square, _LEAST))


def answers(view: View, learner: Learner, x: Tensor) -> Tensor:
    """Every member's answers under every symmetry, all in the frame of ``x``: ``(m, n, k, ...)``, plain ones first."""
    return torch.cat([_under_symmetries(view, member, x) for member in members_of(learner)])


def _under_symmetries(view: View, member: Learner, x: Tensor) -> Tensor:
    plain = member.predict(x)
    moved = [pair for prior in view.priors for pair in prior.orbit(x, TargetBatch(plain))[1:]]
    return torch.stack([plain, *(pair.back(member.predict(pair.x)) for pair in moved)])


def _asked(view: View, learner: Learner, x: Tensor) -> tuple[Tensor, Tensor]:
    """The answers, and where they count ``(n, 1, ...)`` float32."""
    found = answers(view, learner, x).float()
    return found, defined(view.target, view.pool.spec, x).float().reshape(len(x), 1, *_grid(found))


def _grid(found: Tensor) -> tuple[int, ...]:
    return tuple(found.shape[3:])


def _information(found: Tensor, where: Tensor) -> np.ndarray:
    """Mutual information ``(n,)``: entropy of the mean answer less the mean entropy."""
    between = entropy(found.mean(0)) - torch.stack([entropy(member) for member in found]).mean(0)
    return _over_pixels(between[:, None], where)[:, 0]


def _moments(found: Tensor, where: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Variance over members and mean square of the mean answer, each ``(n, k)``."""
    return _over_pixels(found.var(0, correction=0), where), _over_pixels(found.mean(0) ** 2, where)


def _over_pixels(values: Tensor, where: Tensor) -> np.ndarray:
    """Means of ``(n, k, ...)`` over the pixels that count: ``(n, k)`` float64; 0 where none does."""
    weight = where.expand_as(values).double().flatten(2) if values.dim() > 2 else torch.ones_like(values)[..., None]
    flat = values.double().flatten(2) if values.dim() > 2 else values.double()[..., None]
    return np.asarray(((flat * weight).sum(2) / weight.sum(2).clamp(min=1.0)).numpy())


def _balanced(values: np.ndarray) -> np.ndarray:
    """Mean over channels ``(n,)``, each channel in units of its own mean, so that none drowns the others."""
    return np.asarray((values / np.maximum(values.mean(0), _LEAST)).mean(1))
