import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataeff_al.errors import GeometryError
from dataeff_al.vessel.contours import Contour, clean_points, inside
from dataeff_al.vessel.raster import rasterise
from dataeff_al.vessel.section import VesselSection


def circle(radius: float, centre: tuple[float, float] = (0.0, 0.0), count: int = 40) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack([radius * np.cos(t), radius * np.sin(t)]) + centre


def with_nan() -> np.ndarray:
    points = circle(1.0)
    points[3, 1] = np.nan
    return points


def figure_eight() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    return np.column_stack([np.cos(t), np.sin(2 * t) * (1 + 0.6 * np.cos(t))])


BROKEN = {
    "at least 4 points": [np.zeros((0, 2)), circle(1.5)],
    "be finite": [with_nan(), circle(1.5)],
    "be closed": [circle(1.0, count=60)[:40], circle(1.5)],
    "cross itself": [figure_eight(), circle(3.0)],
    "not meet": [circle(1.0), circle(1.2, (0.5, 0.0))],
    "from inside out": [circle(1.5), circle(1.0)],
    "lie inside the wall": [circle(0.5), circle(1.0, (3.0, 0.0))],
    "distinct neighbouring": [np.repeat(circle(1.0), 2, axis=0), circle(1.5)],
    "a lumen and an outer": [circle(1.0)],
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_contour_is_refused_with_its_rule(rule):
    with pytest.raises(GeometryError, match=rule):
        VesselSection(BROKEN[rule], ["wall"] * (len(BROKEN[rule]) - 1))


@pytest.mark.parametrize(
    "polygon", [circle(0.1), circle(0.2, (1.5, 0.0)), circle(0.1, (5.0, 0.0)), circle(1.2)], ids=str
)
def test_a_region_outside_the_tissue_is_refused(polygon):
    with pytest.raises(GeometryError, match="between lumen and outer"):
        VesselSection([circle(1.0), circle(1.5)], ["wall"], [("lipid", polygon)])


def test_unknown_tissue_and_missing_layer_are_refused():
    with pytest.raises(GeometryError, match="a tissue must be one of"):
        VesselSection([circle(1.0), circle(1.5)], ["bone"])
    with pytest.raises(GeometryError, match="one layer fewer"):
        VesselSection([circle(1.0), circle(1.5)], ["wall", "wall"])


def test_a_repeated_end_point_and_a_clockwise_contour_are_the_same_contour():
    plain = clean_points(circle(1.0), "c")
    closed = clean_points(np.vstack([circle(1.0), circle(1.0)[:1]]), "c")
    assert np.array_equal(plain, closed)
    assert np.allclose(Contour(clean_points(circle(1.0)[::-1], "c")).centroid, 0, atol=1e-12)


def test_radii_lie_on_the_spline():
    ellipse = Contour(circle(1.0, count=80) * [1.4, 1.0])
    theta = np.linspace(0, 6.2, 50)
    exact = 1.4 / np.sqrt(np.cos(theta) ** 2 + (1.4 * np.sin(theta)) ** 2)
    assert np.allclose(ellipse.radius(theta, np.zeros(2)), exact, rtol=1e-6)


def test_a_kidney_is_no_star_about_its_middle():
    a = np.linspace(0, 3.6, 40)
    arc = np.column_stack([np.cos(a), np.sin(a)])
    kidney = np.vstack([2.0 * arc, 1.4 * arc[::-1]])
    contour = Contour(clean_points(kidney, "kidney"))
    assert not contour.is_star(contour.centroid)
    assert Contour(circle(1.0)).is_star(np.array([0.3, 0.2]))


def test_a_raster_holds_each_tissue_where_it_lies():
    section = VesselSection(
        [circle(1.0), circle(1.6), circle(1.9)], ["wall", "adventitia"], [("lipid", circle(0.15, (1.3, 0.0)))]
    )
    mask = rasterise(section, (81, 81), 0.05)
    y, x = np.mgrid[-40:41, -40:41] * 0.05
    r = np.hypot(x, y)
    assert np.all(mask[r < 0.99] == 1)
    assert np.all(mask[r > 1.92] == 0)
    assert np.all(mask[(r > 1.62) & (r < 1.88)] == 6)
    assert mask[40, 40 + 26] == 4
    assert mask[40, 40 - 26] == 2


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 6.28), st.floats(0.2, 1.4), st.floats(-0.3, 0.3))
def test_inside_agrees_with_the_distance_from_a_circle(angle, radius, shift):
    polygon = circle(1.0, (shift, 0.0), 720)
    point = np.array([[shift + radius * np.cos(angle), radius * np.sin(angle)]])
    if abs(radius - 1) > 1e-3:
        assert inside(point, polygon)[0] == (radius < 1)
