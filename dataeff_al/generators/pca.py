"""Principal components: the exact linear manifold of a pool."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from dataeff_al.errors import DataError
from dataeff_al.generators.pool_tensor import judged, pool_tensor, split
from dataeff_al.generators.protocol import GeneratorContext, GeneratorReport
from dataeff_al.generators.spec import PcaParams
from dataeff_al.samples.protocol import Codec, Pool
from dataeff_al.samples.types import SampleId, TensorSpec

_SMALLEST_PROBABILITY = 1e-6


class Pca:
    """Encode: project on the leading components. Decode: their linear combination, brought into the soft form.

    Intensities are clipped to [0, 1]; class probabilities are clipped at a small positive number and normalised.
    """

    def __init__(self, params: PcaParams, tensor: TensorSpec) -> None:
        size = math.prod(tensor.shape)
        if params.latent_dim > size:
            raise DataError(f"latent_dim must be at most {size} (the input's size), but got {params.latent_dim}.")
        self._params, self._tensor = params, tensor
        self._mean = torch.zeros(size)
        self._components = torch.zeros(params.latent_dim, size)

    @property
    def latent_dim(self) -> int:
        """Number of components."""
        return self._params.latent_dim

    def fit(self, pool: Pool, ids: Sequence[SampleId], codec: Codec, seed: int) -> GeneratorReport:
        """Exact components of all but the held-back samples.

        Raises DataError for too few samples, TrainingError when the result is no better than the mean image.
        """
        start = time.perf_counter()
        x = pool_tensor(pool, ids, codec)
        learn, held = split(len(x), self._params.held_back, seed)
        if len(learn) < self.latent_dim:
            raise DataError(f"the pool must hold {self.latent_dim} samples to learn from, but got {len(learn)}.")
        rows = x[learn].flatten(1)
        self._mean = rows.mean(0)
        self._components = components(rows - self._mean, self.latent_dim)
        error, mean_error = judged(lambda rows: self.decode(self.encode(rows)), x[held], x[learn])
        return GeneratorReport(error, mean_error, 1, time.perf_counter() - start)

    def encode(self, x: Tensor) -> Tensor:
        """``(n, *tensor.shape)`` to ``(n, latent_dim)``."""
        return (x.flatten(1) - self._mean) @ self._components.T

    def decode(self, z: Tensor) -> Tensor:
        """``(n, latent_dim)`` to ``(n, *tensor.shape)``."""
        x = (z @ self._components + self._mean).reshape(len(z), *self._tensor.shape)
        if self._tensor.kind == "intensity":
            return x.clamp(0.0, 1.0)
        if self._tensor.kind == "codes":
            positive = x.clamp(min=_SMALLEST_PROBABILITY)
            return positive / positive.sum(1, keepdim=True)
        return x

    def state(self) -> bytes:
        """Mean and components as safetensors bytes."""
        return save({"mean": self._mean, "components": self._components})

    def load(self, state: bytes) -> None:
        """Restore what :meth:`state` returned. Raises :class:`DataError` when it is of another form."""
        try:
            tensors = load(state)
        except SafetensorError as error:
            raise DataError(f"a generator's state must be safetensors, but got: {error}.") from error
        shapes = {name: tuple(value.shape) for name, value in tensors.items()}
        own = {"mean": tuple(self._mean.shape), "components": tuple(self._components.shape)}
        if shapes != own:
            raise DataError(f"the state of these components must have shapes {own}, but got {shapes}.")
        self._mean, self._components = tensors["mean"], tensors["components"]


def components(rows: Tensor, count: int) -> Tensor:
    """Leading right singular vectors ``(count, d)`` of centred ``rows`` ``(n, d)``, by the smaller Gram matrix.

    The sign is fixed by making each vector's largest entry positive.
    """
    n, d = rows.shape
    gram = (rows @ rows.T if n < d else rows.T @ rows).double()
    values, vectors = torch.linalg.eigh(gram)
    leading = vectors.flip(1)[:, :count].float()
    found = rows.T @ leading if n < d else leading
    # A direction without variance has no singular vector: it is left at zero instead of amplifying rounding.
    alive = values.flip(0)[:count] > values[-1].clamp(min=0.0) * 1e-10
    found = torch.where(alive, found / found.norm(dim=0).clamp(min=1e-30), torch.zeros(()))
    largest = found.abs().argmax(0)
    return (found * found.gather(0, largest[None]).sign()).T.contiguous()


def build(params: PcaParams, context: GeneratorContext) -> Pca:
    """The generator of a campaign."""
    return Pca(params, context.tensor)
