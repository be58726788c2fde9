"""A learner made of a network and a task: everything but the architecture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from dataeff_al.errors import CapabilityError, DataError
from dataeff_al.labeling.types import Label
from dataeff_al.learners.mask_task import MaskTask
from dataeff_al.learners.modes import evaluating
from dataeff_al.learners.protocol import LearnerContext, TargetBatch
from dataeff_al.learners.tasks import ClassTask, FieldTask, Task, ValuesTask
from dataeff_al.samples.types import TargetSpec, TensorSpec

TASKS: Mapping[str, type[Task]] = {"class": ClassTask, "mask": MaskTask, "field": FieldTask, "values": ValuesTask}
"""The task of each target kind."""

TASK_NAMES: Mapping[str, str] = {
    "class": "classification",
    "mask": "segmentation",
    "field": "regression",
    "values": "regression",
}
"""What a campaign calls the task of each target kind."""

_ROWS_AT_ONCE = 128


class Network(nn.Module, ABC):
    """An architecture: raw outputs, and the last hidden representation."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs ``(n, outputs, ...)``."""

    @abstractmethod
    def hidden(self, x: Tensor) -> Tensor:
        """Hidden representation ``(n, f)``."""


class InputScale(nn.Module):
    """Standardises intensities channel by channel; class probabilities and table rows pass as they are."""

    mean: Tensor
    std: Tensor

    def __init__(self, tensor: TensorSpec) -> None:
        super().__init__()
        self.fixed = tensor.kind != "intensity"
        shape = (1, tensor.shape[0], *[1] * (len(tensor.shape) - 1))
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("std", torch.ones(shape))

    def calibrate(self, x: Tensor) -> None:
        """Set mean and deviation from training inputs."""
        if self.fixed:
            return
        axes = [axis for axis in range(x.dim()) if axis != 1]
        std, mean = torch.std_mean(x, dim=axes, correction=0, keepdim=True)
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > 1e-6, std, torch.ones_like(std)))

    def forward(self, x: Tensor) -> Tensor:
        """The scaled input."""
        return x if self.fixed else (x - self.mean) / self.std


class Model(nn.Module):
    """Scale, network and task in one module, so that one state dict holds them all."""

    def __init__(self, scale: InputScale, network: Network, task: Task) -> None:
        super().__init__()
        self.scale, self.network, self.task = scale, network, task

    def forward(self, x: Tensor) -> Tensor:
        """Predictions: probabilities, or values in their unit."""
        return self.task.predict(self.network(self.scale(x)))


class TorchLearner:
    """A :class:`~dataeff_al.learners.protocol.Learner` from a network.

    Life: made untrained (weights drawn from torch's generator), calibrated once on the first training set, fitted by
    a trainer through :meth:`loss`, then asked. ``loss`` runs in the module's current mode; the rest in evaluation mode.
    """

    def __init__(self, tensor: TensorSpec, task: Task, network: Network) -> None:
        self._tensor = tensor
        self._model = Model(InputScale(tensor), network, task)

    @property
    def offers(self) -> frozenset[str]:
        """``gradient`` and ``features``, and ``probabilities`` where the target has classes."""
        return frozenset({"gradient", "features"}) | self._model.task.offers

    @property
    def module(self) -> nn.Module:
        """Scale, network and task."""
        return self._model

    def targets(self, labels: Sequence[Label]) -> TargetBatch:
        """Labels to tensors. Raises :class:`DataError` when one breaks the target spec."""
        return self._model.task.targets(labels)

    def calibrate(self, x: Tensor, targets: TargetBatch) -> None:
        """Set input and target scales from the training set."""
        with torch.no_grad():
            self._model.scale.calibrate(self._checked(x))
            self._model.task.calibrate(targets)

    def loss(self, x: Tensor, targets: TargetBatch) -> Tensor:
        """Loss of each sample ``(n,)``, masked by validity, differentiable in ``x``; not weighted."""
        return self._model.task.loss(self._raw(self._checked(x)), targets)

    def predict(self, x: Tensor) -> Tensor:
        """Probabilities ``(n, k, ...)`` or values in their unit; no gradient."""
        return self._mapped(x, self._model)

    def features(self, x: Tensor) -> Tensor:
        """Last hidden representation ``(n, f)``; no gradient."""
        return self._mapped(x, lambda rows: self._model.network.hidden(self._model.scale(rows)))

    def state(self) -> bytes:
        """Weights and scales as safetensors bytes."""
        return save({name: value.contiguous() for name, value in self._model.state_dict().items()})

    def load(self, state: bytes) -> None:
        """Restore what :meth:`state` returned. Raises :class:`DataError` when it is not this learner's."""
        try:
            self._model.load_state_dict(load(state))
        except (RuntimeError, SafetensorError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"a learner's state must fit its network, but got: {reason}") from error
        self._model.eval()

    def _raw(self, x: Tensor) -> Tensor:
        return self._model.network(self._model.scale(x))

    def _checked(self, x: Tensor) -> Tensor:
        if tuple(x.shape[1:]) != tuple(self._tensor.shape):
            raise DataError(f"a learner's input must have shape (n, *{self._tensor.shape}), but got {tuple(x.shape)}.")
        return x

    def _mapped(self, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Apply in parts, in evaluation mode and without gradient, so that memory stays bounded."""
        with torch.no_grad(), evaluating(self._model):
            return torch.cat([function(rows) for rows in self._checked(x).split(_ROWS_AT_ONCE)])


def make_task(learner: str, kinds: Sequence[str], wanted: str | None, target: TargetSpec) -> Task:
    """The task of a target. Raises :class:`CapabilityError` when the learner or the stated task does not fit it."""
    if target.kind not in kinds:
        raise CapabilityError(f"learner {learner} must have a target of {' or '.join(kinds)}, but got {target.kind!r}.")
    if wanted is not None and wanted != TASK_NAMES[target.kind]:
        natural = TASK_NAMES[target.kind]
        raise CapabilityError(f"the task of a {target.kind!r} target must be {natural!r}, but got {wanted!r}.")
    if target.kind in ("class", "mask") and len(target.classes) < 2:
        raise CapabilityError(f"a {target.kind!r} target must name two classes or more, but got {target.classes!r}.")
    return TASKS[target.kind](target)


def make_learner(context: LearnerContext, task: Task, network: Network) -> TorchLearner:
    """A learner in evaluation mode around the network."""
    learner = TorchLearner(context.tensor, task, network)
    learner.module.eval()
    return learner
