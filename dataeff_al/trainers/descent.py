"""AdamW over one learning-rate cycle for losses that a policy computes itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn

from dataeff_al.errors import TrainingError
from dataeff_al.learners.precision import Precision, arithmetic
from dataeff_al.learners.schedule import one_cycle

_LARGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class Descent:
    """How weights are fitted: the peak of the learning rate, the decay of weights, and the arithmetic."""

    learning_rate: float
    weight_decay: float
    precision: Precision

    def __call__(self, modules: Iterable[nn.Module], steps: int, loss_of: Callable[[int], Tensor]) -> float:
        """Fit the modules' weights by ``steps`` of ``loss_of(step)``; the mean loss of the last tenth of them.

        Raises :class:`TrainingError` when a loss is not finite.
        """
        modules = list(modules)
        weights = list(dict.fromkeys(chain.from_iterable(module.parameters() for module in modules)))
        optimiser = torch.optim.AdamW(weights, lr=self.learning_rate, weight_decay=self.weight_decay)
        tail, losses = max(steps // 10, 1), []
        for module in modules:
            module.train()
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = self.learning_rate * one_cycle(step, steps)
            optimiser.zero_grad(set_to_none=True)
            with arithmetic(self.precision):
                loss = loss_of(step)
            losses.append(_finite(loss, step))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, _LARGEST_GRADIENT)
            optimiser.step()
        for module in modules:
            module.eval()
        return sum(losses[-tail:]) / tail if losses else 0.0


def _finite(loss: Tensor, step: int) -> float:
    if not torch.isfinite(loss):
        raise TrainingError(f"the training loss must stay finite, but got {float(loss.detach())} at step {step}.")
    return float(loss.detach())
