"""Greedy block-wise training: B_1 is fitted and frozen, then B_2, and so on; L_k = Dice + cross-entropy of P_k.

While block k is fitted, the blocks before it answer without keeping anything for a gradient, and those after it do not
run at all: memory follows the block. The joint control fits the same network all at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from dataeff_al.errors import CapabilityError
from dataeff_al.learners.cascade import CascadeLearner
from dataeff_al.learners.ensemble import members_of
from dataeff_al.learners.grid_learner import frozen
from dataeff_al.learners.protocol import Learner, TargetBatch
from dataeff_al.learners.region_loss import region_loss
from dataeff_al.randomness import seed_for
from dataeff_al.trainers.blockwise_labels import reduced
from dataeff_al.trainers.blockwise_spec import BlockwiseParams
from dataeff_al.trainers.descent import Descent
from dataeff_al.trainers.patches import PatchSource, changed
from dataeff_al.trainers.protocol import FitReport, TrainerContext
from dataeff_al.trainers.standard import TrainingSet, notes, training_set
from dataeff_al.view import View

_FINE_TUNING = 0.1


class Blockwise:
    """The policy of a campaign; see :class:`~dataeff_al.trainers.blockwise_spec.BlockwiseParams`."""

    def __init__(self, params: BlockwiseParams) -> None:
        self._params = params

    def fit(self, view: View, previous: Learner | None, seed: int) -> FitReport:
        """Fit a new learner on ``view.labelled``.

        Raises :class:`TrainingError` when nothing is labelled or a loss is not finite, :class:`CapabilityError` when
        the learner is not made of blocks.
        """
        start = time.perf_counter()
        learner = blocks_of(view.new_learner(seed_for(seed, "weights")))
        data = training_set(view, learner)
        if previous is not None and self._params.warm_start:
            learner.load(members_of(previous)[-1].state())
        learner.calibrate(data.x, data.targets)
        run = Run(self._params, learner, data, seed)
        loss = ORDERS[self._params.order](run)
        about = dict(notes(view, data)) | run.notes
        return FitReport(learner, run.steps, loss, time.perf_counter() - start, about)


class Run:
    """One fit: its patches, and the steps it has taken."""

    def __init__(self, params: BlockwiseParams, learner: CascadeLearner, data: TrainingSet, seed: int) -> None:
        self.params, self.learner, self.steps, self.notes = params, learner, 0, dict[str, str]()
        self._descend = Descent(params.learning_rate, params.weight_decay, params.precision)
        self._generator = torch.Generator().manual_seed(seed_for(seed, "patches"))
        layout = learner.layout
        context = layout.context if layout.by_slices else 0
        self._source = PatchSource(data.x, data.targets, layout.patch, layout.images, context)

    def greedy(self) -> float:
        """One block after the other; then, where it is asked for, all of them together."""
        loss = 0.0
        for place, block in enumerate(self.learner.blocks):
            with frozen(self.learner.blocks[:place]):
                loss = self._train(self._descend, [block], self.params.steps, partial(self.block_loss, place))
            self.notes[f"block_{place + 1}"] = (
                f"at 1/{self.learner.coarser[place]} of the resolution, {self.params.steps} steps, loss {loss:.4g}"
            )
        if self.params.fine_tune_steps:
            slower = replace(self._descend, learning_rate=_FINE_TUNING * self.params.learning_rate)
            loss = self._train(slower, self.learner.blocks, self.params.fine_tune_steps, self.joint_loss)
        return loss

    def joint(self) -> float:
        """All blocks at once."""
        return self._train(self._descend, self.learner.blocks, self.params.steps, self.joint_loss)

    def _train(self, descend: Descent, blocks: Sequence[nn.Module], steps: int, loss: Callable[[], Tensor]) -> float:
        self.steps += steps
        return descend(blocks, steps, lambda _: loss())

    def block_loss(self, place: int) -> Tensor:
        """The loss of one block on a fresh batch; what comes before it keeps nothing for a gradient."""
        x, targets = self._batch()
        raw = self.learner.block_answers(x, place + 1, tuple(targets.y.shape[1:]), through=False)[-1]
        return self._loss(place, raw, targets)

    def joint_loss(self) -> Tensor:
        """The sum of all blocks' losses on a fresh batch, or the last one's alone."""
        x, targets = self._batch()
        count = len(self.learner.blocks)
        raw = self.learner.block_answers(x, count, tuple(targets.y.shape[1:]), through=True)
        chosen = range(count) if self.params.deep_supervision else [count - 1]
        return torch.stack([self._loss(place, raw[place], targets) for place in chosen]).sum()

    def _loss(self, place: int, raw: Tensor, targets: TargetBatch) -> Tensor:
        y = self._rows(targets)
        found = reduced(y, self.learner.coarser[place], raw.shape[1], self.params.reduction)
        return region_loss(raw, found.y, found.valid)

    def _rows(self, targets: TargetBatch) -> TargetBatch:
        """Targets as the network's rows: slices of a volume apart where it sees slices."""
        if not self.learner.layout.by_slices:
            return targets
        return TargetBatch(targets.y.flatten(0, 1), None if targets.valid is None else targets.valid.flatten(0, 1))

    def _batch(self) -> tuple[Tensor, TargetBatch]:
        x, targets = self._source.draw(self.params.batch_size, self._generator, around=self.params.around)
        if self.params.augment:
            x, targets = changed(x, targets, self._source.images, self._generator, mirrors=self.learner.mirrors)
        return x, targets


ORDERS: Mapping[str, Callable[[Run], float]] = {"greedy": Run.greedy, "joint": Run.joint}
"""How blocks are fitted, by name."""


def blocks_of(learner: Learner) -> CascadeLearner:
    """The learner, which must be made of blocks. Raises :class:`CapabilityError` otherwise."""
    if "blocks" not in learner.offers:
        raise CapabilityError(f"blockwise must have a learner of blocks, but got one of {sorted(learner.offers)!r}.")
    found: CascadeLearner = learner  # type: ignore[assignment]
    return found


def build(params: BlockwiseParams, context: TrainerContext) -> Blockwise:  # noqa: ARG001
    """The trainer of a campaign."""
    return Blockwise(params)
