"""Synthetic pullbacks with their truth: sections to scenes, scenes to frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataeff_al.vessel.polar import PolarSection
from labelers.ivus.polar import middle, to_cartesian
from labelers.ivus.pullback import Pullback
from labelers.ivus.simulator.acoustics import depth_step_mm, echoes, radii_mm, scatterers, slow_field
from labelers.ivus.simulator.disturbances import dead_zone, random_wire, ring_pattern, with_wire
from labelers.ivus.simulator.scene import Branch, Scene
from labelers.ivus.simulator.settings import SimulatorSettings
from labelers.ivus.simulator.vessels import DrawnInclusion, generated_vessel

WHITE_PERCENTILE, WHITE_LEVEL = 99.9, 0.97
"""So much of a recording stays below so much of the display's range: nothing saturates."""
CORRELATION_MM = 0.3
"""Speckle of tissue changes over about the elevational width of the beam."""


@dataclass(frozen=True)
class SyntheticPullback:
    """A synthetic recording, never clinical data, and what was put into it.

    ``lumen_mm`` and ``eem_mm``: for each frame the exact border ``(k, 2)`` mm as imaged. ``scenes``: everything else.
    """

    pullback: Pullback
    lumen_mm: list[np.ndarray]
    eem_mm: list[np.ndarray]
    scenes: list[Scene]


def simulate(
    sections: Sequence[PolarSection],
    settings: SimulatorSettings,
    rng: np.random.Generator,
    *,
    spacing_mm: float = 0.5,
    drawn: Sequence[tuple[DrawnInclusion, ...]] | None = None,
) -> SyntheticPullback:
    """Frames of a vessel: ``sections`` one a frame, each with hand-drawn inclusions from ``drawn`` where given."""
    scenes = _scenes(sections, drawn or [()] * len(sections), settings, rng, spacing_mm)
    envelopes = _envelopes(scenes, settings, rng, spacing_mm)
    grey = displayed(envelopes, settings)
    size = settings.pixels
    frames = np.stack([to_cartesian(g, depth_step_mm(settings), (size, size), settings.pixel_size_mm) for g in grey])
    pullback = Pullback(np.clip(frames, 0, 1), settings.pixel_size_mm, spacing_mm, middle((size, size)))
    borders = [scene.borders() for scene in scenes]
    return SyntheticPullback(pullback, [b[0] for b in borders], [b[1] for b in borders], scenes)


def simulate_vessel(
    count: int, settings: SimulatorSettings, rng: np.random.Generator, *, spacing_mm: float = 0.5
) -> SyntheticPullback:
    """Frames of a generated vessel."""
    return simulate(generated_vessel(count, spacing_mm, rng), settings, rng, spacing_mm=spacing_mm)


def displayed(envelopes: np.ndarray, settings: SimulatorSettings) -> np.ndarray:
    """Log compression to [0, 1] of a whole recording ``(n, beams, radii)``, its brightest echoes just below white."""
    decibels = 20 * np.log10(np.maximum(envelopes, 1e-6))
    seen = decibels[:, :, radii_mm(settings) > settings.catheter_radius_mm + 0.3]
    white = np.percentile(seen, WHITE_PERCENTILE)
    return np.clip(WHITE_LEVEL + (decibels - white) / settings.dynamic_range_db, 0.0, 1.0)


def _envelopes(
    scenes: Sequence[Scene], settings: SimulatorSettings, rng: np.random.Generator, spacing_mm: float
) -> np.ndarray:
    shape = (settings.beams, len(radii_mm(settings)))
    kept = float(np.exp(-spacing_mm / CORRELATION_MM))
    slowly = float(np.exp(-spacing_mm / 2.0))
    field, slow = scatterers(shape, rng), slow_field(settings, rng)
    rings = ring_pattern(settings, rng) if settings.artefacts.ring_down else np.zeros(shape)
    wire = random_wire(len(scenes), settings, rng) if settings.artefacts.guide_wire else None
    frames = []
    for number, scene in enumerate(scenes):
        envelope = echoes(scene, settings, field, slow, rng)
        envelope = envelope if wire is None else with_wire(envelope, wire, number, settings)
        frames.append(dead_zone(envelope + rings, settings))
        field = kept * field + np.sqrt(1 - kept**2) * scatterers(shape, rng)
        slow = slowly * slow + np.sqrt(1 - slowly**2) * slow_field(settings, rng)
    return np.stack(frames)


def _scenes(
    sections: Sequence[PolarSection],
    drawn: Sequence[tuple[DrawnInclusion, ...]],
    settings: SimulatorSettings,
    rng: np.random.Generator,
    spacing_mm: float,
) -> list[Scene]:
    count, artefacts = len(sections), settings.artefacts
    angle, share = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.7)
    drift = np.cumsum(rng.normal(0, 0.04 if artefacts.motion else 0.015, count))
    beat = (0.12 if artefacts.motion else 0.0) * np.sin(np.arange(count) * 2.1)
    branch = _branch(count, spacing_mm, rng) if artefacts.side_branch else [None] * count
    phase = rng.uniform(0, 2 * np.pi)
    scenes = []
    for i, section in enumerate(sections):
        room = max(float(section.lumen_mm.min()) - settings.catheter_radius_mm - 0.05, 0.0)
        off = room * np.clip(share + beat[i], 0, 1) * np.array([np.cos(angle + drift[i]), np.sin(angle + drift[i])])
        beams = 2 * np.pi * np.arange(settings.beams) / settings.beams
        warp = 0.08 * np.sin(beams - phase - 0.2 * i) + 0.03 * np.sin(3 * beams + phase) if artefacts.rotation else 0.0
        scenes.append(Scene(section, off, warp * np.ones(settings.beams), drawn[i], branch[i]))
    return scenes


def _branch(count: int, spacing_mm: float, rng: np.random.Generator) -> list[Branch | None]:
    """A side branch about 2 mm long somewhere along the pullback."""
    middle_mm, angle, width = rng.uniform(0, count * spacing_mm), rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.55)
    found: list[Branch | None] = []
    for i in range(count):
        size = 1 - ((i * spacing_mm - middle_mm) / 1.0) ** 2
        found.append(Branch(angle, width * np.sqrt(size)) if size > 0.1 else None)
    return found
