"""A pool's samples as one tensor, and the part of them that is held back."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from dataeff_al.errors import DataError, TrainingError
from dataeff_al.samples.protocol import Codec, Pool
from dataeff_al.samples.types import SampleId

_ROWS_AT_ONCE = 512
_LEAST_LEARNT = 0.99


def pool_tensor(pool: Pool, ids: Sequence[SampleId], codec: Codec) -> Tensor:
    """Samples ``ids`` in soft form, ``(n, *tensor.shape)`` float32.

    Raises :class:`DataError` for fewer than two samples or numbers that are not finite.
    """
    if len(ids) < 2:
        raise DataError(f"a generator must have two samples or more to learn from, but got {len(ids)}.")
    parts = [codec.soften(pool.read(ids[start : start + _ROWS_AT_ONCE])) for start in range(0, len(ids), _ROWS_AT_ONCE)]
    x = torch.cat(parts).float()
    bad = (~torch.isfinite(x).flatten(1).all(1)).nonzero().flatten()
    if len(bad):
        raise DataError(f"samples must be finite, but got a NaN or an infinity in sample {ids[int(bad[0])]!r}.")
    return x


def split(n: int, held_back: float, seed: int) -> tuple[Tensor, Tensor]:
    """Rows to learn from and rows held back, at least one of each."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    kept = min(max(round(n * held_back), 1), n - 1)
    return order[kept:].sort().values, order[:kept].sort().values


def judged(
    reconstruct: Callable[[Tensor], Tensor], held: Tensor, learnt: Tensor, weight: Tensor | None = None
) -> tuple[float, float]:
    """Mean squared errors on the samples held back: of their reconstruction, and of the mean of those learnt from.

    Raises :class:`TrainingError` when the reconstruction is no better.
    """
    with torch.no_grad():
        decoded = torch.cat([reconstruct(rows) for rows in held.split(_ROWS_AT_ONCE)])
    error, mean_error = errors(held, decoded, learnt.mean(0), weight)
    check_learnt(error, mean_error, len(learnt))
    return error, mean_error


def errors(x: Tensor, decoded: Tensor, mean: Tensor, weight: Tensor | None = None) -> tuple[float, float]:
    """Mean squared error of the reconstruction and of the mean image, over all entries.

    With class weights ``(c,)`` each pixel counts by the weight of its class, and the mean image is the weighted one:
    what a decoder trained with these weights would answer if it knew nothing but the pool.
    """
    if weight is None:
        return float(((decoded - x) ** 2).mean()), float(((mean - x) ** 2).mean())
    weight = weight.reshape(-1, *[1] * (mean.dim() - 1))
    share, tilted = (weight * x).sum(1, keepdim=True), weight * mean
    mean = tilted / tilted.sum(0, keepdim=True).clamp(min=1e-12)
    return float((share * (decoded - x) ** 2).mean()), float((share * (mean - x) ** 2).mean())


def check_learnt(error: float, mean_error: float, samples: int) -> None:
    """Refuse a decoder that knows no more than the mean image does; ``samples`` are those that the mean was taken of.

    The mean of few samples errs by one part in their number more than the true mean would, which a decoder that learnt
    nothing else must not be praised for. Raises :class:`TrainingError`.
    """
    bar = _LEAST_LEARNT * mean_error * samples / (samples + 1)
    if not error < bar:
        raise TrainingError(
            f"a generator must learn more than the mean image, whose error is {mean_error:.4g}, but got {error:.4g}."
        )
