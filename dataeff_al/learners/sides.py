"""Structures that come left and right, as one: told apart again by where they lie."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dataeff_al.labeling.types import Label
from dataeff_al.learners.mask_task import MaskTask
from dataeff_al.learners.protocol import TargetBatch
from dataeff_al.learners.tasks import codes_in_range, masks
from dataeff_al.samples.types import TargetSpec

_SIDED = re.compile(r"(left|right|l|r)[ _-]+(.+)", re.IGNORECASE)


@dataclass(frozen=True)
class Merged:
    """Classes with their sides merged: ``names`` of the merged ones, and of each class the merged one and its side (-1
    left, 1 right, 0 neither)."""

    names: tuple[str, ...]
    merged: tuple[int, ...]
    side: tuple[int, ...]


def merged_sides(classes: Sequence[str], merge: bool) -> Merged:
    """How the classes merge; without ``merge`` each stays as it is.

    Where only one side is named (``Left Cyst``) the class keeps its name and its side. A single letter may be the name
    itself (``L 5``) and counts as a side only where both letters are named.
    """
    parsed = [_SIDED.fullmatch(name) for name in classes]
    sides = [0 if hit is None else (-1 if hit[1][0].lower() == "l" else 1) for hit in parsed]
    stems = [name if hit is None else hit[2] for name, hit in zip(classes, parsed, strict=True)]
    paired = {stem for stem in stems if {s for s, other in zip(sides, stems, strict=True) if other == stem} >= {-1, 1}}
    names = [
        stem if merge and stem in paired and side else name
        for name, stem, side in zip(classes, stems, sides, strict=True)
    ]
    spelt = [hit is not None and len(hit[1]) > 1 for hit in parsed]
    own = [
        side if merge and (stem in paired or word) else 0 for stem, side, word in zip(stems, sides, spelt, strict=True)
    ]
    unique = list(dict.fromkeys(names))
    return Merged(tuple(unique), tuple(unique.index(name) for name in names), tuple(own))


class SidedTask(MaskTask):
    """Segmentation in which the network answers merged classes."""

    lookup: Tensor
    side: Tensor

    def __init__(self, target: TargetSpec, merge: bool) -> None:
        super().__init__(target)
        found = merged_sides(target.classes, merge)
        self.names = found.names
        self._alone = any(s and found.merged.count(m) == 1 for s, m in zip(found.side, found.merged, strict=True))
        self.register_buffer("lookup", torch.tensor(found.merged), persistent=False)
        self.register_buffer("side", torch.tensor(found.side), persistent=False)

    @property
    def outputs(self) -> int:
        """One logit for each merged class."""
        return len(self.names)

    @property
    def sided(self) -> bool:
        """Whether left and right must be told apart by place."""
        return bool(self.side.any())

    def targets(self, labels: Sequence[Label]) -> TargetBatch:
        """``y`` ``(n, [d,] h, w)`` int64 in merged classes, 0 where not valid."""
        valid = masks(labels, tuple(self.target.shape))
        return TargetBatch(self.lookup[codes_in_range(self.arrays(labels), len(self.target.classes), valid)], valid)

    def told_apart(self, probabilities: Tensor, at_x: Tensor | None) -> Tensor:
        """Merged probabilities ``(n, m, ...)`` as those of all classes ``(n, k, ...)``; ``at_x`` ``(n, ...)`` is above
        0.5 on the right. Where a class has no counterpart on the other side, the others share what it would have had
        there."""
        each = probabilities[:, self.lookup]
        if not self.sided or at_x is None:
            return each
        here = torch.where(at_x >= 0.5, 1, -1)[:, None]
        side = self.side.reshape(1, -1, *[1] * (each.dim() - 2))
        apart = each * ((side == 0) | (side == here))
        return apart / apart.sum(1, keepdim=True).clamp(min=1e-12) if self._alone else apart
