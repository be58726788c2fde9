"""Heads are laid onto one another by their images: the same place is then the same part of the head."""

import numpy as np
import pytest
from scipy import ndimage

from dataeff_al import registry
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.slices import slice_id
from dataeff_al.volumes.alignment import aligned_places
from dataeff_al.volumes.grid import places

SHAPE = (40, 36, 32)


@pytest.fixture(scope="module")
def template():
    """A head with something to see everywhere in it."""
    rng = np.random.default_rng(0)
    at = np.stack(np.meshgrid(*[np.linspace(-1.25, 1.25, side) for side in SHAPE], indexing="ij"))
    texture = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 1.6)
    texture = (texture - texture.min()) / np.ptp(texture)
    return np.where((at**2).sum(0) < 1, 0.2 + 0.8 * texture, 0).astype(np.float32)


def moved(image, displacement):
    grid = np.stack(np.meshgrid(*[np.arange(side, dtype=float) for side in image.shape], indexing="ij"))
    return ndimage.map_coordinates(image, grid + displacement, order=1).astype(np.float32)


def off(found, displacement, image, template):
    """How far places are from where the displacement came from, in voxels, on average over the head."""
    true = np.stack(np.meshgrid(*places(template > 0), indexing="ij"))
    wanted = np.stack([moved(axis, displacement) for axis in true])
    inside = ndimage.binary_erosion(image > 0.05, iterations=2)
    voxel = [np.diff(line).mean() for line in places(template > 0)]
    return np.mean([np.abs(found[axis] - wanted[axis])[inside].mean() / voxel[axis] for axis in range(3)])


def smooth_displacement(size):
    waves = np.random.default_rng(1).standard_normal((3, *SHAPE))
    smooth = np.stack([ndimage.gaussian_filter(wave, 7) for wave in waves])
    return size * smooth / smooth.std()


@pytest.mark.parametrize(("toned", "least"), [(False, 0.65), (True, 0.85)])
def test_a_bent_head_is_found_again(toned, least, template):
    displacement = smooth_displacement(3.0)
    image = moved(template, displacement)
    image = np.where(image > 0, 0.3 + 0.5 * image**2, 0).astype(np.float32) if toned else image
    own = places(image > 0)
    before = off(np.stack(np.meshgrid(*own, indexing="ij")), displacement, image, template)
    found = aligned_places(image, own, template, places(template > 0))
    assert found.shape == (3, *SHAPE)
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1
    after = off(found, displacement, image, template)
    assert after < least * before, (before, after)


def test_a_turned_and_scaled_head_is_found_again(template):
    turn = np.deg2rad(8)
    matrix = 1.1 * np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    grid = np.stack(np.meshgrid(*[np.arange(side) - (side - 1) / 2 for side in SHAPE], indexing="ij"))
    displacement = np.einsum("ij,jdhw->idhw", matrix - np.eye(3), grid)
    image = moved(template, displacement)
    own = places(image > 0)
    before = off(np.stack(np.meshgrid(*own, indexing="ij")), displacement, image, template)
    after = off(aligned_places(image, own, template, places(template > 0)), displacement, image, template)
    assert after < min(0.5 * before, 0.35), (before, after)


def test_a_head_lies_on_itself_and_the_same_way_each_time(template):
    own = places(template > 0)
    found = aligned_places(template, own, template, own)
    assert off(found, np.zeros((3, *SHAPE)), template, template) < 0.1
    np.testing.assert_array_equal(found, aligned_places(template, own, template, own))


def test_heads_of_another_size_are_laid_onto_one(template):
    smaller = ndimage.zoom(template, 0.8, order=1)
    found = aligned_places(smaller, places(smaller > 0), template, places(template > 0))
    assert found.shape == (3, *smaller.shape)
    middle = tuple(side // 2 for side in smaller.shape)
    assert np.abs(found[(slice(None), *middle)] - 0.5).max() < 0.05


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_a_pool_tells_places_in_its_first_case(plane):
    plugin = registry.get("pools", "heads")
    context = PoolContext(None, None, 3)

    def pool(**settings):
        return plugin.factory()(plugin.params(cases=3, shape=[24, 24, 16], plane=plane, **settings), context)

    plain, aligned, slices = pool(), pool(places="aligned"), pool(places="aligned", unit="slice")
    assert plugin.offers(plugin.params(places="aligned")) == plugin.offers(plugin.params())
    assert len({plain.digest, aligned.digest, slices.digest}) == 3
    ids = plain.ids()
    before, after = plain.read(ids), aligned.read(ids)
    np.testing.assert_allclose(after[0].fields["x"], before[0].fields["x"], atol=1e-6)
    assert np.abs(after[1].fields["x"][-3:] - before[1].fields["x"][-3:]).max() > 0.005
    np.testing.assert_array_equal(after[1].fields["x"][:-3], before[1].fields["x"][:-3])
    (one,) = slices.read([slice_id(str(ids[1]), 8)])
    np.testing.assert_array_equal(one.fields["x"], after[1].fields["x"][:, 8])
