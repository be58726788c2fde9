"""Finite-element wall stress of vessel sections.

The names below are imported on first use, so that the labeler's description stays light::

    from labelers.fem_stress import LinearElastic, StressSettings, VesselSection, solve

    section = VesselSection(contours_mm=[lumen, outer], layers=["wall"])
    field = solve(section, StressSettings(tissues={"wall": LinearElastic(300.0, 0.49)}))
    field.stress_at(points_mm)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataeff_al.vessel.section import VesselSection
    from labelers.fem_stress.field import StressField
    from labelers.fem_stress.laws import LinearElastic, MooneyRivlin, NeoHookean
    from labelers.fem_stress.settings import StressSettings
    from labelers.fem_stress.solver import solve

_HOMES = {
    "LinearElastic": "labelers.fem_stress.laws",
    "MooneyRivlin": "labelers.fem_stress.laws",
    "NeoHookean": "labelers.fem_stress.laws",
    "StressField": "labelers.fem_stress.field",
    "StressSettings": "labelers.fem_stress.settings",
    "VesselSection": "dataeff_al.vessel.section",
    "solve": "labelers.fem_stress.solver",
}

__all__ = ["LinearElastic", "MooneyRivlin", "NeoHookean", "StressField", "StressSettings", "VesselSection", "solve"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'labelers.fem_stress' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
