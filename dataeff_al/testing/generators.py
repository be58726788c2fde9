"""The contract of a generator, for plugin authors::

check_generator(lambda: MyGenerator(params, pool.codec().tensor), pool)
check_generator(lambda: MyEncoder(params, pool.codec().tensor), pool, decodes=False)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from dataeff_al.digests import digest_bytes
from dataeff_al.generators.protocol import Generator
from dataeff_al.samples.protocol import Pool
from dataeff_al.samples.types import SampleId
from dataeff_al.testing.refusals import refusal

MakeGenerator = Callable[[], Generator]


def check_generator(make: MakeGenerator, pool: Pool, seed: int = 0, *, decodes: bool = True) -> None:
    """All rules of a generator on a pool it can learn; raises AssertionError with the broken one.

    ``decodes``: whether it offers a decoder; one that does not must refuse to decode.
    """
    ids = list(pool.ids())
    generator = make()
    assert isinstance(generator, Generator), "a generator must have all members of the protocol"
    check_report(generator, pool, ids, seed)
    x = pool.codec().soften(pool.read(ids[:6]))
    check_latents(generator, x)
    if decodes:
        check_decoded(generator, x)
        check_soft_form(generator, x, pool.codec().tensor.kind)
    else:
        with torch.no_grad():
            z = generator.encode(x)
        assert refusal(lambda: generator.decode(z)), "a generator without a decoder must refuse to decode"
    check_same_seed_same_state(make, generator, pool, ids, seed)
    check_state(make, generator, x)
    check_too_few_samples(make, pool, seed)


def check_report(generator: Generator, pool: Pool, ids: Sequence[SampleId], seed: int) -> None:
    """Fitting learns more than the mean image, and leaves the pool alone."""
    before = pool.digest
    report = generator.fit(pool, ids, pool.codec(), seed)
    assert pool.digest == before, "fitting must not change the pool"
    assert np.isfinite(report.error), f"the error must be finite, but got {report.error}"
    assert report.error < report.mean_error, f"the error must be below {report.mean_error}, but got {report.error}"
    assert report.steps > 0, "a report must count its steps"


def check_latents(generator: Generator, x: Tensor) -> None:
    """``(n, *shape)`` to ``(n, latent_dim)``; the same twice; one sample alone as in a batch; differentiable in x."""
    with torch.no_grad():
        z = generator.encode(x)
        assert z.shape == (len(x), generator.latent_dim), f"latents must be (n, latent_dim), but got {tuple(z.shape)}"
        assert z.dtype == torch.float32, f"latents must be float32, but got {z.dtype}"
        assert torch.equal(generator.encode(x), z), "encoding twice must give the same"
        alone = generator.encode(x[:1])
    assert torch.allclose(alone, z[:1], atol=1e-4), "a sample alone must be encoded as it is in a batch"
    soft = x.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad((generator.encode(soft) - z.roll(1, 0)).square().sum(), soft)
    assert _useful(gradient), "encode must be differentiable in x"


def check_decoded(generator: Generator, x: Tensor) -> None:
    """``(n, latent_dim)`` to ``(n, *shape)``; the same twice; one sample alone as in a batch; differentiable in z."""
    with torch.no_grad():
        z = generator.encode(x)
        decoded = generator.decode(z)
        assert decoded.shape == x.shape, f"decoded samples must be {tuple(x.shape)}, but got {tuple(decoded.shape)}"
        assert torch.equal(generator.decode(z), decoded), "decoding twice must give the same"
        alone = generator.decode(z[:1])
    assert torch.allclose(alone, decoded[:1], atol=1e-4), "a sample alone must decode as it does in a batch"
    free = z.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad((generator.decode(free) - x).square().sum(), free)
    assert _useful(gradient), "decode must be differentiable in z"


def check_soft_form(generator: Generator, x: Tensor, kind: str) -> None:
    """Decoded intensities lie in [0, 1]; decoded class codes are probabilities over channel 0."""
    with torch.no_grad():
        decoded = generator.decode(3.0 * generator.encode(x))
    assert bool(torch.isfinite(decoded).all()), "decoded samples must be finite"
    if kind != "values":
        assert bool(((decoded >= 0) & (decoded <= 1)).all()), "decoded samples must lie in [0, 1]"
    if kind == "codes":
        total = decoded.sum(1)
        assert torch.allclose(total, torch.ones_like(total), atol=1e-4), "class probabilities must sum to one"


def check_same_seed_same_state(
    make: MakeGenerator, fitted: Generator, pool: Pool, ids: Sequence[SampleId], seed: int
) -> None:
    """The same seed and order give the same state, whatever torch's global generator holds."""
    other = make()
    torch.rand(3)
    position = torch.random.get_rng_state()
    other.fit(pool, ids, pool.codec(), seed)
    assert torch.equal(torch.random.get_rng_state(), position), "fitting must leave torch's global generator alone"
    assert digest_bytes(other.state()) == digest_bytes(fitted.state()), "the same seed must give the same state"


def check_state(make: MakeGenerator, fitted: Generator, x: Tensor) -> None:
    """A state loaded into a fresh generator gives the same latents and the same state; nonsense is refused."""
    other = make()
    other.load(fitted.state())
    with torch.no_grad():
        assert torch.equal(other.encode(x), fitted.encode(x)), "a loaded state must encode the same"
    assert other.state() == fitted.state(), "a loaded state must be given back the same"
    assert refusal(lambda: other.load(b"not a state")), "a state that is none must be a clear error"


def check_too_few_samples(make: MakeGenerator, pool: Pool, seed: int) -> None:
    """No samples: a clear error."""
    assert refusal(lambda: make().fit(pool, [], pool.codec(), seed)), "an empty pool must be a clear error"


def _useful(gradient: Tensor) -> bool:
    return bool(torch.isfinite(gradient).all() and gradient.any())
