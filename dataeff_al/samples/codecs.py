"""Codecs that fit any pool: images and volumes, tables, masks of class codes.

Torch is imported when the first tensor is made: who only reads samples, as labelers do, starts without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from dataeff_al.digests import digest_arrays
from dataeff_al.errors import DataError
from dataeff_al.samples.arrays import ArrayPool
from dataeff_al.samples.columns import stacked
from dataeff_al.samples.protocol import Codec
from dataeff_al.samples.types import Invalid, Sample, SampleId, SampleSpec, TensorSpec

if TYPE_CHECKING:
    from torch import Tensor


def _tensor(rows: np.ndarray) -> Tensor:
    import torch

    return torch.from_numpy(rows)


def synthesised(name: str, array: np.ndarray) -> Sample:
    """A sample of one field, named by its content and alone in its group."""
    sample_id = SampleId(f"synth-{digest_arrays({name: array})[:32]}")
    return Sample(sample_id, {name: array}, str(sample_id))


class _FieldCodec:
    """What the codecs share: the input field, and the refusal of tensors that are not finite."""

    def __init__(self, spec: SampleSpec) -> None:
        self.name, self.form = spec.input, spec.input_field

    def _rows(self, samples: Sequence[Sample]) -> np.ndarray:
        return stacked(samples, self.name, self.form)

    def _hardened(self, x: Tensor, back: Callable[[np.ndarray], np.ndarray]) -> list[Sample | Invalid]:
        rows = x.detach().float().cpu().numpy()
        return [
            synthesised(self.name, np.ascontiguousarray(back(row), dtype=self.form.dtype))
            if np.isfinite(row).all()
            else Invalid(f"{self.name!r} must be finite")
            for row in rows
        ]


class ImageCodec(_FieldCodec):
    """Images ``(c, h, w)`` and volumes ``(c, d, h, w)``: the declared range to [0, 1] and back, clipped."""

    def __init__(self, spec: SampleSpec) -> None:
        """Take the range from the input field, [0, 1] when none is declared. Raises DataError when it is empty."""
        super().__init__(spec)
        self.low, self.high = self.form.range or (0.0, 1.0)
        if not self.low < self.high:
            raise DataError(f"an intensity range must rise, but got {(self.low, self.high)!r}.")
        self.tensor = TensorSpec(self.form.shape, "intensity")

    def soften(self, samples: Sequence[Sample]) -> Tensor:
        """Samples to ``(n, *tensor.shape)`` in [0, 1]. Raises DataError when one breaks the spec."""
        rows = (self._rows(samples).astype(np.float32) - np.float32(self.low)) / np.float32(self.high - self.low)
        return _tensor(np.clip(rows, 0, 1, dtype=np.float32))

    def harden(self, x: Tensor) -> Sequence[Sample | Invalid]:
        """Clip to [0, 1] and scale back to the declared range; Invalid when not finite."""
        span = np.float32(self.high - self.low)
        return self._hardened(
            x, lambda row: np.clip(np.clip(row, 0, 1) * span + np.float32(self.low), self.low, self.high)
        )


class TableCodec(_FieldCodec):
    """Table rows ``(d,)``: standardised by the pool's mean and standard deviation, ``(d,)`` each."""

    def __init__(self, spec: SampleSpec, mean: np.ndarray, deviation: np.ndarray) -> None:
        """A constant column keeps its deviation at 1, so that nothing is divided by zero."""
        super().__init__(spec)
        self.mean = mean.astype(np.float32)
        self.deviation = np.where(deviation > 0, deviation, 1).astype(np.float32)
        self.tensor = TensorSpec(self.form.shape, "values")

    def soften(self, samples: Sequence[Sample]) -> Tensor:
        """Samples to ``(n, d)`` standardised. Raises DataError when one breaks the spec."""
        return _tensor((self._rows(samples) - self.mean) / self.deviation)

    def harden(self, x: Tensor) -> Sequence[Sample | Invalid]:
        """Back to the table's units; Invalid when not finite."""
        return self._hardened(x, lambda row: row * self.deviation + self.mean)


class MaskCodec(_FieldCodec):
    """Masks of class codes ``([d,] h, w)``: one-hot ``(k, [d,] h, w)``, and back by the likeliest class."""

    def __init__(self, spec: SampleSpec) -> None:
        """One channel for each class of the input field. Raises DataError when it names none."""
        super().__init__(spec)
        if not self.form.classes:
            raise DataError(f"a field of class codes must name its classes, but got none for {self.name!r}.")
        self.tensor = TensorSpec((len(self.form.classes), *self.form.shape), "codes")

    def soften(self, samples: Sequence[Sample]) -> Tensor:
        """Samples to one-hot ``(n, k, [d,] h, w)``. Raises DataError when one breaks the spec or its codes."""
        rows, count = self._rows(samples), len(self.form.classes)
        if rows.size and int(rows.max()) >= count:
            raise DataError(f"{self.name!r} must hold codes below {count}, but got {int(rows.max())}.")
        codes = np.arange(count, dtype=np.uint8).reshape(1, count, *(1 for _ in self.form.shape))
        return _tensor((rows[:, None] == codes).astype(np.float32))

    def harden(self, x: Tensor) -> Sequence[Sample | Invalid]:
        """The likeliest class everywhere; Invalid when not finite."""
        return self._hardened(x, lambda row: row.argmax(axis=0))


def image_codec(pool: ArrayPool) -> Codec:
    """The codec of a pool of images or volumes."""
    return ImageCodec(pool.spec)


def mask_codec(pool: ArrayPool) -> Codec:
    """The codec of a pool of masks."""
    return MaskCodec(pool.spec)


def table_codec(pool: ArrayPool) -> Codec:
    """The codec of a table, with the statistics of its rows that are not held out."""
    held_out = set(pool.held_out())
    free = np.array([row for row, sample_id in enumerate(pool.ids()) if sample_id not in held_out], dtype=np.intp)
    rows = pool.columns.rows(pool.spec.input, free if len(free) else slice(None)).astype(np.float64)
    return TableCodec(pool.spec, rows.mean(axis=0), rows.std(axis=0))


CODECS: Mapping[str, Callable[[ArrayPool], Codec]] = MappingProxyType(
    {"intensity": image_codec, "codes": mask_codec, "values": table_codec}
)


def codec_for(pool: ArrayPool) -> Codec:
    """The codec that fits the kind of the pool's input field."""
    return CODECS[pool.spec.input_field.kind](pool)
