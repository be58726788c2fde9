import numpy as np
import pytest
import torch

from dataeff_al.errors import DataError, TrainingError
from dataeff_al.generators.pool_tensor import split
from dataeff_al.generators.protocol import GeneratorContext
from dataeff_al.generators.spec import PCA, PcaParams
from dataeff_al.samples.arrays import ArrayPool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.columns import Columns
from dataeff_al.samples.types import FieldSpec, SampleSpec, TensorSpec
from dataeff_al.testing.generators import check_generator
from dataeff_al.testing.toys import TOYS
from dataeff_al.testing.views import built, fitted_generator

VAE = {"latent_dim": 4, "steps": 80, "batch_size": 8, "width": 8, "beta": 0.2}


@pytest.mark.parametrize("toy", sorted(TOYS))
def test_components_keep_the_contract(toy):
    pool = TOYS[toy](48, 0)
    check_generator(lambda: built("generators", "pca", GeneratorContext(pool.codec().tensor), latent_dim=4), pool)


@pytest.mark.parametrize("toy", sorted(TOYS))
def test_the_autoencoder_keeps_the_contract(toy):
    pool = TOYS[toy](48, 0)
    check_generator(lambda: built("generators", "conv_vae", GeneratorContext(pool.codec().tensor), **VAE), pool)


def test_the_autoencoder_keeps_the_contract_with_a_gaussian_likelihood():
    pool = TOYS["class"](48, 0)
    context = GeneratorContext(pool.codec().tensor)
    check_generator(lambda: built("generators", "conv_vae", context, **VAE, likelihood="gaussian"), pool)


@pytest.mark.parametrize(
    "shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (7, 64, 64), (1, 16, 24, 24), (2, 5, 9), (1, 3, 3), (6,)]
)
def test_any_size_is_encoded_and_decoded(shape):
    generator = built("generators", "conv_vae", GeneratorContext(TensorSpec(shape, "intensity")), latent_dim=3, width=4)
    x = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    assert generator.encode(x).shape == (2, 3)
    assert generator.decode(generator.encode(x)).shape == x.shape


def test_as_many_components_as_samples_reconstruct_what_they_learnt():
    pool = TOYS["table"](30, 0)
    generator = fitted_generator("pca", pool, latent_dim=5)
    x = pool.codec().soften(pool.read(pool.ids()))
    assert torch.allclose(generator.decode(generator.encode(x)), x, atol=1e-4)


def test_components_are_orthonormal_and_ordered_by_variance():
    pool = TOYS["class"](48, 0)
    generator = fitted_generator("pca", pool, latent_dim=6)
    flat = generator.decode(torch.zeros(1, 6)).flatten()
    z = generator.encode(pool.codec().soften(pool.read(pool.ids())))
    spread = z.std(0)
    assert bool((spread[:-1] >= spread[1:] * 0.9).all())
    assert flat.shape == (64,)


def rare_pool(n=160):
    """Squares of many sizes in which a rare class, one pixel in a hundred, sits in one of two places."""
    rng = np.random.default_rng(0)
    mask = np.zeros((n, 16, 16), np.uint8)
    for row in range(n):
        side = int(rng.integers(0, 5))
        mask[row, side : 16 - side, side : 16 - side] = 1
        column = 5 if rng.random() < 0.5 else 9
        mask[row, 7:9, column : column + 2] = 2
    field = FieldSpec((16, 16), "uint8", "codes", classes=("outside", "tissue", "calcium"))
    ids = [f"rare-{row}" for row in range(n)]
    return ArrayPool(Columns(SampleSpec({"mask": field}, "mask"), ids, ids, {"mask": mask}), codec_for)


def rare_dice(balance):
    pool = rare_pool()
    params = {**VAE, "steps": 120, "class_balance": balance}
    generator = fitted_generator("conv_vae", pool, **params)
    x = pool.codec().soften(pool.read(pool.ids()))
    found, truth = generator.decode(generator.encode(x)).argmax(1) == 2, x.argmax(1) == 2
    return 2 * int((found & truth).sum()) / (int(found.sum()) + int(truth.sum()))


def test_class_weights_keep_a_rare_tissue_alive():
    assert rare_dice(0.75) > rare_dice(0.0) + 0.2


def constant_but_one(n=20):
    x = np.full((n, 1, 8, 8), 0.5, np.float32)
    x[0, 0, 0, 0] = 0.6
    field = FieldSpec((1, 8, 8), "float32", "intensity", range=(0.0, 1.0))
    ids = [f"flat-{row}" for row in range(n)]
    return ArrayPool(Columns(SampleSpec({"x": field}, "x"), ids, ids, {"x": x}), codec_for)


@pytest.mark.parametrize(("name", "params"), [("pca", {}), ("conv_vae", {"steps": 5})])
def test_a_generator_that_is_no_better_than_the_mean_image_is_refused(name, params):
    pool = constant_but_one()
    generator = built("generators", name, GeneratorContext(pool.codec().tensor), latent_dim=2, **params)
    with pytest.raises(TrainingError, match="mean image"):
        generator.fit(pool, pool.ids()[1:], pool.codec(), 0)


def test_more_components_than_samples_are_refused():
    pool = TOYS["class"](8, 0)
    generator = built("generators", "pca", GeneratorContext(pool.codec().tensor), latent_dim=12)
    with pytest.raises(DataError, match="12 samples"):
        generator.fit(pool, pool.ids(), pool.codec(), 0)


def test_more_components_than_numbers_are_refused():
    with pytest.raises(DataError, match="at most 5"):
        built("generators", "pca", GeneratorContext(TensorSpec((5,), "values")), latent_dim=6)


@pytest.mark.parametrize("held_back", [0.1, 0.5])
@pytest.mark.parametrize("latent_dim", [1, 4, 9])
def test_components_say_beforehand_how_many_samples_they_need(latent_dim, held_back):
    params = PcaParams(latent_dim=latent_dim, held_back=held_back)
    fewest = PCA.fewest(params)
    learn, held = split(fewest, held_back, 0)
    assert len(learn) >= latent_dim
    assert len(held) >= 1
    # No generator learns from a single sample.
    assert fewest == 2 or len(split(fewest - 1, held_back, 0)[0]) < latent_dim
