"""What the catheter itself puts into a recording: the dead zone, ring-down, and a guide-wire with its shadow."""

from dataclasses import dataclass

import numpy as np

from labelers.ivus.simulator.acoustics import radii_mm
from labelers.ivus.simulator.settings import SimulatorSettings


@dataclass(frozen=True)
class Wire:
    """A guide-wire beside the catheter: its angle in each frame ``(n,)`` rad, its depth and half width."""

    angle: np.ndarray
    depth_mm: float
    half_width: float


def random_wire(count: int, settings: SimulatorSettings, rng: np.random.Generator) -> Wire:
    """A wire that lies beside the catheter and slowly turns along the pullback."""
    drift = np.cumsum(rng.normal(0, 0.03, count))
    depth = settings.catheter_radius_mm + rng.uniform(0.12, 0.3)
    return Wire(rng.uniform(0, 2 * np.pi) + drift, depth, rng.uniform(0.07, 0.13))


def with_wire(envelope: np.ndarray, wire: Wire, frame: int, settings: SimulatorSettings) -> np.ndarray:
    """The envelope ``(beams, radii)`` with the wire's bright arc, two reverberations, and the dark behind it."""
    r = radii_mm(settings)[None]
    theta = 2 * np.pi * np.arange(settings.beams)[:, None] / settings.beams
    turn = (theta - wire.angle[frame] + np.pi) % (2 * np.pi) - np.pi
    across = np.exp(-0.5 * (turn / wire.half_width) ** 4)
    behind = 1 / (1 + np.exp(-(r - wire.depth_mm) / 0.03))
    shadowed = envelope * (1 - across * behind * 0.97)
    echo = sum(
        (3.0 / 3**order) * np.exp(-0.5 * ((r - wire.depth_mm - 0.22 * order) / (0.6 * settings.axial_mm)) ** 2)
        for order in range(3)
    )
    return shadowed + across * echo


def ring_pattern(settings: SimulatorSettings, rng: np.random.Generator) -> np.ndarray:
    """Ring-down ``(beams, radii)``: bright rings around the catheter that die away; the same in every frame."""
    r = radii_mm(settings)[None] - settings.catheter_radius_mm
    reach = rng.uniform(0.06, 0.14)
    rings = 0.55 + 0.45 * np.cos(2 * np.pi * r / rng.uniform(0.07, 0.12))
    theta = 2 * np.pi * np.arange(settings.beams)[:, None] / settings.beams
    uneven = 1 + 0.25 * np.cos(theta - rng.uniform(0, 2 * np.pi)) + 0.1 * np.cos(3 * theta - rng.uniform(0, 2 * np.pi))
    return np.where(r > 0, 2.2 * np.exp(-np.maximum(r, 0) / reach) * rings * uneven, 0.0)


def dead_zone(envelope: np.ndarray, settings: SimulatorSettings) -> np.ndarray:
    """The envelope with nothing inside the catheter."""
    return np.where(radii_mm(settings)[None] < settings.catheter_radius_mm, 0.0, envelope)
