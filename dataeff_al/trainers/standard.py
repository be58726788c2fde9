"""Supervised training of fixed length."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dataeff_al.errors import TrainingError
from dataeff_al.learners.ensemble import EnsembleLearner, members_of
from dataeff_al.learners.modes import evaluating
from dataeff_al.learners.precision import arithmetic
from dataeff_al.learners.protocol import Learner, TargetBatch
from dataeff_al.learners.schedule import batches, one_cycle
from dataeff_al.priors.protocol import Prior
from dataeff_al.randomness import seed_for
from dataeff_al.trainers.augment import Augment, augmentation, symmetric
from dataeff_al.trainers.protocol import FitReport, TrainerContext
from dataeff_al.trainers.spec import StandardParams, members
from dataeff_al.view import View

_LARGEST_GRADIENT = 1.0
_LEAST_WEIGHT, _MOST_WEIGHT = 0.25, 4.0
_ROWS_AT_ONCE = 128


@dataclass(frozen=True)
class TrainingSet:
    """Inputs ``(n, *tensor.shape)`` and targets of the labelled samples, in query order."""

    x: Tensor
    targets: TargetBatch

    def rows(self, index: Tensor) -> TrainingSet:
        """The given rows alone."""
        return TrainingSet(self.x[index], self.targets.rows(index))


class Changes:
    """What happens to each batch of a fit before it is learnt: an augmentation, and the symmetries that are stated."""

    def __init__(self, augment: Augment, priors: Sequence[Prior], seed: int) -> None:
        self.seed, self._augment, self._priors = seed, augment, priors
        self._generator = torch.Generator().manual_seed(seed_for(seed, "augment"))

    def __call__(self, batch: TrainingSet) -> TrainingSet:
        """The batch as the network sees it."""
        x, targets = symmetric(self._priors, batch.x, batch.targets, self._generator)
        return TrainingSet(self._augment(x, self._generator), targets)


class Standard:
    """AdamW with one learning-rate cycle; every fit takes the same number of full batches.

    With ``ensemble: rounds`` the report's learner is an :class:`EnsembleLearner` of the newest fits; only its newest
    member is used for a warm start and for nothing else is an older one trained again.

    With ``ensemble: members`` it is an :class:`EnsembleLearner` of models that were fitted independently of each other;
    a member goes on from, and weights by, its own predecessor alone.
    """

    def __init__(self, params: StandardParams) -> None:
        self._params = params

    def fit(self, view: View, previous: Learner | None, seed: int) -> FitReport:
        """Fit a new learner on ``view.labelled``.

        Raises :class:`TrainingError` when nothing is labelled or the loss is not finite.
        """
        if (size := members(self._params)) > 1:
            return self.assemble([self.fit_member(view, previous, seed, number) for number in range(size)])
        return self._fit(view, previous, seed)

    def fit_member(self, view: View, previous: Learner | None, seed: int, number: int) -> FitReport:
        """Fit one member of a committee. Raises :class:`TrainingError` as :meth:`fit` does."""
        own = None
        if previous is not None:
            before = members_of(previous)
            own = before[min(number, len(before) - 1)]
        return self._fit(view, own, seed_for(seed, "member", number))

    def assemble(self, reports: Sequence[FitReport]) -> FitReport:
        """The committee; its loss is the mean of the members', steps and seconds are summed."""
        steps, seconds = sum(report.steps for report in reports), sum(report.seconds for report in reports)
        loss = sum(report.loss for report in reports) / len(reports)
        about = {**reports[0].notes, "members": str(len(reports))}
        return FitReport(EnsembleLearner([report.learner for report in reports]), steps, loss, seconds, about)

    def _fit(self, view: View, previous: Learner | None, seed: int) -> FitReport:
        start = time.perf_counter()
        learner = view.new_learner(seed_for(seed, "weights"))
        data = training_set(view, learner)
        augment = augmentation(self._params.augment, view.codec.tensor, view.target)
        self._prepare(learner, previous, data)
        data = self._weighted(data, previous)
        loss = self._optimise(learner, data, Changes(augment, view.priors, seed))
        seconds = time.perf_counter() - start
        return FitReport(self._assembled(learner, previous), self._params.steps, loss, seconds, notes(view, data))

    def _prepare(self, learner: Learner, previous: Learner | None, data: TrainingSet) -> None:
        if previous is not None and self._params.warm_start:
            learner.load(members_of(previous)[-1].state())
        else:
            learner.calibrate(data.x, data.targets)

    def _weighted(self, data: TrainingSet, previous: Learner | None) -> TrainingSet:
        """Weights by the previous model's error: it is the prior of this round (Mo et al., 2020)."""
        if previous is None or self._params.reweight == "none":
            return data
        weight = sample_losses(previous, data)
        weight = (weight / weight.mean().clamp(min=1e-12)).clamp(_LEAST_WEIGHT, _MOST_WEIGHT)
        targets = data.targets
        return TrainingSet(data.x, TargetBatch(targets.y, targets.valid, weight / weight.mean()))

    def _optimise(self, learner: Learner, data: TrainingSet, changes: Changes) -> float:
        """Train in place; the mean loss of the last tenth of the steps."""
        params, module = self._params, learner.module
        optimiser = torch.optim.AdamW(module.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay)
        tail, losses = max(params.steps // 10, 1), []
        module.train()
        for step, index in enumerate(
            batches(len(data.x), params.batch_size, params.steps, seed_for(changes.seed, "batches"))
        ):
            for group in optimiser.param_groups:
                group["lr"] = params.learning_rate * one_cycle(step, params.steps)
            batch = changes(data.rows(index))
            optimiser.zero_grad(set_to_none=True)
            with arithmetic(params.precision):
                loss = weighted_mean(learner.loss(batch.x, batch.targets), batch.targets.weight)
            losses.append(finite(loss, step))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), _LARGEST_GRADIENT)
            optimiser.step()
        module.eval()
        return sum(losses[-tail:]) / tail

    def _assembled(self, learner: Learner, previous: Learner | None) -> Learner:
        if previous is None or self._params.ensemble != "rounds":
            return learner
        older = members_of(previous)[-(self._params.ensemble_size - 1) :]
        return EnsembleLearner([*older, learner])


def training_set(view: View, learner: Learner) -> TrainingSet:
    """The labelled samples as tensors.

    Raises :class:`TrainingError` when there are none, no label is valid anywhere, or an input is not finite.
    """
    if not view.labelled:
        raise TrainingError("a fit must have one labelled sample or more, but got none.")
    targets = learner.targets([labelled.label for labelled in view.labelled])
    if targets.valid is not None and not bool(targets.valid.any()):
        raise TrainingError("a fit must have one valid label entry or more, but got only invalid ones.")
    x = view.codec.soften([labelled.sample for labelled in view.labelled])
    bad = (~torch.isfinite(x).flatten(1).all(1)).nonzero().flatten()
    if len(bad):
        sample = view.labelled[int(bad[0])].sample.id
        raise TrainingError(f"inputs must be finite, but got a NaN or an infinity in sample {sample!r}.")
    return TrainingSet(x, targets)


def sample_losses(learner: Learner, data: TrainingSet) -> Tensor:
    """Loss of each sample ``(n,)`` in evaluation mode, without gradient."""
    with torch.no_grad(), evaluating(learner.module):
        parts = torch.arange(len(data.x)).split(_ROWS_AT_ONCE)
        return torch.cat([learner.loss(data.x[rows], data.targets.rows(rows)) for rows in parts])


def weighted_mean(losses: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of the losses, each times its weight."""
    return losses.mean() if weight is None else (losses * weight).mean()


def finite(loss: Tensor, step: int) -> float:
    """The loss as a number. Raises TrainingError when it is not finite."""
    value = float(loss.detach())
    if not torch.isfinite(loss):
        raise TrainingError(f"the training loss must stay finite, but got {value} at step {step}.")
    return value


def notes(view: View, data: TrainingSet) -> Mapping[str, str]:
    """What a reader of the report should know about the training set."""
    found = {"labelled": str(len(view.labelled))}
    invalid = 0 if data.targets.valid is None else int((~data.targets.valid.reshape(len(data.x), -1).any(1)).sum())
    if invalid:
        found["without_valid_label"] = str(invalid)
    if view.target.kind == "class" and data.targets.y.dim() == 1:
        seen = Counter(view.target.classes[int(code)] for code in data.targets.y)
        if len(seen) == 1:
            found["one_class_only"] = f"all {len(view.labelled)} labels are {next(iter(seen))!r}"
    return found


def build(params: StandardParams, context: TrainerContext) -> Standard:  # noqa: ARG001
    """The trainer of a campaign."""
    return Standard(params)
