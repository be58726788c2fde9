import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataeff_al.errors import DataError, GeometryError
from labelers.ivus import measure, measure_segment
from labelers.ivus.borders import CalciumArc, drawn_borders
from labelers.ivus.measuring import reference_frames


def ellipse(a: float, b: float, x: float = 0.0, y: float = 0.0, turn: float = 0.0, k: int = 90) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, k, endpoint=False)
    px, py = a * np.cos(t), b * np.sin(t)
    return np.column_stack([np.cos(turn) * px - np.sin(turn) * py + x, np.sin(turn) * px + np.cos(turn) * py + y])


@settings(max_examples=25, deadline=None)
@given(st.floats(0.7, 2.5), st.floats(0.7, 1.0), st.floats(0, 3.1), st.integers(24, 200))
def test_measures_of_ellipses_are_right_to_half_a_percent(a, flat, turn, k):
    b = a * flat
    lumen, eem = ellipse(a, b, 0.1, -0.2, turn, k), ellipse(1.5 * a, 1.5 * b, 0.1, -0.2, turn, k)
    row = measure(drawn_borders([lumen], [eem]))[0]
    exact = {
        "lumen_area_mm2": np.pi * a * b,
        "eem_area_mm2": 2.25 * np.pi * a * b,
        "plaque_area_mm2": 1.25 * np.pi * a * b,
        "plaque_burden_percent": 100 * 1.25 / 2.25,
        "lumen_min_diameter_mm": 2 * b,
        "lumen_max_diameter_mm": 2 * a,
        "eem_max_diameter_mm": 3 * a,
        "plaque_max_thickness_mm": 0.5 * a,
        "plaque_min_thickness_mm": 0.5 * b,
    }
    for name, value in exact.items():
        assert row[name] == pytest.approx(value, rel=0.005), name


def test_an_eccentric_plaque_is_thick_on_one_side():
    row = measure(drawn_borders([ellipse(1, 1)], [ellipse(1.6, 1.6, 0.4)]))[0]
    assert row["plaque_max_thickness_mm"] == pytest.approx(1.0, rel=0.005)
    assert row["plaque_min_thickness_mm"] == pytest.approx(0.2, rel=0.005)
    assert row["plaque_eccentricity"] == pytest.approx(0.8, rel=0.005)


def test_a_stenosis_is_compared_with_its_references():
    radii = [1.5, 1.5, 1.4, 1.0, 1.0, 1.3, 1.4, 1.4]
    lumen = [ellipse(r, r) for r in radii]
    eem = [ellipse(1.8, 1.8) for _ in radii]
    borders = drawn_borders(lumen, eem, frame_spacing_mm=1.0)
    table = measure(borders)
    reference = np.pi * (1.5**2 + 1.4**2) / 2
    assert table["area_stenosis_percent"][3] == pytest.approx(100 * (1 - np.pi / reference), rel=0.005)
    assert table["remodelling_index"][3] == pytest.approx(1.0, rel=1e-6)
    found = measure_segment(borders)
    assert found["minimal_lumen_area_mm2"] == pytest.approx(np.pi, rel=0.005)
    assert found["eem_volume_mm3"] == pytest.approx(8 * np.pi * 1.8**2, rel=0.005)


def test_a_lesion_that_fills_the_recording_has_no_reference():
    found = reference_frames(np.array([3.0, 2.0, 3.0]), np.array([60.0, 70.0, 60.0]), 0.5)
    assert (found.lesion, found.frames) == (1, [])
    borders = drawn_borders([ellipse(1, 1)] * 3, [ellipse(1.8, 1.8)] * 3)
    assert np.isnan(measure(borders)["area_stenosis_percent"]).all()


def test_a_table_gives_rows_columns_and_csv(tmp_path):
    borders = drawn_borders([ellipse(1, 1)] * 2, [ellipse(1.6, 1.6)] * 2)
    table = measure(borders)
    assert len(table) == 2
    assert [row["frame"] for row in table] == [0, 1]
    table.to_csv(tmp_path / "m.csv")
    lines = (tmp_path / "m.csv").read_text().splitlines()
    assert lines[0].split(",") == table.columns
    assert lines[1].split(",")[1] == ""  # no spacing: no position
    with pytest.raises(KeyError, match="a column must be one of"):
        table["lumen"]


def test_calcium_arcs_add_up():
    arc = CalciumArc(350.0, 400.0, ellipse(0.1, 0.1, 1.3))
    borders = drawn_borders([ellipse(1, 1)], [ellipse(1.6, 1.6)], calcium=[[arc]])
    assert measure(borders)["calcium_arc_deg"][0] == pytest.approx(50.0)
    assert [name for name, _ in borders.section(0).regions] == ["calcium"]


def test_contours_that_are_none_are_refused():
    with pytest.raises(GeometryError, match="lumen 0 must"):
        drawn_borders([np.zeros((3, 2))], [ellipse(1, 1)])
    with pytest.raises(DataError, match="each frame must have a lumen and an EEM"):
        drawn_borders([ellipse(1, 1)], [])
    with pytest.raises(DataError, match="a segment must be made of"):
        measure_segment(drawn_borders([ellipse(1, 1)], [ellipse(2, 2)]), [4])


def test_a_section_follows_the_borders_and_may_have_adventitia():
    borders = drawn_borders([ellipse(1, 1, k=400)], [ellipse(1.6, 1.6, k=400)])
    section = borders.section(0, adventitia_mm=0.25)
    assert section.layers == ("wall", "adventitia")
    assert np.hypot(*section.outer.dense.T) == pytest.approx(1.85, rel=0.002)
