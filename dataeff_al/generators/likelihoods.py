"""How well a decoder's raw output explains a sample, and what it looks like in the codec's soft form."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional

_LARGEST_WEIGHT = 100.0


class Likelihood(ABC):
    """One for each kind of numbers."""

    @abstractmethod
    def loss(self, logits: Tensor, x: Tensor) -> Tensor:
        """Negative log likelihood summed over a sample's entries, averaged over the batch (a scalar)."""

    @abstractmethod
    def soft(self, logits: Tensor) -> Tensor:
        """Raw output to the codec's soft form."""


class Bernoulli(Likelihood):
    """Intensities in [0, 1] as probabilities of a white pixel."""

    def loss(self, logits: Tensor, x: Tensor) -> Tensor:
        """Binary cross-entropy."""
        return functional.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)

    def soft(self, logits: Tensor) -> Tensor:
        """The probability."""
        return torch.sigmoid(logits)


class Gaussian(Likelihood):
    """One deviation for all entries, set to its optimum (sigma-VAE, Rybkin et al., 2021)."""

    def __init__(self, bounded: bool) -> None:
        self._bounded = bounded

    def loss(self, logits: Tensor, x: Tensor) -> Tensor:
        """``d / 2 log(mean squared error)``."""
        error = ((self.soft(logits) - x) ** 2).mean()
        return 0.5 * x[0].numel() * torch.log(error + 1e-6)

    def soft(self, logits: Tensor) -> Tensor:
        """Intensities squeezed into [0, 1]; table rows as they are."""
        return torch.sigmoid(logits) if self._bounded else logits


class Codes(Likelihood):
    """Class probabilities over channel 0, each class with its ``weight`` ``(c,)`` (None: all alike)."""

    def __init__(self, weight: Tensor | None) -> None:
        self.weight = weight

    def loss(self, logits: Tensor, x: Tensor) -> Tensor:
        """Weighted cross-entropy."""
        return functional.cross_entropy(logits, x, self.weight, reduction="sum") / len(x)

    def soft(self, logits: Tensor) -> Tensor:
        """Softmax over the classes."""
        return torch.softmax(logits, 1)


def balanced_weights(x: Tensor, balance: float) -> Tensor:
    """Class weights ``(c,)`` that keep rare classes alive: ``(1 / frequency_c) ** balance``.

    Scaled so that an average pixel of ``x`` ``(n, c, ...)`` weighs one, and bounded.
    """
    frequency = x.transpose(0, 1).flatten(1).double().mean(1)
    weight = frequency.clamp(min=1e-8) ** -balance
    return (weight / (frequency * weight).sum()).clamp(max=_LARGEST_WEIGHT).float()


def likelihood_for(kind: str, intensity: str, weight: Tensor | None) -> Likelihood:
    """The likelihood of a tensor's kind; ``intensity``: ``bernoulli`` or ``gaussian``; ``weight``: of the classes."""
    if kind == "codes":
        return Codes(weight)
    if kind == "intensity" and intensity == "bernoulli":
        return Bernoulli()
    return Gaussian(bounded=kind == "intensity")
