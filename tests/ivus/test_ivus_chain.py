from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataeff_al import registry
from dataeff_al.errors import DataError
from dataeff_al.labeling.answered_samples import AnsweredSamples
from dataeff_al.labeling.types import Deferred, Label, LabelerContext, LabelFailure, Request
from dataeff_al.parts import read_part
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import Sample
from dataeff_al.testing.labelers import check_labeler
from dataeff_al.vessel.tissues import LUMEN, WALL
from labelers.ivus import Pullback, read_contours, segment
from labelers.ivus.drawing import cut_picture, frames_picture, measures_picture
from labelers.ivus.labeler import pool_of
from labelers.ivus.masks import thickened
from labelers.ivus.measuring import measure
from labelers.ivus.pool import PullbackPool
from labelers.ivus.report import write_report
from labelers.ivus.simulator.dicom_writing import write_dicom
from labelers.ivus.spec import PULLBACKS, PullbacksParams
from services.cli.main import run


@pytest.fixture(scope="module")
def pool() -> PullbackPool:
    return PULLBACKS.factory()(PullbacksParams(size=2, frames=3), PoolContext(Path(), None, 7))


def labeler_of(kind: str, pool: object, **params: object):
    part = read_part("labelers", {"kind": kind, **params})
    return part.build(LabelerContext(pool, Path(), None))


def test_a_pullback_is_one_sample_and_depends_on_its_number_alone(pool):
    again = PULLBACKS.factory()(PullbacksParams(size=5, frames=3), PoolContext(Path(), None, 7))
    first = pool.ids()[0]
    assert pool.read([first])[0].fields["x"].shape == (1, 3, 80, 80)
    assert np.array_equal(pool.read([first])[0].fields["x"], again.read([first])[0].fields["x"])
    assert pool.group(first) != pool.group(pool.ids()[1])
    with pytest.raises(DataError, match="a sample id must be"):
        pool.read(["none"])


def test_the_labeler_keeps_its_contract(clean20):
    frames = clean20.pullback
    pool = pool_of([frames.part(slice(0, 2)), frames.part(slice(2, 4))])
    labeler = labeler_of("ivus", pool)
    check_labeler(labeler, list(pool.read(pool.ids())))


def test_masks_hold_the_lumen_within_the_wall(clean20):
    pool = pool_of([clean20.pullback])
    label = labeler_of("ivus", pool).label([Request("a", pool.read(pool.ids())[0])])[0]
    assert isinstance(label, Label)
    mask, size = label.target["mask"][2], clean20.pullback.pixel_size_mm
    x, y = clean20.lumen_mm[2].T
    truth = abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2
    assert (mask == LUMEN).sum() * size**2 == pytest.approx(truth, rel=0.12)
    assert (mask == WALL).any()
    assert 0 < label.confidence <= 1


def test_an_unsure_answer_is_passed_on_as_a_draft(clean20):
    pool = pool_of([clean20.pullback])
    outcome = labeler_of("ivus", pool, least_confidence=1.0).label([Request("a", pool.read(pool.ids())[0])])[0]
    assert isinstance(outcome, Deferred)


def test_frames_that_show_nothing_are_refused():
    noise = np.random.default_rng(0).random((1, 2, 80, 80)).astype(np.float32)
    pool = pool_of([Pullback(noise[0], 0.05)])
    flat = Sample(pool.ids()[0], {"x": np.zeros((1, 2, 80, 80), np.float32)}, "g")
    refused = labeler_of("ivus", pool).label([Request("b", flat)])[0]
    assert isinstance(refused, LabelFailure)
    assert "must show something" in refused.reason
    refused = labeler_of("ivus", pool).label([Request("a", pool.read(pool.ids())[0])])[0]
    assert isinstance(refused, LabelFailure)
    assert "must show a vessel" in refused.reason


def test_walls_too_thin_for_the_raster_are_drawn_thicker_and_said_so(clean20):
    frames = clean20.pullback
    found = segment(frames)
    thin = replace(found, eem_mm=[found.centre_mm + 1.02 * (c - found.centre_mm) for c in found.lumen_mm])
    drawn, moved = thickened(thin, 0.1)
    assert moved.min() > 0.9
    wall = [np.linalg.norm(e - c, axis=1) for e, c in zip(drawn.eem_mm, drawn.lumen_mm, strict=True)]
    assert np.min(wall) > 1.49 * 0.1
    untouched, none = thickened(found, 1e-3)
    assert not none.any()
    assert np.array_equal(untouched.eem_mm[0], found.eem_mm[0])


def test_a_pipeline_goes_from_frames_to_stress(clean20):
    pool = pool_of([clean20.pullback])
    pipeline = labeler_of("pipeline", pool, steps=[{"kind": "ivus"}, {"kind": "fem_stress"}])
    label = pipeline.label([Request("a", pool.read(pool.ids())[0])])[0]
    assert isinstance(label, Label)
    stress = label.target["stress"]
    assert stress.shape == (1, *pool.spec.fields["x"].shape[1:]) == pipeline.info.target.shape
    assert np.isfinite(stress[0][label.valid]).all()
    assert 5 < np.median(stress[0][label.valid]) < 500
    assert label.cost == 2


def test_a_step_sees_the_form_of_the_answer_before(pool):
    target = labeler_of("ivus", pool).info.target
    spec = AnsweredSamples(pool, target).spec
    assert spec.fields["mask"].shape == (3, 80, 80)
    assert spec.fields["mask"].pixel_size_mm == pool.spec.fields["x"].pixel_size_mm
    assert spec.input == "x"


def test_a_dicom_file_becomes_sections_and_sections_become_stress(tmp_path, clean20):
    write_dicom(tmp_path / "Doe_Jane.dcm", clean20.pullback.part(slice(0, 2)))
    sections, stress = tmp_path / "sections.npz", tmp_path / "stress.npz"
    source = ["--in", str(tmp_path / "Doe_Jane.dcm"), "--out", str(sections), "--plot", str(tmp_path / "plot")]
    assert run(["label", "ivus", *source]) == 0
    assert run(["label", "fem_stress", "--in", str(sections), "--out", str(stress)]) == 0
    with np.load(sections) as found:
        assert found["mask"].shape == (1, 2, 256, 256)
        assert "Doe" not in str(found["id"][0])
    with np.load(stress) as found:
        assert np.isfinite(found["stress"]).any()
    names = {path.name.partition("-")[2].partition("-")[2] for path in (tmp_path / "plot").iterdir()}
    assert any(name.endswith("report.html") for name in names)


def test_pictures_are_drawn_and_the_page_is_whole(tmp_path, clean20):
    borders = segment(clean20.pullback)
    for picture in (
        frames_picture(clean20.pullback, borders, "a"),
        cut_picture(clean20.pullback, borders),
        measures_picture(measure(borders)),
    ):
        assert picture.startswith(b"\x89PNG")
    write_report(tmp_path / "p.png", clean20.pullback, borders, "<b>name</b>")
    page = (tmp_path / "p-report.html").read_text()
    assert "&lt;b&gt;name" in page
    assert "<b>name" not in page
    assert len(read_contours(tmp_path / "p-contours")) == len(borders)


def test_real_contours_load_measure_and_solve(real_archive):
    from labelers.fem_stress import StressSettings, solve

    borders = read_contours(real_archive)
    table = measure(borders)
    assert len(borders) > 20
    assert ((table["plaque_burden_percent"] > 0) & (table["plaque_burden_percent"] < 95)).all()
    assert (table["calcium_arc_deg"] > 0).sum() >= 10
    section = borders.sections()[0]
    stress = solve(section, StressSettings()).stress_at(
        section.centre + 1.005 * (section.lumen.dense[:8] - section.centre)
    )
    assert np.isfinite(stress).all()


def test_the_plugins_are_registered():
    assert "ivus" in registry.names("labelers")
    assert "pullbacks" in registry.names("pools")
