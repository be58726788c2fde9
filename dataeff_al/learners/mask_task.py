"""Segmentation: cross-entropy and soft Dice over valid pixels."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from dataeff_al.labeling.types import Label
from dataeff_al.learners.protocol import TargetBatch
from dataeff_al.learners.tasks import Task, codes_in_range, masked_mean, masks

_SMOOTH = 1.0


class MaskTask(Task):
    """A class code for each pixel."""

    @property
    def outputs(self) -> int:
        """One logit for each class."""
        return len(self.target.classes)

    @property
    def offers(self) -> frozenset[str]:
        """Probabilities for each pixel."""
        return frozenset({"probabilities"})

    def targets(self, labels: Sequence[Label]) -> TargetBatch:
        """``y`` ``(n, [d,] h, w)`` int64, 0 where not valid; ``valid`` of the same shape or None."""
        valid = masks(labels, tuple(self.target.shape))
        return TargetBatch(codes_in_range(self.arrays(labels), self.outputs, valid), valid)

    def loss(self, raw: Tensor, targets: TargetBatch) -> Tensor:
        """Mean cross-entropy plus one minus the mean soft Dice of all classes; 0 where no pixel is valid."""
        raw = raw.float()
        entropy = masked_mean(functional.cross_entropy(raw, targets.y, reduction="none"), targets.valid)
        probabilities = raw.softmax(1).flatten(2)
        truth = functional.one_hot(targets.y, self.outputs).to(raw.dtype).movedim(-1, 1).flatten(2)
        if targets.valid is not None:
            valid = targets.valid.flatten(1)[:, None].to(raw.dtype)
            probabilities, truth = probabilities * valid, truth * valid
        overlap = 2.0 * (probabilities * truth).sum(2) + _SMOOTH
        dice = overlap / (probabilities.sum(2) + truth.sum(2) + _SMOOTH)
        return entropy + 1.0 - dice.mean(1)

    def predict(self, raw: Tensor) -> Tensor:
        """Probabilities ``(n, k, [d,] h, w)``."""
        return torch.softmax(raw.float(), 1)
