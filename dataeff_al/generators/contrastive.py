"""An encoder that knows its samples again under distortion: a latent space by class rather than by pixel.

SimCLR (Chen et al., 2020) with the trunk of the ``small_cnn`` learner, so that a trainer may start from it. It has no
decoder: samplers that walk need another generator.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from dataeff_al.errors import CapabilityError, TrainingError
from dataeff_al.generators.frozen import freeze, restore, weights_of
from dataeff_al.generators.pool_tensor import pool_tensor, split
from dataeff_al.generators.protocol import GeneratorContext, GeneratorReport
from dataeff_al.generators.spec import ContrastiveParams
from dataeff_al.learners.base import InputScale
from dataeff_al.learners.distortion import Distortion, check_images
from dataeff_al.learners.precision import arithmetic
from dataeff_al.learners.schedule import batches, one_cycle
from dataeff_al.learners.seeding import seeded
from dataeff_al.learners.small_cnn import SmallCnn
from dataeff_al.randomness import seed_for
from dataeff_al.samples.protocol import Codec, Pool
from dataeff_al.samples.types import SampleId, TensorSpec

_ROWS_AT_ONCE = 256
_LEAST_KNOWN = 0.98


class Contrastive:
    """Made, fitted once on a pool (or loaded), then frozen: ``encode`` gives unit vectors."""

    def __init__(self, params: ContrastiveParams, tensor: TensorSpec) -> None:
        check_images("generator contrastive", tensor)
        self._params, self._tensor = params, tensor
        self._distort = Distortion.of(params)
        self._network = self._fresh(0)

    @property
    def latent_dim(self) -> int:
        """Dimension of the latent space: the hidden layer's."""
        return self._params.hidden

    def fit(self, pool: Pool, ids: Sequence[SampleId], codec: Codec, seed: int) -> GeneratorReport:
        """Tell each sample's view from the views of others.

        The report's error is the held-back samples' loss, its ``mean_error`` that of an encoder that knows nothing.
        Raises DataError for too few samples, TrainingError when the encoder learnt nothing.
        """
        start = time.perf_counter()
        x = pool_tensor(pool, ids, codec)
        learn, held = split(len(x), self._params.held_back, seed_for(seed, "split"))
        self._network = self._fresh(seed_for(seed, "weights"))
        self._network.scale.calibrate(x[learn])
        self._optimise(x[learn], seed)
        views = torch.Generator().manual_seed(seed_for(seed, "held back"))
        shown = x[held][: self._params.batch_size]
        with torch.no_grad():
            error = float(self._loss(shown, views))
        chance = math.log(max(2 * len(shown) - 1, 2))
        if not error < _LEAST_KNOWN * chance:
            raise TrainingError(
                f"the encoder's loss must be below that of knowing nothing ({chance}), but got {error}."
            )
        return GeneratorReport(error, chance, self._params.steps, time.perf_counter() - start)

    def encode(self, x: Tensor) -> Tensor:
        """``(n, *tensor.shape)`` to unit vectors ``(n, latent_dim)``."""
        parts = [self._network.hidden(rows) for rows in x.split(_ROWS_AT_ONCE)]
        return functional.normalize(torch.cat(parts), dim=1)

    def decode(self, z: Tensor) -> Tensor:
        """Raises :class:`CapabilityError`: there is no way back."""
        raise CapabilityError(f"generator contrastive must not be asked to decode, but got {len(z)} latents.")

    def state(self) -> bytes:
        """Weights as safetensors bytes."""
        return weights_of(self._network)

    def load(self, state: bytes) -> None:
        """Restore what :meth:`state` returned. Raises :class:`DataError` when it is another generator's."""
        restore(self._network, state)

    def _fresh(self, seed: int) -> Encoder:
        with seeded(seed):
            network = Encoder(self._tensor, self._params)
        return freeze(network)

    def _optimise(self, x: Tensor, seed: int) -> None:
        params, network = self._params, self._network
        network.train().requires_grad_(True)
        optimiser = torch.optim.AdamW(network.parameters(), lr=params.learning_rate, weight_decay=1e-4)
        views = torch.Generator().manual_seed(seed_for(seed, "views"))
        size = min(params.batch_size, len(x))
        for step, index in enumerate(batches(len(x), size, params.steps, seed_for(seed, "batches"))):
            for group in optimiser.param_groups:
                group["lr"] = params.learning_rate * one_cycle(step, params.steps)
            optimiser.zero_grad(set_to_none=True)
            loss = self._loss(x[index], views)
            if not torch.isfinite(loss):
                raise TrainingError(f"the contrastive loss must stay finite, but got {float(loss)} at step {step}.")
            loss.backward()
            optimiser.step()
        freeze(network)

    def _loss(self, x: Tensor, views: torch.Generator) -> Tensor:
        """NT-Xent (Chen et al., 2020, equation 1): each view must find its sibling among all ``2 n - 1`` others."""
        both = torch.cat([self._distort(x, views), self._distort(x, views)])
        with arithmetic(self._params.precision):
            places = self._network(both)
        places = functional.normalize(places.float(), dim=1)
        likeness = (places @ places.T / self._params.temperature).fill_diagonal_(-torch.inf)
        sibling = torch.arange(len(both)).roll(len(x))
        return functional.cross_entropy(likeness, sibling)


class Encoder(nn.Module):
    """Scale, trunk, hidden layer and projection, named as in a ``small_cnn`` learner, which may start from them."""

    def __init__(self, tensor: TensorSpec, params: ContrastiveParams) -> None:
        super().__init__()
        self.scale = InputScale(tensor)
        self.network = SmallCnn(
            tuple(tensor.shape), params.width, params.hidden, params.projection, params.first_stride
        )

    def forward(self, x: Tensor) -> Tensor:
        """Projections ``(n, projection)``: where views are compared while learning."""
        return self.network(self.scale(x))

    def hidden(self, x: Tensor) -> Tensor:
        """Representation ``(n, hidden)``: what is kept."""
        return self.network.hidden(self.scale(x))


def build(params: ContrastiveParams, context: GeneratorContext) -> Contrastive:
    """The generator of a campaign. Raises CapabilityError for volumes and tables."""
    return Contrastive(params, context.tensor)
