import pytest
import torch

from dataeff_al.errors import CapabilityError, TrainingError
from dataeff_al.generators.alpha_gan import Game
from dataeff_al.generators.alpha_gan_network import Autoencoder
from dataeff_al.generators.alpha_gan_spec import AlphaGanParams
from dataeff_al.generators.pool_tensor import check_learnt
from dataeff_al.generators.protocol import GeneratorContext
from dataeff_al.samples.types import TensorSpec
from dataeff_al.testing.generators import check_generator
from dataeff_al.testing.toys import TOYS
from dataeff_al.testing.views import built, fitted_generator

SMALL = {"latent_dim": 4, "steps": 60, "batch_size": 16, "width": 8}


def test_the_adversarial_autoencoder_keeps_the_contract():
    pool = TOYS["class"](48, 0)
    check_generator(lambda: built("generators", "alpha_gan", GeneratorContext(pool.codec().tensor), **SMALL), pool)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (2, 5, 9), (1, 3, 3)])
def test_any_size_of_image_is_encoded_and_decoded(shape):
    generator = built("generators", "alpha_gan", GeneratorContext(TensorSpec(shape, "intensity")), **SMALL)
    x = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    assert generator.encode(x).shape == (2, 4)
    assert generator.decode(generator.encode(x)).shape == x.shape


@pytest.mark.parametrize(("shape", "kind"), [((7, 16, 16), "codes"), ((1, 8, 16, 16), "intensity"), ((5,), "values")])
def test_what_is_no_image_of_intensities_is_refused(shape, kind):
    with pytest.raises(CapabilityError, match="generator alpha_gan must have"):
        built("generators", "alpha_gan", GeneratorContext(TensorSpec(shape, kind)))


def test_the_critic_of_codes_brings_the_codes_to_the_prior():
    pool = TOYS["class"](96, 0)
    x = pool.codec().soften(pool.read(pool.ids()))
    spread = {}
    for prior in (0.0, 1.0):
        params = {**SMALL, "steps": 80, "warm_up": 0.0, "realism": 0.0, "prior": prior}
        z = fitted_generator("alpha_gan", pool, **params).encode(x)
        spread[prior] = float((z.std(0).log().abs() + z.mean(0).abs()).mean())
    assert spread[1.0] < spread[0.0]


@torch.no_grad()
def test_critics_say_nothing_to_the_autoencoder_before_the_warm_up_and_everything_after_it():
    params = AlphaGanParams(latent_dim=4, steps=100, warm_up=0.5, width=8)
    game = Game(params, Autoencoder((1, 8, 8), 8, 4), (1, 8, 8))
    game._critics.eval()
    (x, again, other), z = torch.rand(3, 4, 1, 8, 8), torch.randn(4, 4)
    plain = params.reconstruction * (again - x).abs().mean()
    assert torch.equal(game._own(x, again, other, z, 0), plain)
    half, full = game._own(x, again, other, z, 25) - plain, game._own(x, again, other, z, 50) - plain
    assert float(half) == pytest.approx(float(full) / 2, rel=0.1)
    assert float(full) == pytest.approx(float(game._own(x, again, other, z, 99) - plain), rel=0.1)


def test_a_decoder_must_beat_the_mean_of_few_samples_by_more_than_chance():
    check_learnt(0.5, 1.0, 10)
    with pytest.raises(TrainingError, match="a generator must learn more than the mean image, whose error is 1"):
        check_learnt(0.95, 1.0, 10)
    check_learnt(0.95, 1.0, 1000)
