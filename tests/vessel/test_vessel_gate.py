from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataeff_al.errors import DataError
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import Invalid, Sample, SampleId
from dataeff_al.vessel.cleanup import clean
from dataeff_al.vessel.spec import VESSEL_SECTIONS, VesselSectionsParams
from dataeff_al.vessel.validity import Gate, unsound

POOL = VESSEL_SECTIONS.factory()(VesselSectionsParams(size=150), PoolContext(Path(), None, 3))
CODEC = POOL.codec()


def disk(mask: np.ndarray, radius: float, code: int, centre: tuple[float, float] = (31.5, 31.5)) -> None:
    i, j = np.mgrid[: mask.shape[0], : mask.shape[1]]
    mask[np.hypot(i - centre[0], j - centre[1]) < radius] = code


def vessel(lumen: float = 12.0, wall: float = 20.0, outer: float = 24.0) -> np.ndarray:
    mask = np.zeros((64, 64), dtype=np.uint8)
    for radius, code in ((outer, 6), (wall, 2), (lumen, 1)):
        disk(mask, radius, code)
    return mask


def changed(radius: float, code: int, centre: tuple[float, float]) -> np.ndarray:
    mask = vessel()
    disk(mask, radius, code, centre)
    return mask


def banana() -> np.ndarray:
    mask = np.zeros((64, 64), dtype=np.uint8)
    for width, code in ((9, 2), (5, 1)):
        for angle in np.linspace(0, 4.2, 60):
            disk(mask, width, code, (32 + 18 * np.sin(angle), 32 + 18 * np.cos(angle)))
    return mask


BROKEN = {
    "0 to 6": changed(2.0, 9, (31.5, 50.0)),
    "must be a lumen": np.where(vessel() == 1, 2, vessel()).astype(np.uint8),
    "lumen must be one": changed(2.5, 1, (31.5, 48.0)),
    "vessel must be one": changed(2.0, 2, (3.0, 3.0)),
    "no holes": changed(2.0, 0, (31.5, 47.0)),
    "surround the lumen": changed(9.0, 1, (31.5, 50.0)),
    "clear of the border": vessel(outer=33.0),
    "star-shaped": banana(),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_each_rule_of_a_sound_section_is_named_when_broken(rule):
    assert rule in (unsound(BROKEN[rule]) or "")


def test_a_plain_ring_is_sound():
    assert unsound(vessel()) is None


def lipid_ring() -> np.ndarray:
    mask = vessel()
    for radius, code in ((18.5, 4), (15.2, 2), (12.0, 1)):
        disk(mask, radius, code)
    return mask


RANGES = {
    "lumen area": vessel(lumen=4.0),
    "lipid share": lipid_ring(),
    "calcium count": changed(1.5, 5, (31.5, 47.5)),
}


@pytest.mark.parametrize("rule", RANGES)
def test_a_section_unlike_the_pool_is_refused_with_the_rule(rule):
    mask = RANGES[rule]
    if rule == "calcium count":
        for centre in ((15.5, 31.5), (47.5, 31.5), (31.5, 15.5)):
            disk(mask, 1.5, 5, centre)
    assert rule in (CODEC.gate.check(mask) or "")


def test_lipid_at_the_lumen_breaks_the_cap():
    gate = Gate.of([changed(2.5, 4, (31.5, 47.5))], 0.078)
    assert "lipid cap" in (gate.check(changed(2.5, 4, (31.5, 45.0))) or "")


def test_an_unsound_pool_is_a_clear_error():
    with pytest.raises(DataError, match="sound sections"):
        Gate.of([banana()], 0.078)


def test_soften_then_harden_gives_the_mask_back():
    samples = POOL.read(POOL.ids()[:20])
    for before, after in zip(samples, CODEC.harden(CODEC.soften(samples)), strict=True):
        assert isinstance(after, Sample)
        assert np.array_equal(before.fields["mask"], after.fields["mask"])


def test_hardened_ids_come_from_content():
    x = CODEC.soften(POOL.read(POOL.ids()[:2]))
    first, second = CODEC.harden(x)
    assert first.id != second.id
    assert CODEC.harden(x[:1] * 0.5)[0].id == first.id
    assert first.group == str(first.id)


def test_not_finite_and_noise_are_invalid():
    noise = torch.rand((3, 7, 64, 64), generator=torch.Generator().manual_seed(0))
    noise[0] = float("nan")
    hard = CODEC.harden(noise)
    assert all(isinstance(one, Invalid) and one.reason for one in hard)


def test_a_mask_of_another_shape_is_a_clear_error():
    with pytest.raises(DataError, match="shape"):
        CODEC.soften([Sample(SampleId("a"), {"mask": np.zeros((8, 8), np.uint8)}, "a")])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 149), st.lists(st.tuples(st.integers(0, 63), st.integers(0, 63), st.integers(0, 6)), max_size=6))
def test_cleaning_is_done_in_one_go_and_repairs_specks(number, specks):
    mask = POOL.read([POOL.ids()[number]])[0].fields["mask"]
    for i, j, code in specks:
        mask[i, j] = code
    once = clean(mask)
    assert np.array_equal(once, clean(once))
    assert not {"no holes", "lumen must be one", "vessel must be one"} & {unsound(once) or ""}
