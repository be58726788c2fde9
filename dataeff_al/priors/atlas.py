"""Where structures are: label frequencies of annotated heads on a normalised grid, as a log-prior on the logits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from dataeff_al.learners.protocol import TargetBatch
from dataeff_al.priors.atlas_spec import AtlasParams
from dataeff_al.priors.protocol import Pair


class Atlas:
    """Smoothed frequencies of classes by place, over all annotated heads.

    It changes no sample and has no answer of its own: a learner that offers ``atlas`` asks it for a table and adds that
    to its logits, in training and in use, so that the network learns what the atlas does not know.
    """

    def __init__(self, params: AtlasParams) -> None:
        self._params = params

    @property
    def cells(self) -> int:
        """Cells of the table along each axis."""
        return self._params.cells

    def orbit(self, x: Tensor, y: TargetBatch) -> Sequence[Pair]:
        """The pair itself: an atlas is no symmetry."""
        return [Pair(x, y, lambda answers: answers)]

    def baseline(self, x: Tensor) -> Tensor | None:
        """None: what an atlas says depends on labels."""
        del x
        return None

    def table(self, at: Tensor, codes: Tensor, classes: int) -> Tensor:
        """``weight * log((n_k + floor) / (n + floor * classes))`` by cell ``(classes, g, g, g)``: top, front, right.

        Counts are smoothed over neighbouring cells by a Gaussian of ``smooth`` cells. ``at`` ``(m, 3)`` towards right,
        front and top in [-1, 1]; ``codes`` ``(m,)`` int64. Where no head has been, it says nothing.
        """
        g = self._params.cells
        cell = ((at + 1.0) * (g / 2)).long().clamp(0, g - 1)
        place = ((codes * g + cell[:, 2]) * g + cell[:, 1]) * g + cell[:, 0]
        counts = torch.bincount(place, minlength=classes * g**3).reshape(classes, g, g, g).float()
        counts = self._smoothed(counts)
        floor = self._params.floor
        total = counts.sum(0, keepdim=True)
        known = torch.log((counts + floor) / (total + floor * classes))
        nothing = -torch.log(torch.tensor(float(classes)))
        return self._params.weight * torch.where(total > floor, known, nothing)

    def _smoothed(self, counts: Tensor) -> Tensor:
        reach = max(1, round(3 * self._params.smooth))
        steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
        kernel = torch.exp(-0.5 * (steps / self._params.smooth) ** 2)
        kernel = kernel / kernel.sum()
        for axis in range(3):
            shape = [1, 1, 1, 1, 1]
            shape[2 + axis] = len(kernel)
            padding = [0, 0, 0]
            padding[axis] = reach
            counts = functional.conv3d(counts[:, None], kernel.reshape(shape), padding=padding)[:, 0]
        return counts


def build(params: AtlasParams, context: object) -> Atlas:  # noqa: ARG001
    """The prior of a campaign."""
    return Atlas(params)
