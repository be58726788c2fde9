"""Between vessel masks and the class-probability tensors that networks eat.

Torch is imported when the first tensor is made: who only reads masks, as labelers do, starts without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dataeff_al.digests import digest_arrays
from dataeff_al.errors import DataError
from dataeff_al.samples.types import Invalid, Sample, SampleId, TensorSpec
from dataeff_al.vessel.cleanup import clean
from dataeff_al.vessel.tissues import TISSUES
from dataeff_al.vessel.validity import Gate

if TYPE_CHECKING:
    from torch import Tensor


class MaskCodec:
    """Masks ``(h, w)`` uint8 to one-hot ``(7, h, w)`` float32 and back through clean-up and validity gate.

    ``gate`` is called once, when the first tensor is hardened: deriving its ranges reads many pool masks.
    """

    def __init__(self, shape: tuple[int, int], gate: Callable[[], Gate]) -> None:
        self._shape = shape
        self._make_gate = gate

    @property
    def tensor(self) -> TensorSpec:
        """``(7, h, w)`` class probabilities over channel 0."""
        return TensorSpec((len(TISSUES), *self._shape), "codes")

    @cached_property
    def gate(self) -> Gate:
        """The gate that hardened masks must pass."""
        return self._make_gate()

    def soften(self, samples: Sequence[Sample]) -> Tensor:
        """``(n, 7, h, w)`` float32, one-hot. Raises DataError when a mask has another shape or an unknown code."""
        import torch

        masks = [sample.fields["mask"] for sample in samples]
        for mask in masks:
            if mask.shape != self._shape or mask.max() >= len(TISSUES):
                raise DataError(f"a mask must have shape {self._shape} and codes 0 to 6, but got {mask.shape!r}.")
        stacked = np.stack(masks) if masks else np.zeros((0, *self._shape), np.uint8)
        onehot = stacked[:, None] == np.arange(len(TISSUES), dtype=np.uint8)[:, None, None]
        return torch.from_numpy(onehot.astype(np.float32))

    def harden(self, x: Tensor) -> Sequence[Sample | Invalid]:
        """Most probable class at each pixel, cleaned and checked; ``x`` ``(n, 7, h, w)``."""
        values = x.detach().float().cpu().numpy()
        return [self._harden(one) for one in values]

    def _harden(self, probabilities: np.ndarray) -> Sample | Invalid:
        if not np.isfinite(probabilities).all():
            return Invalid("probabilities must be finite.")
        mask = clean(probabilities.argmax(axis=0).astype(np.uint8))
        rule = self.gate.check(mask)
        if rule:
            return Invalid(rule)
        name = SampleId(f"synth-{digest_arrays({'mask': mask})[:16]}")
        return Sample(name, {"mask": mask}, str(name))
