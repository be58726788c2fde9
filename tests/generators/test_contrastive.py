import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from dataeff_al.errors import CapabilityError, TrainingError
from dataeff_al.generators.protocol import GeneratorContext
from dataeff_al.learners.distortion import Distortion
from dataeff_al.samples.arrays import ArrayPool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.columns import Columns
from dataeff_al.samples.types import FieldSpec, SampleSpec, TensorSpec
from dataeff_al.testing.generators import check_generator
from dataeff_al.testing.toys import TOYS
from dataeff_al.testing.views import built, fitted_generator

SMALL = {"width": 8, "hidden": 16, "projection": 8, "steps": 60, "batch_size": 24}
KEEP = Distortion(turn_deg=0, scale=0, shift=0, elastic=0)


def images(n=4, c=1, size=16, seed=0):
    return torch.rand(n, c, size, size, generator=torch.Generator().manual_seed(seed))


def drawn():
    return torch.Generator().manual_seed(5)


@pytest.mark.parametrize("toy", ["class", "mask", "field"])
def test_the_contrastive_encoder_keeps_the_contract(toy):
    pool = TOYS[toy](60, 0)
    context = GeneratorContext(pool.codec().tensor)
    check_generator(lambda: built("generators", "contrastive", context, **SMALL), pool, decodes=False)


def test_latents_are_unit_vectors():
    pool = TOYS["class"](60, 0)
    z = fitted_generator("contrastive", pool, **SMALL).encode(pool.codec().soften(pool.read(pool.ids())))
    assert torch.allclose(z.norm(dim=1), torch.ones(60), atol=1e-5)


def test_views_of_a_sample_lie_nearer_to_it_than_other_samples_do():
    pool = TOYS["class"](80, 0)
    generator = fitted_generator("contrastive", pool, **SMALL | {"steps": 200})
    x = pool.codec().soften(pool.read(pool.ids()))
    with torch.no_grad():
        z, view = generator.encode(x), generator.encode(Distortion()(x, drawn()))
    likeness = view @ z.T
    own = likeness.diagonal()
    rank = (likeness > own[:, None]).float().mean(1)
    assert float(rank.median()) < 0.2


def test_what_cannot_be_told_apart_is_refused():
    form = FieldSpec((1, 8, 8), "float32", "intensity", range=(0.0, 1.0))
    names = [f"s{k}" for k in range(40)]
    same = np.tile(np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 1, 8, 8), (40, 1, 1, 1))
    still = {"turn_deg": 0.0, "scale": 0.0, "shift": 0.0, "elastic": 0.0}
    pool = ArrayPool(Columns(SampleSpec({"x": form}, "x"), names, names, {"x": same}), codec_for)
    generator = built("generators", "contrastive", GeneratorContext(pool.codec().tensor), **SMALL, **still)
    with pytest.raises(TrainingError, match="that of knowing nothing"):
        generator.fit(pool, pool.ids(), pool.codec(), 0)


@pytest.mark.parametrize("shape", [(6,), (1, 8, 8, 8)])
def test_tables_and_volumes_have_no_views(shape):
    with pytest.raises(CapabilityError, match="must have images"):
        built("generators", "contrastive", GeneratorContext(TensorSpec(shape, "intensity")))


def test_no_distortion_leaves_the_image():
    x = images()
    assert torch.allclose(KEEP(x, drawn()), x, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"turn_deg": 20.0},
        {"scale": 0.3},
        {"shift": 0.2},
        {"crop": 0.5},
        {"elastic": 0.1},
        {"tone": 0.5},
        {"erase": 0.4},
    ],
)
def test_every_kind_of_change_changes_and_is_drawn_from_the_generator(change):
    x = images()
    distort = replace(KEEP, **change)
    assert not torch.allclose(distort(x, drawn()), x, atol=1e-3)
    assert torch.equal(distort(x, drawn()), distort(x, drawn()))
    assert distort(x, drawn()).min() >= 0
    assert distort(x, drawn()).max() <= 1


def test_a_shift_is_a_part_of_the_image():
    x = torch.zeros(200, 1, 20, 20)
    x[:, :, 10, 10] = 1.0
    moved = Distortion(turn_deg=0, scale=0, shift=0.2, elastic=0)(x, drawn())
    columns = (moved.sum((1, 2)) * torch.arange(20)).sum(1) / moved.sum((1, 2, 3))
    assert float((columns - 10).abs().max()) <= 0.2 * 20 + 0.51
    assert float((columns - 10).abs().max()) > 0.15 * 20


def test_a_crop_is_a_part_of_the_image_brought_back_to_its_size():
    ramp = torch.linspace(0, 1, 40).expand(300, 1, 40, 40)
    seen = replace(KEEP, crop=0.5)(ramp, drawn())
    width = (seen[:, 0, 20, -1] - seen[:, 0, 20, 0]) / (ramp[0, 0, 20, -1] - ramp[0, 0, 20, 0])
    assert 0.48 < float(width.min()) < 0.6
    assert 0.95 < float(width.max()) <= 1.01
    # Parts are drawn by their area, and a crop never leaves the image.
    assert float((width**2).mean()) == pytest.approx((0.5**2 + 1) / 2, abs=0.04)
    assert float(seen[:, 0, 20, 0].min()) < 0.05
    assert float(seen[:, 0, 20, -1].max()) > 0.95


def test_a_weaker_view_crops_less():
    assert replace(KEEP, crop=0.4).scaled(0.5).crop == pytest.approx(0.7)


def test_class_probabilities_stay_probabilities():
    x = images(c=3).softmax(1)
    seen = Distortion(erase=0.3)(x, drawn())
    assert torch.allclose(seen.sum(1), torch.ones_like(seen.sum(1)), atol=1e-5)


def test_a_mirror_turns_half_of_the_images():
    x = images(n=200)
    seen = replace(KEEP, mirror=True)(x, drawn())
    kept = torch.isclose(seen, x, atol=1e-4).flatten(1).all(1)
    turned = torch.isclose(seen, x.flip(-1), atol=1e-4).flatten(1).all(1)
    assert bool((kept | turned).all())
    assert 60 < int(kept.sum()) < 140


def test_the_loss_of_an_encoder_that_knows_nothing_is_that_of_guessing():
    generator = built("generators", "contrastive", GeneratorContext(TensorSpec((1, 16, 16), "intensity")), **SMALL)
    loss = float(generator._loss(images(n=64), drawn()))
    assert loss == pytest.approx(math.log(127), rel=0.35)


def test_colours_change_from_channel_to_channel_and_stay_colours():
    seen = replace(KEEP, colour=0.5)(torch.rand(8, 3, 12, 12, generator=drawn()), drawn())
    assert seen.min() >= 0
    assert seen.max() <= 1
    grey = replace(KEEP, colour=0.5)(torch.full((8, 3, 12, 12), 0.5), drawn())
    assert (grey.amax((2, 3)) - grey.amin((2, 3))).abs().max() < 1e-6
    assert grey.std(1).max() > 0.01
