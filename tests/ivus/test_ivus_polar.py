import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataeff_al.errors import DataError
from labelers.ivus.polar import contour_mm, middle, to_cartesian, to_polar


def disc(radius_mm: float, pixel_mm: float, side: int, centre: tuple[float, float]) -> np.ndarray:
    x, y = np.meshgrid(np.arange(side) - centre[0], np.arange(side) - centre[1])
    return 1 / (1 + np.exp((np.hypot(x, y) * pixel_mm - radius_mm) / (0.8 * pixel_mm)))


@settings(max_examples=15, deadline=None)
@given(st.floats(0.8, 2.2), st.floats(-6, 6), st.floats(-6, 6))
def test_a_circle_about_the_centre_is_a_straight_line_in_polar_to_a_tenth_of_a_pixel(radius, dx, dy):
    cx, cy = middle((200, 200))
    centre = (cx + dx, cy + dy)
    polar = to_polar(disc(radius, 0.03, 200, centre), 0.03, 90, 160, 0.015, centre)
    edge = np.array([np.interp(-0.5, -line, (np.arange(160) + 0.5) * 0.015) for line in polar])
    assert np.abs(edge - radius).max() < 0.1 * 0.03


def test_to_polar_and_back_gives_the_frame_again():
    x, y = np.meshgrid(np.linspace(-1, 1, 160), np.linspace(-1, 1, 160))
    frame = np.exp(-8 * ((x - 0.2) ** 2 + (y + 0.1) ** 2)) + 0.3 * np.cos(6 * x + 2 * y)
    polar = to_polar(frame, 0.05, 720, 160, 0.025)
    back = to_cartesian(polar, 0.025, (160, 160), 0.05)
    near = (np.hypot(x, y) < 0.9) & (np.hypot(x, y) > 0.05)
    assert np.abs(back - frame)[near].max() < 0.01


def test_a_spot_stands_at_its_angle_and_depth():
    frame = np.zeros((101, 101))
    frame[50 + 30, 50] = 1.0  # straight down: a quarter turn from x towards y
    polar = to_polar(frame, 0.04, 360, 200, 0.01)
    angle, depth = np.unravel_index(polar.argmax(), polar.shape)
    assert angle == 90
    assert abs((depth + 0.5) * 0.01 - 1.2) < 0.02


def test_contours_stand_about_their_centre():
    points = contour_mm(np.full(64, 1.5), np.array([0.3, -0.2]))
    assert np.allclose(np.hypot(*(points - [0.3, -0.2]).T), 1.5)


def test_a_frame_that_is_none_is_refused():
    with pytest.raises(DataError, match="a frame must be"):
        to_polar(np.zeros(5), 0.02, 64, 64, 0.02)
