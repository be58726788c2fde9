"""From tissues along the beams to echoes: scatterers, loss, pulse, beam, noise, and what the receiver makes of them."""

import numpy as np
from numpy.fft import fft, fftfreq, ifft

from labelers.ivus.simulator.scene import TISSUES, Scene
from labelers.ivus.simulator.settings import DIFFUSE_DB, LOSS_DB_PER_MM, SimulatorSettings

SPEED_MM_PER_US = 1.54
FWHM = 2 * np.sqrt(2 * np.log(2))
INTIMA_DB, INTIMA_MM = 7.0, 0.05
"""The border of blood and tissue reflects: so much more echo in the first layer, where the beam meets it straight."""


def depth_step_mm(settings: SimulatorSettings) -> float:
    """Depth sampling: a fifth of the pulse."""
    return settings.axial_mm / 5


def radii_mm(settings: SimulatorSettings) -> np.ndarray:
    """Depths ``(radii,)`` mm of the samples along a beam."""
    step = depth_step_mm(settings)
    return (np.arange(int(np.ceil(settings.depth_mm / step))) + 0.5) * step


def echogenicity_db(scene: Scene, settings: SimulatorSettings, slow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Backscatter and round-trip loss in dB, ``(beams, radii)``; ``slow`` ``(beams, radii)`` is a field of spread 1."""
    r = radii_mm(settings)
    tissue, depth = scene.tissues(r)
    level = np.array([settings.blood_db if name == "lumen" else DIFFUSE_DB[name] for name in TISSUES])
    echo = level[tissue] + np.where(tissue == 1, 0.0, settings.texture_db * slow)
    echo += np.where((tissue != 1) & (depth >= 0) & (depth < INTIMA_MM), INTIMA_DB, 0.0)
    scale = settings.frequency_mhz / 20
    per_mm = np.array([LOSS_DB_PER_MM[name] for name in TISSUES])
    per_mm = np.where(np.array(TISSUES) == "calcium", per_mm, per_mm * scale)
    if not settings.artefacts.calcium_shadow:
        per_mm[TISSUES.index("calcium")] = per_mm[TISSUES.index("fibrous")] * scale
    lost = np.cumsum(per_mm[tissue], axis=1) * depth_step_mm(settings)
    return echo, lost - per_mm[TISSUES.index("wall")] * np.maximum(r - settings.catheter_radius_mm, 0) * 0.6


def scatterers(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Many scatterers a resolution cell, seen at the carrier: white circular Gaussian ``(beams, radii)``, unit power.

    Real scatterers times a carrier of many waves a pulse become this when the carrier is taken off again.
    """
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)


def echoes(
    scene: Scene, settings: SimulatorSettings, field: np.ndarray, slow: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Envelope ``(beams, radii)`` of the received signal after depth compensation, of unit mean power in adventitia.

    ``field``: scatterers of tissue; those of blood, which flows, are drawn anew for every frame.
    """
    r = radii_mm(settings)
    echo, lost = echogenicity_db(scene, settings, slow)
    blood = scene.tissues(r)[0] == 1
    moving = np.where(blood, scatterers(field.shape, rng), field)
    amplitude = 10 ** ((echo - lost + settings.gain_error_db_per_mm * r) / 20)
    received = beamed(pulsed(moving * amplitude, settings), settings)
    compensation = 10 ** (0.04 * settings.frequency_mhz / 20 * r)
    noise = pulsed(scatterers(field.shape, rng), settings) * compensation * 10 ** (settings.noise_db / 20)
    return np.abs(received + noise)


def pulsed(field: np.ndarray, settings: SimulatorSettings) -> np.ndarray:
    """Scatterers to the received signal: convolution with a Gaussian pulse, carrier taken off, unit mean power."""
    sigma = settings.axial_mm / FWHM * np.sqrt(2)
    off = fftfreq(field.shape[1], depth_step_mm(settings))
    response = np.exp(-0.5 * (2 * np.pi * off * sigma) ** 2)
    response /= np.sqrt(np.mean(response**2))
    return np.asarray(ifft(fft(field, axis=1) * response, axis=1))


def beamed(signal: np.ndarray, settings: SimulatorSettings) -> np.ndarray:
    """Convolution over the angle with a Gaussian beam that is narrowest at the focus; unit mean power kept."""
    r = radii_mm(settings)
    wavelength = SPEED_MM_PER_US / settings.frequency_mhz
    range_mm = np.pi * settings.lateral_mm**2 / (2 * wavelength)
    width = settings.lateral_mm * np.sqrt(1 + ((r - settings.focus_mm) / range_mm) ** 2)
    sigma = np.minimum(width / FWHM * np.sqrt(2) / np.maximum(r, 0.1), 0.6)
    k = fftfreq(len(signal), 1 / len(signal))[:, None]
    response = np.exp(-0.5 * (k * sigma) ** 2)
    response /= np.sqrt(np.mean(response**2, axis=0))
    return np.asarray(ifft(fft(signal, axis=0) * response, axis=0))


def slow_field(settings: SimulatorSettings, rng: np.random.Generator) -> np.ndarray:
    """A smooth random field ``(beams, radii)`` of mean 0 and spread 1: tissue is nowhere even."""
    shape = (settings.beams, len(radii_mm(settings)))
    k = np.hypot(_angular(shape[0]), _radial(settings))
    spectrum = np.exp(-0.5 * k**2)
    found = np.real(np.fft.ifft2(np.fft.fft2(rng.standard_normal(shape)) * spectrum))
    return (found - found.mean()) / found.std()


def _angular(beams: int) -> np.ndarray:
    return fftfreq(beams, 1 / beams)[:, None] / 8.0


def _radial(settings: SimulatorSettings) -> np.ndarray:
    return fftfreq(len(radii_mm(settings)), depth_step_mm(settings))[None] * 2 * np.pi * 0.18
