"""The contract of a learner, for plugin authors::

check_learner(new_learner, view)        # new_learner(seed) makes an untrained one for the view's pool
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from dataeff_al.digests import digest_bytes
from dataeff_al.learners.protocol import Learner, TargetBatch
from dataeff_al.testing.refusals import refusal
from dataeff_al.testing.views import with_invalid_labels
from dataeff_al.view import View

MakeLearner = Callable[[int], Learner]


def check_learner(make: MakeLearner, view: View, seed: int = 0) -> None:
    """All rules of a learner; raises AssertionError with the broken one. The view must hold four labels or more."""
    assert isinstance(make(seed), Learner), "a learner must have all members of the protocol"
    check_same_seed_same_weights(make, seed)
    learner, x, targets = calibrated(make, view, seed)
    check_loss(learner, x, targets)
    check_gradient(learner, x, targets)
    check_masks(make, view, seed)
    check_predictions(learner, x, view)
    check_state(make, learner, x, targets)
    check_wrong_labels(learner, view)


def calibrated(make: MakeLearner, view: View, seed: int) -> tuple[Learner, Tensor, TargetBatch]:
    """A learner calibrated on the view's labels, in evaluation mode, with inputs and targets."""
    learner = make(seed)
    targets = learner.targets([entry.label for entry in view.labelled])
    x = view.codec.soften([entry.sample for entry in view.labelled])
    learner.calibrate(x, targets)
    learner.module.eval()
    return learner, x, targets


def check_same_seed_same_weights(make: MakeLearner, seed: int) -> None:
    """``new_learner`` depends on its seed alone."""
    state = digest_bytes(make(seed).state())
    torch.rand(3)
    assert digest_bytes(make(seed).state()) == state, "the same seed must give the same weights"
    assert digest_bytes(make(seed + 1).state()) != state, "another seed must give other weights"


def check_loss(learner: Learner, x: Tensor, targets: TargetBatch) -> None:
    """One finite loss for each sample, independent of the others in the batch and of the weights."""
    loss = learner.loss(x, targets).detach()
    assert loss.shape == (len(x),), f"loss must be ({len(x)},), but got {tuple(loss.shape)}"
    assert bool(torch.isfinite(loss).all()), "loss must be finite"
    rows = torch.arange(len(x)).flip(0)[:2]
    part = learner.loss(x[rows], targets.rows(rows)).detach()
    assert torch.allclose(part, loss[rows], rtol=1e-3, atol=1e-4), "a sample's loss must not depend on its batch"
    weighted = TargetBatch(targets.y, targets.valid, torch.full((len(x),), 7.0))
    assert torch.equal(learner.loss(x, weighted).detach(), loss), "loss must not be weighted"


def check_gradient(learner: Learner, x: Tensor, targets: TargetBatch) -> None:
    """What offers ``gradient`` is differentiable in x, sample by sample, and leaves x alone."""
    if "gradient" not in learner.offers:
        return
    soft, before = x.clone().requires_grad_(True), x.clone()
    (gradient,) = torch.autograd.grad(learner.loss(soft, targets)[0], soft)
    assert torch.equal(soft.detach(), before), "loss must not change its input"
    assert bool(torch.isfinite(gradient).all()), "the loss's gradient in x must be finite"
    assert bool(gradient[0].any()), "loss must be differentiable in x"
    assert not bool(gradient[1:].any()), "a sample's loss must depend on that sample alone"


def check_masks(make: MakeLearner, view: View, seed: int) -> None:
    """A label that is invalid everywhere costs nothing; NaN never reaches the loss."""
    learner, x, _ = calibrated(make, view, seed)
    spoilt = learner.targets([entry.label for entry in with_invalid_labels(view, 1).labelled])
    assert bool(torch.isfinite(spoilt.y.float()).all()), "targets must be finite where a label is NaN"
    loss = learner.loss(x, spoilt).detach()
    assert bool(torch.isfinite(loss).all()), "loss must be finite where a label is NaN"
    assert float(loss[1:].abs().sum()) > 0, "valid labels must count"
    (gradient,) = torch.autograd.grad(learner.loss(x.clone().requires_grad_(True), spoilt).sum(), [_first(learner)])
    assert bool(torch.isfinite(gradient).all()), "weights' gradients must be finite where a label is NaN"
    fresh = make(seed)
    fresh.calibrate(x, spoilt)
    assert bool(torch.isfinite(fresh.predict(x)).all()), "scales must be finite where a label is NaN"


def check_predictions(learner: Learner, x: Tensor, view: View) -> None:
    """Predictions of the declared form, without gradient, the mode untouched; features one row a sample."""
    learner.module.train()
    found, again, features = learner.predict(x), learner.predict(x), learner.features(x)
    assert learner.module.training, "predicting must leave the module's mode alone"
    learner.module.eval()
    assert torch.equal(found, again), "predicting twice must give the same"
    carried = [name for name, value in (("predictions", found), ("features", features)) if value.requires_grad]
    assert not carried, f"what is predicted must carry no gradient, but got one on {carried}"
    assert tuple(features.shape) == (len(x), features.shape[-1]), (
        f"features must be (n, f), but got {tuple(features.shape)}"
    )
    expected = _expected_shape(view, len(x))
    assert tuple(found.shape) == expected, f"predictions must be {expected}, but got {tuple(found.shape)}"
    if "probabilities" in learner.offers:
        total = found.sum(1)
        assert torch.allclose(total, torch.ones_like(total), atol=1e-4), "probabilities must sum to one"


def check_state(make: MakeLearner, learner: Learner, x: Tensor, targets: TargetBatch) -> None:
    """A state loaded into another learner gives the same predictions and losses; nonsense is refused."""
    other = make(12345)
    other.load(learner.state())
    other.module.eval()
    assert torch.equal(other.predict(x), learner.predict(x)), "a loaded state must predict the same"
    assert torch.equal(other.loss(x, targets), learner.loss(x, targets)), "a loaded state must give the same loss"
    assert digest_bytes(other.state()) == digest_bytes(learner.state()), "a loaded state must be saved the same"
    assert refusal(lambda: other.load(b"not a state")), "a state that is none must be a clear error"


def check_wrong_labels(learner: Learner, view: View) -> None:
    """A label without the target is a clear error."""
    label = replace(view.labelled[0].label, target={})
    assert refusal(lambda: learner.targets([label])), "a label without its target must be a clear error"


def _expected_shape(view: View, n: int) -> tuple[int, ...]:
    shape, classes = tuple(view.target.shape), len(view.target.classes)
    return (n, classes, *shape) if view.target.kind in ("class", "mask") else (n, *shape)


def _first(learner: Learner) -> Tensor:
    return next(iter(learner.module.parameters()))
