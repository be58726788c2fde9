"""What a network's raw output means for each kind of target: its loss, its predictions, its scales."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dataeff_al.errors import DataError
from dataeff_al.labeling.types import Label
from dataeff_al.learners.protocol import TargetBatch
from dataeff_al.samples.types import TargetSpec


class Task(nn.Module, ABC):
    """Between raw network output and the target; its buffers (scales) travel with the learner's weights."""

    def __init__(self, target: TargetSpec) -> None:
        super().__init__()
        self.target = target

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Channels the network must put out."""

    @property
    @abstractmethod
    def offers(self) -> frozenset[str]:
        """What predictions mean for samplers: ``probabilities`` or nothing."""

    @abstractmethod
    def targets(self, labels: Sequence[Label]) -> TargetBatch:
        """Labels to tensors. Raises :class:`DataError` when one breaks the target spec."""

    def calibrate(self, targets: TargetBatch) -> None:
        """Set the scales from a training set; nothing to set by default."""

    @abstractmethod
    def loss(self, raw: Tensor, targets: TargetBatch) -> Tensor:
        """Loss of each sample ``(n,)``, masked by validity."""

    @abstractmethod
    def predict(self, raw: Tensor) -> Tensor:
        """Raw output to probabilities or to values in their unit."""

    def arrays(self, labels: Sequence[Label]) -> np.ndarray:
        """The named target of every label, stacked ``(n, *target.shape)``; shapes are checked."""
        name, shape = self.target.name, tuple(self.target.shape)
        found = []
        for label in labels:
            if name not in label.target:
                raise DataError(f"a label must hold {name!r}, but got {sorted(label.target)}.")
            array = np.asarray(label.target[name])
            if array.shape != shape:
                raise DataError(f"label {name!r} must have shape {shape}, but got {array.shape}.")
            found.append(array)
        return np.stack(found) if found else np.zeros((0, *shape), np.float32)


def masks(labels: Sequence[Label], shape: tuple[int, ...]) -> Tensor | None:
    """Validity masks ``(n, *shape)`` bool, or None when every label is valid everywhere."""
    if all(label.valid is None for label in labels):
        return None
    try:
        rows = [np.broadcast_to(True if label.valid is None else label.valid, shape) for label in labels]
    except ValueError as error:
        raise DataError(f"a validity mask must broadcast to shape {shape}, but got: {error}.") from error
    return torch.from_numpy(np.stack(rows).astype(bool))


def codes_in_range(values: np.ndarray, classes: int, valid: Tensor | None) -> Tensor:
    """Class codes as int64, 0 where not valid. Raises :class:`DataError` for codes outside ``[0, classes)``."""
    with np.errstate(invalid="ignore"):
        codes = values.astype(np.int64)
    if valid is not None:
        codes = np.where(valid.numpy(), codes, 0)
    if codes.size and (codes.min() < 0 or codes.max() >= classes):
        raise DataError(f"class codes must lie in [0, {classes}), but got {codes.min()}..{codes.max()}.")
    return torch.from_numpy(codes)


def masked_mean(values: Tensor, valid: Tensor | None) -> Tensor:
    """Mean over all but the first axis where valid, ``(n,)``; 0 for a sample without any valid entry."""
    if valid is None:
        return values.flatten(1).mean(1)
    weight = valid.expand_as(values).to(values.dtype).flatten(1)
    return (values.flatten(1) * weight).sum(1) / weight.sum(1).clamp(min=1.0)


class ClassTask(Task):
    """One of several classes for each sample: softmax and cross-entropy."""

    @property
    def outputs(self) -> int:
        """One logit for each class."""
        return len(self.target.classes)

    @property
    def offers(self) -> frozenset[str]:
        """Probabilities."""
        return frozenset({"probabilities"})

    def targets(self, labels: Sequence[Label]) -> TargetBatch:
        """``y`` ``(n,)`` int64; ``valid`` ``(n,)`` bool or None."""
        valid = masks(labels, tuple(self.target.shape))
        y = codes_in_range(self.arrays(labels), self.outputs, valid)
        return TargetBatch(y.reshape(len(labels)), None if valid is None else valid.reshape(len(labels)))

    def loss(self, raw: Tensor, targets: TargetBatch) -> Tensor:
        """Cross-entropy; ``y`` may hold codes ``(n,)`` or probabilities ``(n, k)``."""
        loss = functional.cross_entropy(raw.float(), targets.y, reduction="none")
        return loss if targets.valid is None else loss * targets.valid

    def predict(self, raw: Tensor) -> Tensor:
        """Probabilities ``(n, k)``."""
        return raw.float().softmax(1)


class ScaledTask(Task):
    """Squared error on targets standardised by the training set's mean and deviation, channel by channel."""

    mean: Tensor
    std: Tensor

    def __init__(self, target: TargetSpec) -> None:
        super().__init__(target)
        self.register_buffer("mean", torch.zeros(self.outputs))
        self.register_buffer("std", torch.ones(self.outputs))

    @property
    def outputs(self) -> int:
        """One output for each channel of the target."""
        return self.target.shape[0]

    @property
    def offers(self) -> frozenset[str]:
        """Nothing: values are no probabilities."""
        return frozenset()

    def targets(self, labels: Sequence[Label]) -> TargetBatch:
        """``y`` float32 with 0 where not valid; ``valid`` of the same shape, None when all is valid."""
        y = torch.from_numpy(self.arrays(labels).astype(np.float32))
        valid = torch.isfinite(y)
        declared = masks(labels, self.mask_shape)
        if declared is not None:
            valid &= declared.reshape(self.broadcast(declared))
        return TargetBatch(torch.where(valid, y, torch.zeros(())), None if bool(valid.all()) else valid)

    @property
    def mask_shape(self) -> tuple[int, ...]:
        """Shape of one validity mask."""
        return tuple(self.target.shape[1:])

    def broadcast(self, declared: Tensor) -> tuple[int, ...]:
        """Shape that lets declared masks broadcast over the channel axis."""
        return (len(declared), 1, *self.mask_shape)

    def calibrate(self, targets: TargetBatch) -> None:
        """Mean and deviation of each channel over the valid entries."""
        y = targets.y.transpose(0, 1).flatten(1).double()
        valid = torch.ones_like(targets.y) if targets.valid is None else targets.valid.expand_as(targets.y)
        weight = valid.transpose(0, 1).flatten(1).double()
        count = weight.sum(1).clamp(min=1.0)
        mean = (y * weight).sum(1) / count
        std = (((y - mean[:, None]) ** 2 * weight).sum(1) / count).sqrt()
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > 1e-12, std, torch.ones_like(std)))

    def channels(self, scale: Tensor, like: Tensor) -> Tensor:
        """A ``(k,)`` scale shaped to broadcast against ``(n, k, ...)``."""
        return scale.reshape(1, -1, *[1] * (like.dim() - 2))

    def loss(self, raw: Tensor, targets: TargetBatch) -> Tensor:
        """Mean squared error of the standardised target over valid entries."""
        y = (targets.y - self.channels(self.mean, raw)) / self.channels(self.std, raw)
        return masked_mean((raw.float() - y) ** 2, targets.valid)

    def predict(self, raw: Tensor) -> Tensor:
        """Values in the target's unit."""
        return raw.float() * self.channels(self.std, raw) + self.channels(self.mean, raw)


class ValuesTask(ScaledTask):
    """Several numbers for each sample."""

    @property
    def mask_shape(self) -> tuple[int, ...]:
        """One flag for each number."""
        return tuple(self.target.shape)

    def broadcast(self, declared: Tensor) -> tuple[int, ...]:
        """As it stands."""
        return tuple(declared.shape)


class FieldTask(ScaledTask):
    """Several numbers for each pixel, for instance stress in kPa."""
