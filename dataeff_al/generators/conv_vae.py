"""A variational autoencoder as the pool's manifold (Kingma and Welling, 2014)."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from dataeff_al.errors import TrainingError
from dataeff_al.generators.frozen import freeze, restore, weights_of
from dataeff_al.generators.likelihoods import Likelihood, balanced_weights, likelihood_for
from dataeff_al.generators.pool_tensor import judged, pool_tensor, split
from dataeff_al.generators.protocol import GeneratorContext, GeneratorReport
from dataeff_al.generators.spec import ConvVaeParams
from dataeff_al.generators.vae_network import Vae
from dataeff_al.learners.precision import arithmetic
from dataeff_al.learners.schedule import batches, one_cycle
from dataeff_al.learners.seeding import seeded
from dataeff_al.randomness import seed_for
from dataeff_al.samples.protocol import Codec, Pool
from dataeff_al.samples.types import SampleId, TensorSpec

_LARGEST_GRADIENT = 100.0


class ConvVae:
    """Made, fitted once on a pool (or loaded), then frozen: ``encode`` gives latent means, ``decode`` soft samples.

    The likelihood follows the tensor's kind: Bernoulli or Gaussian for intensities, weighted cross-entropy for class
    codes, Gaussian for table rows.
    """

    def __init__(self, params: ConvVaeParams, tensor: TensorSpec) -> None:
        self._params, self._tensor = params, tensor
        self._vae = self._fresh(0)
        self._decoding = likelihood_for(tensor.kind, params.likelihood, None)

    @property
    def latent_dim(self) -> int:
        """Dimension of the latent space."""
        return self._params.latent_dim

    def fit(self, pool: Pool, ids: Sequence[SampleId], codec: Codec, seed: int) -> GeneratorReport:
        """Maximise the evidence bound on all but the held-back samples.

        Raises DataError for too few samples, TrainingError when the result is no better than the mean image.
        """
        start = time.perf_counter()
        x = pool_tensor(pool, ids, codec)
        learn, held = split(len(x), self._params.held_back, seed_for(seed, "split"))
        self._vae = self._fresh(seed_for(seed, "weights"))
        weight = balanced_weights(x[learn], self._params.class_balance) if self._tensor.kind == "codes" else None
        self._optimise(x[learn], weight, seed)
        error, mean_error = judged(lambda rows: self.decode(self.encode(rows)), x[held], x[learn], weight)
        return GeneratorReport(error, mean_error, self._params.steps, time.perf_counter() - start)

    def encode(self, x: Tensor) -> Tensor:
        """``(n, *tensor.shape)`` to latent means ``(n, latent_dim)``."""
        return self._vae.encode(x)[0]

    def decode(self, z: Tensor) -> Tensor:
        """``(n, latent_dim)`` to ``(n, *tensor.shape)`` in soft form."""
        return self._decoding.soft(self._vae.logits(z))

    def state(self) -> bytes:
        """Weights as safetensors bytes."""
        return weights_of(self._vae)

    def load(self, state: bytes) -> None:
        """Restore what :meth:`state` returned. Raises :class:`DataError` when it is another generator's."""
        restore(self._vae, state)

    def _fresh(self, seed: int) -> Vae:
        with seeded(seed):
            vae = Vae(tuple(self._tensor.shape), self._params.width, self._params.latent_dim)
        return freeze(vae)

    def _optimise(self, x: Tensor, weight: Tensor | None, seed: int) -> None:
        params, vae = self._params, self._vae
        likelihood = likelihood_for(self._tensor.kind, params.likelihood, weight)
        vae.train().requires_grad_(True)
        optimiser = torch.optim.Adam(vae.parameters(), lr=params.learning_rate)
        noise = torch.Generator().manual_seed(seed_for(seed, "noise"))
        for step, index in enumerate(batches(len(x), params.batch_size, params.steps, seed_for(seed, "batches"))):
            for group in optimiser.param_groups:
                group["lr"] = params.learning_rate * one_cycle(step, params.steps)
            optimiser.zero_grad(set_to_none=True)
            loss = self._bound(x[index], likelihood, self._beta(step), noise)
            if not torch.isfinite(loss):
                raise TrainingError(f"the evidence bound must stay finite, but got {float(loss)} at step {step}.")
            loss.backward()
            torch.nn.utils.clip_grad_norm_(vae.parameters(), _LARGEST_GRADIENT)
            optimiser.step()
        freeze(vae)

    def _bound(self, x: Tensor, likelihood: Likelihood, beta: float, noise: torch.Generator) -> Tensor:
        """Negative evidence bound: reconstruction + beta KL(q(z | x) || N(0, 1)), averaged over the batch."""
        with arithmetic(self._params.precision):
            mean, log_variance = self._vae.encode(x)
            z = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=noise)
            logits = self._vae.logits(z)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1.0 - log_variance).sum(1).mean()
        return likelihood.loss(logits, x) + beta * divergence

    def _beta(self, step: int) -> float:
        """Weight of the divergence, growing linearly over the warm-up."""
        warm_up = self._params.warm_up * self._params.steps
        return self._params.beta * min(1.0, step / warm_up if warm_up else 1.0)


def build(params: ConvVaeParams, context: GeneratorContext) -> ConvVae:
    """The generator of a campaign."""
    return ConvVae(params, context.tensor)
