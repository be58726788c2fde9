from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from dataeff_al.errors import DataError
from dataeff_al.labeling.types import Label, LabelerContext, LabelFailure, Request
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import FieldSpec, Sample, SampleId, SampleSpec
from dataeff_al.testing.labelers import check_labeler
from dataeff_al.vessel.spec import VESSEL_SECTIONS, VesselSectionsParams
from labelers.fem_stress.spec import PLUGIN, FemStressParams, MeshParams, TissueParams

POOL = VESSEL_SECTIONS.factory()(VesselSectionsParams(size=12), PoolContext(Path(), None, 7))
SAMPLES = POOL.read(POOL.ids())


def labeler(**params: object):
    return PLUGIN.factory()(FemStressParams(**params), LabelerContext(POOL, Path(), None))


def ring_mask(pixels: int, a: float, b: float, pixel: float) -> np.ndarray:
    y, x = (np.mgrid[:pixels, :pixels] - (pixels - 1) / 2) * pixel
    r = np.hypot(x, y)
    return np.where(r < a, 1, np.where(r < b, 2, 0)).astype(np.uint8)


def test_the_labeler_keeps_the_contract():
    check_labeler(labeler(), SAMPLES[:10])


def test_a_batch_of_many_equals_one_by_one_bit_for_bit():
    maker = labeler(channels=["first_principal", "von_mises", "circumferential"])
    together = maker.label([Request(s.id, s) for s in SAMPLES[:11]])
    for sample, label in zip(SAMPLES[:11], together, strict=True):
        alone = maker.label([Request("x", sample)])[0]
        assert np.array_equal(alone.target["stress"], label.target["stress"], equal_nan=True)


@pytest.mark.parametrize("nu", [0.3, 0.499])
def test_a_mask_of_a_ring_has_the_stress_of_lame(nu):
    a, b, p, pixel = 1.0, 1.8, 14.665, 5 / 128
    mask = ring_mask(128, a, b, pixel)
    maker = labeler(lumen_pressure_kpa=p, tissues={"wall": TissueParams(youngs_modulus_kpa=300.0, poisson_ratio=nu)})
    sample = Sample(SampleId("ring"), {"mask": mask, "pixel_size_mm": np.array(pixel)}, "ring")
    stress = maker.label([Request("x", sample)])[0].target["stress"][0]
    y, x = (np.mgrid[:128, :128] - 63.5) * pixel
    r = np.hypot(x, y)
    A = p * a**2 / (b**2 - a**2)
    inside = (r > a + pixel) & (r < b - pixel)
    exact = A + A * b**2 / r[inside] ** 2
    assert np.abs(stress[inside] / exact - 1).max() < 0.1
    assert np.linalg.norm(stress[inside] - exact) < 0.015 * np.linalg.norm(exact)


def test_stress_is_nan_outside_tissue_and_finite_inside():
    for sample, label in zip(SAMPLES, labeler().label([Request(s.id, s) for s in SAMPLES]), strict=True):
        solid = sample.fields["mask"] > 1
        assert np.array_equal(label.valid, solid)
        assert np.array_equal(np.isfinite(label.target["stress"][0]), solid)
        assert label.cost == 1


def test_the_answer_scales_with_pressure():
    one, two = (
        labeler(lumen_pressure_kpa=p).label([Request("a", SAMPLES[0])])[0].target["stress"] for p in (10.0, 20.0)
    )
    assert np.allclose(2 * one, two, rtol=1e-5, equal_nan=True)


def broken() -> dict[str, np.ndarray]:
    mask = SAMPLES[0].fields["mask"]
    return {
        "there must be a lumen": np.where(mask == 1, 2, mask).astype(np.uint8),
        "codes must be 0 to 6": np.where(mask == 2, 9, mask).astype(np.uint8),
        "clear of the border": np.where(mask == 0, 2, mask).astype(np.uint8),
        "array of integers": mask.astype(np.float32),
        "(h, w)": mask[None],
    }


@pytest.mark.parametrize("rule", broken())
def test_a_mask_that_is_no_section_is_refused_with_the_rule_and_spoils_nothing(rule):
    bad = replace(SAMPLES[0], fields={"mask": broken()[rule]})
    good, refused, after = labeler().label(
        [Request(k, s) for k, s in zip("abc", (SAMPLES[1], bad, SAMPLES[2]), strict=True)]
    )
    assert isinstance(refused, LabelFailure)
    assert refused.kind == "refused"
    assert rule in refused.reason
    assert isinstance(good, Label)
    assert isinstance(after, Label)


def test_a_tissue_without_a_law_is_refused():
    with pytest.raises(ValidationError):
        FemStressParams(tissues={"bone": {"youngs_modulus_kpa": 3.0}})


@pytest.mark.parametrize(
    "params",
    [
        {"tissues": {"wall": {"youngs_modulus_kpa": 0.0}}},
        {"tissues": {"wall": {"youngs_modulus_kpa": 3.0, "poisson_ratio": 0.5}}},
        {"tissues": {"wall": {"youngs_modulus_kpa": 3.0, "c1_kpa": 3.0}}},
        {"tissues": {"wall": {"c1_kpa": 3.0}}},
        {"fidelity": "hyperelastic", "tissues": {"wall": {"youngs_modulus_kpa": 3.0}}},
        {"lumen_pressure_kpa": -1.0},
        {"channels": []},
        {"channels": ["von_mises", "von_mises"]},
        {"mesh": {"radial": 0}},
        {"presure": 3.0},
    ],
)
def test_wrong_parameters_are_refused(params):
    with pytest.raises(ValidationError):
        FemStressParams(**params)


def test_samples_without_a_mask_are_a_clear_error():
    class Table:
        spec = SampleSpec({"x": FieldSpec((4,), "float32", "values")}, "x")

    with pytest.raises(DataError, match="mask"):
        PLUGIN.factory()(FemStressParams(), LabelerContext(Table(), Path(), None))


def test_an_unknown_pixel_size_is_refused():
    class Unsized:
        spec = SampleSpec({"mask": FieldSpec((64, 64), "uint8", "codes")}, "mask")

    maker = PLUGIN.factory()(
        FemStressParams(mesh=MeshParams(radial=4, circumferential=32)), LabelerContext(Unsized(), Path(), None)
    )
    refused = maker.label([Request("a", SAMPLES[0])])[0]
    assert isinstance(refused, LabelFailure)
    assert "pixel_size_mm" in refused.reason
