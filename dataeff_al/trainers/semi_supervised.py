"""Training on few labels and the whole pool: labels spread along the pool's graph, then consistency of the model.

1. Labels propagate over nearest neighbours in the generator's latent space (Iscen et al., 2019), blended with the
   previous model's answers when it knew every class.
2. The network, started from the generator's encoder where names and shapes agree (or, with a warm start, from the
   previous model when it knew every class), learns from the labelled samples and from the pool, weighted by how sure
   its propagated labels are. Where labels foretell each other badly along the graph, labelled samples take the place
   of pool samples in a batch.
3. Consistency training (FixMatch, Sohn et al., 2020, with an averaged teacher and the distribution alignment of
   ReMixMatch, Berthelot et al., 2020): the teacher's sure answer to a slightly changed image is taught for a strongly
   changed one. The teacher is the model.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from dataeff_al.errors import CapabilityError
from dataeff_al.generators.pool_tensor import pool_tensor
from dataeff_al.learners.distortion import Distortion, check_images
from dataeff_al.learners.ensemble import members_of
from dataeff_al.learners.precision import arithmetic
from dataeff_al.learners.protocol import Learner, TargetBatch
from dataeff_al.learners.schedule import batches, one_cycle
from dataeff_al.learners.starting import start_from
from dataeff_al.randomness import seed_for
from dataeff_al.trainers.averaging import Average
from dataeff_al.trainers.protocol import FitReport, TrainerContext
from dataeff_al.trainers.spec import SemiSupervisedParams
from dataeff_al.trainers.spreading import Spread, spread_labels
from dataeff_al.trainers.standard import TrainingSet, finite, notes, training_set
from dataeff_al.view import View

_WEAK = 0.3
_POOLED = 3
_LARGEST_GRADIENT = 5.0


class SemiSupervised:
    """The policy above; every fit takes the same number of steps, however many labels there are."""

    def __init__(self, params: SemiSupervisedParams) -> None:
        self._params = params
        self._strong = Distortion.of(params)
        self._weak = replace(self._strong, erase=0.0).scaled(_WEAK)

    def fit(self, view: View, previous: Learner | None, seed: int) -> FitReport:
        """Fit a new learner on ``view.labelled`` and the pool.

        Raises CapabilityError without latents, classes or images, TrainingError when nothing is labelled or the loss
        is not finite.
        """
        start = time.perf_counter()
        _check(view)
        learner = view.new_learner(seed_for(seed, "weights"))
        data, spread = training_set(view, learner), spread_labels(view, previous, self._params)
        x = pool_tensor(view.pool, spread.ids, view.codec)
        self._prepare(view, learner, None if spread.new else previous, data)
        lesson = Lesson(learner, data, x, spread, self._params, seed)
        self._imitate(lesson)
        fitted, loss = self._agree(view, lesson) if self._params.consistency_steps else (learner, lesson.last_loss)
        steps = self._params.steps + self._params.consistency_steps
        about = {**notes(view, data), **spread.notes}
        return FitReport(fitted, steps, loss, time.perf_counter() - start, about)

    def _prepare(self, view: View, learner: Learner, previous: Learner | None, data: TrainingSet) -> None:
        """Start from the previous model, or from the encoder: one that never saw a class takes it for another one."""
        learner.calibrate(data.x, data.targets)
        if previous is not None and self._params.warm_start:
            learner.load(members_of(previous)[-1].state())
        elif view.generator is not None:
            start_from(learner, view.generator.state())

    def _imitate(self, lesson: Lesson) -> None:
        """Learn labels and propagated labels, the latter by how sure they are."""
        p, sure = torch.from_numpy(lesson.spread.p), torch.from_numpy(lesson.spread.sure)
        for labelled, pooled in lesson.course("imitate", self._params.steps):
            rows = self._weak(torch.cat([lesson.data.x[labelled], lesson.x[pooled]]), lesson.draws)
            lesson.step(rows, labelled, p[pooled], sure[pooled] * lesson.spread.reliable)

    def _agree(self, view: View, lesson: Lesson) -> tuple[Learner, float]:
        """Learn what the averaged model is sure of, under stronger changes; returns the averaged model."""
        params = self._params
        teacher = Average(lesson.learner, view.new_learner, params.teacher_decay)
        shares = Shares(torch.from_numpy(lesson.spread.p.mean(0)), params.alignment)
        for labelled, pooled in lesson.course("agree", params.consistency_steps):
            p = shares.aligned(teacher.learner.predict(self._weak(lesson.x[pooled], lesson.draws)))
            sure, answer = p.max(1)
            known = self._weak(lesson.data.x[labelled], lesson.draws)
            rows = torch.cat([known, self._strong(lesson.x[pooled], lesson.draws)])
            taught = functional.one_hot(answer, p.shape[1]).float()
            lesson.step(rows, labelled, taught, (sure >= params.threshold).float())
            teacher.step()
        teacher.learner.module.eval()
        return teacher.learner, lesson.last_loss


class Shares:
    """The classes' shares among a teacher's answers, and those that they should have; ``strength`` 0 lets them be."""

    def __init__(self, wanted: Tensor, strength: float = 1.0) -> None:
        self._wanted, self._seen, self._strength = wanted, wanted.clone(), strength

    def aligned(self, p: Tensor) -> Tensor:
        """Answers ``(n, k)`` scaled towards the wanted shares, so that no class swallows the others."""
        if not self._strength:
            return p
        self._seen = 0.99 * self._seen + 0.01 * p.mean(0)
        p = p * (self._wanted / self._seen.clamp(min=1e-6)) ** self._strength
        return p / p.sum(1, keepdim=True)


class Lesson:
    """One fit's learner with what it learns from, and the steps of an optimiser."""

    def __init__(
        self, learner: Learner, data: TrainingSet, x: Tensor, spread: Spread, params: SemiSupervisedParams, seed: int
    ) -> None:
        self.learner, self.data, self.x, self.spread = learner, data, x, spread
        self._params, self._seed, self._at, self.last_loss = params, seed, 0, 0.0
        self.draws = torch.Generator().manual_seed(seed_for(seed, "views"))
        self._known = functional.one_hot(data.targets.y, spread.p.shape[1]).float()
        valid = data.targets.valid
        self._valid = torch.ones(len(data.x)) if valid is None else valid.float()

    def course(self, name: str, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows of labelled and of pool samples for each step of one learning-rate cycle."""
        params, module = self._params, self.learner.module
        decay = params.weight_decay
        self._optimiser = torch.optim.AdamW(module.parameters(), lr=params.learning_rate, weight_decay=decay)
        pool_rows = max(params.batch_size, round(_POOLED * params.batch_size * self.spread.reliable))
        own_rows = (1 + _POOLED) * params.batch_size - pool_rows
        labelled = batches(len(self.data.x), own_rows, steps, seed_for(self._seed, name, "labelled"))
        pooled = batches(len(self.x), pool_rows, steps, seed_for(self._seed, name, "pool"))
        module.train()
        for step, rows in enumerate(zip(labelled, pooled, strict=True)):
            for group in self._optimiser.param_groups:
                group["lr"] = params.learning_rate * one_cycle(step, steps)
            self._at = step
            yield rows
        module.eval()

    def step(self, rows: Tensor, labelled: Tensor, taught: Tensor, weight: Tensor) -> None:
        """One step on labelled rows, which come first, and on pool rows with what they are taught ``(n, k)``.

        Both go through the network together, since its normalisation must see them as one. Raises TrainingError.
        """
        y = torch.cat([self._known[labelled], taught])
        with arithmetic(self._params.precision):
            losses = self.learner.loss(rows, TargetBatch(y))
        own, pool = losses.split([len(labelled), len(taught)])
        loss = (own * self._valid[labelled]).mean() + self._params.pool_weight * (pool * weight).mean()
        value = finite(loss, self._at)
        self.last_loss = 0.95 * self.last_loss + 0.05 * value if self._at else value
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.learner.module.parameters(), _LARGEST_GRADIENT)
        self._optimiser.step()


def _check(view: View) -> None:
    check_images("trainer semi_supervised", view.codec.tensor)
    if view.target.kind != "class":
        raise CapabilityError(f"trainer semi_supervised must have a target of class, but got {view.target.kind!r}.")


def build(params: SemiSupervisedParams, context: TrainerContext) -> SemiSupervised:  # noqa: ARG001
    """The trainer of a campaign."""
    return SemiSupervised(params)
