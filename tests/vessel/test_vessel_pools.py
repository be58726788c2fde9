import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataeff_al.errors import DataError
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.testing.pools import check_pool
from dataeff_al.vessel.ivus_contours import ARCHIVE, read_frames
from dataeff_al.vessel.ivus_pool import split_run
from dataeff_al.vessel.raster import rasterise
from dataeff_al.vessel.shape_model import polar_frame
from dataeff_al.vessel.spec import IVUS_SECTIONS, VESSEL_SECTIONS, IvusSectionsParams, VesselSectionsParams

DATA = os.environ.get("DATAEFF_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="DATAEFF_DATA is not set: no real IVUS contours")


def generated(seed: int = 7, **params: object):
    return VESSEL_SECTIONS.factory()(VesselSectionsParams(**params), PoolContext(Path(), None, seed))


def from_ivus(seed: int = 7, **params: object):
    return IVUS_SECTIONS.factory()(IvusSectionsParams(**params), PoolContext(Path(), Path(DATA), seed))


def test_the_generated_pool_keeps_the_contract():
    check_pool(generated(size=60), generated(size=60))


def test_a_section_depends_on_seed_and_number_alone():
    small, large, other = generated(size=5), generated(size=50), generated(seed=8, size=5)
    for sample_id in small.ids():
        mask = small.read([sample_id])[0].fields["mask"]
        assert np.array_equal(mask, large.read([sample_id])[0].fields["mask"])
        assert not np.array_equal(mask, other.read([sample_id])[0].fields["mask"])


def test_reading_gives_copies():
    pool = generated(size=2)
    first = pool.read(pool.ids())[0].fields["mask"]
    first[:] = 0
    assert pool.read(pool.ids())[0].fields["mask"].any()


def test_every_generated_section_passes_the_gate():
    pool = generated(size=200)
    gate = pool.codec().gate
    broken = [rule for rule in (gate.check(s.fields["mask"]) for s in pool.read(pool.ids())) if rule]
    assert not broken


def test_generated_sections_show_lipid_calcium_and_plain_walls():
    pool = generated(size=200)
    masks = [sample.fields["mask"] for sample in pool.read(pool.ids())]
    for code in (3, 4, 5):
        share = np.mean([np.any(mask == code) for mask in masks])
        assert 0.05 < share < 0.9


def test_the_contour_form_of_a_section_gives_the_same_mask():
    pool = generated(size=6)
    for sample_id in pool.ids():
        polar = pool.polar(sample_id)
        assert np.mean(rasterise(polar.section(), (64, 64), 5 / 64) != polar.mask((64, 64), 5 / 64)) < 2e-3


def test_a_pool_that_cannot_fit_its_field_of_view_is_a_clear_error():
    pool = from_generator_of_half_view(0.6)
    with pytest.raises(DataError, match="fit a field of view"):
        pool.read(pool.ids())


def from_generator_of_half_view(half: float):
    pool = generated(size=1)
    pool._generator = type(pool._generator)(pool._generator.shape, pool._generator.kinds, half, 0.1)
    return pool


@pytest.mark.parametrize("root", [None, Path("/nonexistent")])
def test_missing_contours_are_a_clear_error(root):
    with pytest.raises(DataError, match="IVUS"):
        IVUS_SECTIONS.factory()(IvusSectionsParams(), PoolContext(Path(), root, 7))


def test_a_file_that_is_no_archive_is_a_clear_error(tmp_path):
    (tmp_path / ARCHIVE).parent.mkdir(parents=True)
    (tmp_path / ARCHIVE).write_bytes(b"not an archive")
    with pytest.raises(DataError, match=r"readable tar\.xz"):
        IVUS_SECTIONS.factory()(IvusSectionsParams(), PoolContext(Path(), tmp_path, 7))


@needs_data
def test_the_ivus_pool_keeps_the_contract():
    check_pool(from_ivus(size=30), from_ivus(size=30))


@needs_data
def test_real_frames_are_held_out_as_one_contiguous_run_and_one_group():
    pool = from_ivus(size=10)
    held = pool.held_out()
    positions = sorted({int(str(i).split("-")[1]) for i in held})
    assert positions == list(range(positions[0], positions[0] + 8))
    assert len(held) == 16
    assert {pool.group(i) for i in held} == {"ivus-artery-1"}
    assert any(np.any(s.fields["mask"] == 5) for s in pool.read(held))


@needs_data
def test_held_out_frames_never_reach_the_shape_model():
    kept, held = split_run(read_frames(Path(DATA) / ARCHIVE), 8)
    assert not {f.index for f in kept} & {f.index for f in held}
    assert len(kept) + len(held) == 63


@needs_data
def test_held_out_frames_change_nothing_in_the_generated_sections(monkeypatch):
    plain = from_ivus(size=3)
    frames = read_frames(Path(DATA) / ARCHIVE)
    held = {(f.phase, f.index) for f in split_run(frames, 8)[1]}
    moved = [replace(f, lumen=f.lumen * 0.999) if (f.phase, f.index) in held else f for f in frames]
    monkeypatch.setattr("dataeff_al.vessel.ivus_pool.read_frames", lambda _: moved)
    spoilt = from_ivus(size=3)
    generated_ids = plain.ids()[:3]
    for before, after in zip(plain.read(generated_ids), spoilt.read(generated_ids), strict=True):
        assert np.array_equal(before.fields["mask"], after.fields["mask"])


@needs_data
def test_real_frames_have_plausible_walls():
    for frame in read_frames(Path(DATA) / ARCHIVE):
        lumen, wall = polar_frame(frame)
        assert 0.5 < lumen.min() < lumen.max() < 2.0
        assert 0.03 < wall.min() < wall.max() < 1.5
