"""An adversarial autoencoder as the pool's manifold (Rosca et al., 2017): for photographs that a plain VAE blurs.

Encoder and decoder minimise the reconstruction's absolute error; a critic of images judges reconstructions and images
decoded from the prior, a critic of codes holds the encoder to the prior N(0, 1) in the place of a divergence. Both
begin as the pool's principal components, so that minutes on a processor are enough.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from dataeff_al.errors import CapabilityError, TrainingError
from dataeff_al.generators.alpha_gan_network import Autoencoder, CodeCritic, ImageCritic
from dataeff_al.generators.alpha_gan_spec import AlphaGanParams
from dataeff_al.generators.frozen import freeze, restore, weights_of
from dataeff_al.generators.pool_tensor import judged, pool_tensor, split
from dataeff_al.generators.protocol import GeneratorContext, GeneratorReport
from dataeff_al.learners.distortion import check_images
from dataeff_al.learners.precision import arithmetic
from dataeff_al.learners.schedule import batches, one_cycle
from dataeff_al.learners.seeding import seeded
from dataeff_al.randomness import seed_for
from dataeff_al.samples.protocol import Codec, Pool
from dataeff_al.samples.types import SampleId, TensorSpec

_LARGEST_GRADIENT = 10.0
_MOMENTA = (0.5, 0.9)


class AlphaGan:
    """Made, fitted once on a pool (or loaded), then frozen: ``encode`` gives codes, ``decode`` images in [0, 1]."""

    def __init__(self, params: AlphaGanParams, tensor: TensorSpec) -> None:
        check_images("generator alpha_gan", tensor)
        if tensor.kind != "intensity":
            raise CapabilityError(f"generator alpha_gan must have intensities, but got {tensor.kind}.")
        self._params, self._tensor = params, tensor
        self._network = self._fresh(0)

    @property
    def latent_dim(self) -> int:
        """Dimension of the latent space."""
        return self._params.latent_dim

    def fit(self, pool: Pool, ids: Sequence[SampleId], codec: Codec, seed: int) -> GeneratorReport:
        """Play the game on all but the held-back samples.

        Raises DataError for too few samples, TrainingError when the result is no better than the mean image.
        """
        start = time.perf_counter()
        x = pool_tensor(pool, ids, codec)
        learn, held = split(len(x), self._params.held_back, seed_for(seed, "split"))
        self._network = self._fresh(seed_for(seed, "weights"))
        with seeded(seed_for(seed, "critics")):
            game = Game(self._params, self._network, tuple(self._tensor.shape))
        self._network.begin(x[learn])
        game.play(x[learn], seed)
        freeze(self._network)
        error, mean_error = judged(lambda rows: self.decode(self.encode(rows)), x[held], x[learn])
        return GeneratorReport(error, mean_error, self._params.steps, time.perf_counter() - start)

    def encode(self, x: Tensor) -> Tensor:
        """``(n, c, h, w)`` to codes ``(n, latent_dim)``."""
        return self._network.encode(x)

    def decode(self, z: Tensor) -> Tensor:
        """``(n, latent_dim)`` to images ``(n, c, h, w)``."""
        return self._network.decode(z).clamp(0.0, 1.0)

    def state(self) -> bytes:
        """Weights as safetensors bytes."""
        return weights_of(self._network)

    def load(self, state: bytes) -> None:
        """Restore what :meth:`state` returned. Raises :class:`DataError` when it is another generator's."""
        restore(self._network, state)

    def _fresh(self, seed: int) -> Autoencoder:
        with seeded(seed):
            network = Autoencoder(tuple(self._tensor.shape), self._params.width, self._params.latent_dim)
        return freeze(network)


class Game:
    """Autoencoder against critics; each side moves once in a step."""

    def __init__(self, params: AlphaGanParams, network: Autoencoder, shape: tuple[int, ...]) -> None:
        self._params, self._network = params, network
        self._images, self._codes = ImageCritic(shape, params.width), CodeCritic(params.latent_dim)
        self._critics = nn.ModuleList([self._images, self._codes])

    def play(self, x: Tensor, seed: int) -> None:
        """All steps on ``x`` ``(n, c, h, w)``. Raises TrainingError when a loss is not finite."""
        params = self._params
        self._network.train().requires_grad_(True)
        sides = [self._optimiser(self._network), self._optimiser(self._critics)]
        noise = torch.Generator().manual_seed(seed_for(seed, "prior"))
        for step, index in enumerate(batches(len(x), params.batch_size, params.steps, seed_for(seed, "batches"))):
            for group in (group for side in sides for group in side.param_groups):
                group["lr"] = params.learning_rate * one_cycle(step, params.steps)
            drawn = torch.randn((len(index), params.latent_dim), generator=noise)
            self._step(x[index], drawn, step, sides)

    def _step(self, x: Tensor, drawn: Tensor, step: int, sides: Sequence[torch.optim.Optimizer]) -> None:
        with arithmetic(self._params.precision):
            code = self._network.encode(x)
            again, invented = self._network.decode(code), self._network.decode(drawn)
            critics_loss = self._judged(x, again.detach(), invented.detach(), drawn, code.detach())
            self._move(sides[1], self._critics, critics_loss, step)
            self._critics.requires_grad_(False)
            loss = self._own(x, again, invented, code, step)
        self._move(sides[0], self._network, loss, step)
        self._critics.requires_grad_(True)

    def _judged(self, x: Tensor, again: Tensor, invented: Tensor, drawn: Tensor, code: Tensor) -> Tensor:
        """The critics' cross-entropy (equations 14 and 15), reconstructions and inventions counting half each."""
        true, repeated, made = self._images(torch.cat([x, again, invented])).chunk(3)
        images = softplus(-true).mean() + 0.5 * (softplus(repeated) + softplus(made)).mean()
        return images + softplus(-self._codes(drawn)).mean() + softplus(self._codes(code)).mean()

    def _own(self, x: Tensor, again: Tensor, invented: Tensor, code: Tensor, step: int) -> Tensor:
        """What encoder and decoder pay (equations 12 and 13); a critic's logit is its ``log D / (1 - D)``."""
        params, grown = self._params, self._grown(step)
        loss = params.reconstruction * (again - x).abs().mean()
        if not grown:
            return loss
        disbelief = -self._images(torch.cat([again, invented])).mean()
        return loss + grown * (params.realism * disbelief - params.prior * self._codes(code).mean())

    def _grown(self, step: int) -> float:
        """Weight of the critics, growing linearly over the warm-up."""
        warm_up = self._params.warm_up * self._params.steps
        return min(1.0, step / warm_up) if warm_up else 1.0

    def _optimiser(self, module: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(module.parameters(), lr=self._params.learning_rate, betas=_MOMENTA)

    @staticmethod
    def _move(side: torch.optim.Optimizer, module: nn.Module, loss: Tensor, step: int) -> None:
        if not torch.isfinite(loss):
            raise TrainingError(f"an adversarial loss must stay finite, but got {float(loss)} at step {step}.")
        side.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), _LARGEST_GRADIENT)
        side.step()


def build(params: AlphaGanParams, context: GeneratorContext) -> AlphaGan:
    """The generator of a campaign. Raises CapabilityError for anything but images of intensities."""
    return AlphaGan(params, context.tensor)
