import numpy as np
import pytest

from dataeff_al.errors import DataError
from dataeff_al.samples.splits import split_pool


def test_phantoms_depend_on_the_seed_and_not_on_how_many_there_are(build):
    few, many, other = build("phantoms", cases=3), build("phantoms", cases=6), build("phantoms", cases=3, seed=8)
    first = few.read(few.ids())
    assert few.digest == build("phantoms", cases=3).digest
    assert few.digest != other.digest
    for sample, same in zip(first, many.read(few.ids()), strict=True):
        assert np.array_equal(sample.fields["x"], same.fields["x"])


@pytest.mark.parametrize("organs", [1, 2])
def test_every_case_shows_every_organ_brighter_than_what_is_around_it(build, organs):
    pool = build("phantoms", cases=12, organs=organs)
    assert pool.target.classes == ("background", "liver", "kidney")[: organs + 1]
    for sample, answer in zip(pool.read(pool.ids()), pool.answers(pool.ids()), strict=True):
        image, mask = sample.fields["x"][0], answer["mask"]
        assert image.shape == mask.shape == (16, 24, 24)
        assert np.unique(mask).tolist() == list(range(organs + 1))
        brightness = [float(image[mask == code].mean()) for code in range(organs + 1)]
        assert brightness == sorted(brightness)


def test_cases_differ_in_shape_and_noise(build):
    pool = build("phantoms", cases=6)
    volumes = {int((answer["mask"] == 1).sum()) for answer in pool.answers(pool.ids())}
    assert len(volumes) > 3
    smooth = build("phantoms", cases=2, noise=0.0, bias=0.0)
    image, mask = smooth.read(smooth.ids())[0].fields["x"][0], smooth.answers(smooth.ids())[0]["mask"]
    assert [np.unique(image[mask == code]).size for code in range(3)] == [1, 1, 1]


def test_the_parts_of_a_volume_are_its_slices_in_the_same_case(build):
    pool = build("phantoms", cases=3)
    volume = pool.ids()[1]
    parts = pool.parts(volume)
    assert len(parts) == 16
    assert {pool.group(part) for part in parts} == {pool.group(volume)}
    whole, mask = pool.read([volume])[0].fields["x"], pool.answers([volume])[0]["mask"]
    for place, (part, answer) in enumerate(zip(pool.read(parts), pool.answers(parts), strict=True)):
        assert np.array_equal(part.fields["x"], whole[:, place])
        assert np.array_equal(answer["mask"], mask[place])
        assert part.fields["x"].shape == pool.slice_spec.input_field.shape
        assert answer["mask"].shape == pool.slice_target.shape
        assert pool.parts(part.id) == (part.id,)
    assert not set(parts) & set(pool.ids())


def test_volumes_and_slices_can_be_read_together(build):
    pool = build("phantoms", cases=2)
    volume = pool.ids()[0]
    ids = [pool.parts(volume)[3], volume]
    assert [sample.id for sample in pool.read(ids)] == ids
    assert [answer["mask"].ndim for answer in pool.answers(ids)] == [2, 3]
    with pytest.raises(DataError, match="'case-0000/z999'"):
        pool.read(["case-0000/z999"])


def test_the_slice_pool_holds_the_slices_of_the_volume_pool(build):
    volumes, slices = build("phantoms", cases=2), build("phantoms", cases=2, unit="slice")
    assert [part for volume in volumes.ids() for part in volumes.parts(volume)] == list(slices.ids())
    for one, other in zip(volumes.read(slices.ids()), slices.read(slices.ids()), strict=True):
        assert one.group == other.group
        assert np.array_equal(one.fields["x"], other.fields["x"])


def test_volumes_are_split_by_case(build):
    split = split_pool(build("phantoms", cases=10), validation=2, test=3, seed=0)
    assert (len(split.pool), len(split.validation), len(split.test)) == (5, 2, 3)
