"""What a synthetic recording looks like: catheter, tissue, display, artefacts. All of it can be varied."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from dataeff_al.errors import DataError

DIFFUSE_DB: Mapping[str, float] = MappingProxyType(
    {
        "outside": -11.0,
        "wall": -10.0,
        "fibrous": -5.0,
        "lipid": -17.0,
        "calcium": 6.0,
        "adventitia": 0.0,
        "media": -20.0,
    }
)
"""Backscatter relative to adventitia at both frequencies; of blood by frequency."""
BLOOD_DB: Mapping[int, float] = MappingProxyType({20: -30.0, 40: -19.0})
"""Scattering of blood grows with the fourth power of the frequency, that of tissue much more slowly."""
LOSS_DB_PER_MM: Mapping[str, float] = MappingProxyType(
    {
        "lumen": 0.2,
        "wall": 1.0,
        "fibrous": 1.6,
        "lipid": 0.9,
        "calcium": 40.0,
        "adventitia": 1.6,
        "outside": 1.5,
        "media": 1.0,
    }
)
"""Round-trip loss at 20 MHz, in proportion to frequency elsewhere, except for calcium, which lets nothing through."""


@dataclass(frozen=True)
class Artefacts:
    """Which artefacts there are. A frame without any is :data:`CLEAN`."""

    ring_down: bool = True
    guide_wire: bool = True
    calcium_shadow: bool = True
    side_branch: bool = True
    rotation: bool = True
    motion: bool = True


CLEAN = Artefacts(False, False, False, False, False, False)


@dataclass(frozen=True)
class SimulatorSettings:
    """A catheter, a vessel's echoes and a display.

    ``axial_mm`` and ``lateral_mm``: full widths at half maximum of pulse and focused beam. ``blood_db``: backscatter of
    blood relative to adventitia. ``texture_db``: spread of the slow variation of tissue echoes. ``noise_db``: the
    receiver's noise relative to adventitia at the catheter. ``gain_error_db_per_mm``: what the depth compensation
    misses. ``dynamic_range_db`` is shown as black to white.

    Raises:
        DataError: a value outside what the physics here covers.
    """

    frequency_mhz: int = 20
    axial_mm: float = 0.09
    lateral_mm: float = 0.24
    focus_mm: float = 2.0
    catheter_radius_mm: float = 0.50
    depth_mm: float = 5.0
    blood_db: float = BLOOD_DB[20]
    texture_db: float = 2.5
    noise_db: float = -48.0
    gain_error_db_per_mm: float = 0.0
    dynamic_range_db: float = 50.0
    pixels: int = 256
    beams: int = 384
    artefacts: Artefacts = field(default_factory=Artefacts)

    def __post_init__(self) -> None:
        if self.frequency_mhz not in BLOOD_DB:
            raise DataError(f"frequency_mhz must be 20 or 40, but got {self.frequency_mhz!r}.")
        if not (0.02 <= self.axial_mm <= 0.3 and 0.05 <= self.lateral_mm <= 1.0):
            raise DataError(f"axial_mm and lateral_mm must be a pulse's, but got {self.axial_mm}, {self.lateral_mm}.")
        if not 64 <= self.pixels <= 1024 or not 64 <= self.beams <= 1024:
            raise DataError(f"pixels and beams must lie within 64 and 1024, but got {self.pixels}, {self.beams}.")
        if not 2.0 <= self.depth_mm <= 12.0 or not 0.2 <= self.catheter_radius_mm <= 1.0:
            raise DataError(f"depth_mm must lie within 2 and 12, but got {self.depth_mm!r}.")

    @property
    def pixel_size_mm(self) -> float:
        """Side of a pixel of the Cartesian frame."""
        return 2 * self.depth_mm / self.pixels


def settings_for(frequency_mhz: int, artefacts: Artefacts | None = None) -> SimulatorSettings:
    """A usual recording at 20 MHz (phased array) or 40 MHz (rotating). Raises DataError for another frequency."""
    base = SimulatorSettings(artefacts=Artefacts() if artefacts is None else artefacts)
    if frequency_mhz == 40:
        return replace(
            base, frequency_mhz=40, axial_mm=0.05, lateral_mm=0.16, catheter_radius_mm=0.45, blood_db=BLOOD_DB[40]
        )
    return replace(base, frequency_mhz=frequency_mhz)


def varied(settings: SimulatorSettings, rng: np.random.Generator) -> SimulatorSettings:
    """The same catheter type in other hands: everything that differs between recordings drawn from wide ranges."""
    return replace(
        settings,
        axial_mm=settings.axial_mm * rng.uniform(0.8, 1.4),
        lateral_mm=settings.lateral_mm * rng.uniform(0.8, 1.4),
        focus_mm=rng.uniform(1.5, 3.0),
        catheter_radius_mm=rng.uniform(0.38, 0.58),
        depth_mm=rng.uniform(4.0, 6.0),
        blood_db=settings.blood_db + rng.uniform(-5.0, 3.0),
        texture_db=rng.uniform(1.5, 4.0),
        noise_db=rng.uniform(-55.0, -40.0),
        gain_error_db_per_mm=rng.uniform(-2.0, 1.5),
        dynamic_range_db=rng.uniform(40.0, 65.0),
    )
