"""Intravascular ultrasound: from a pullback to borders, sections and measures.

The names below are imported on first use, so that the labeler's description stays light::

    from labelers.ivus import measure, read_pullback, segment

    pullback = read_pullback("pullback.dcm")     # frames and scale, nothing that names a patient
    borders = segment(pullback)                  # lumen and EEM, closed, with their confidence
    measure(borders).to_csv("measures.csv")
    sections = borders.sections()                # dataeff_al.vessel.section.VesselSection, for solvers
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataeff_al.vessel.section import VesselSection
    from labelers.ivus.borders import Borders, CalciumArc
    from labelers.ivus.contour_files import read_contours, write_contours
    from labelers.ivus.finding import segment
    from labelers.ivus.measuring import measure, measure_segment
    from labelers.ivus.pullback import Pullback
    from labelers.ivus.read_limits import ReadLimits
    from labelers.ivus.reading import read_pullback

_HOMES = {
    "Borders": "labelers.ivus.borders",
    "CalciumArc": "labelers.ivus.borders",
    "Pullback": "labelers.ivus.pullback",
    "ReadLimits": "labelers.ivus.read_limits",
    "VesselSection": "dataeff_al.vessel.section",
    "measure": "labelers.ivus.measuring",
    "measure_segment": "labelers.ivus.measuring",
    "read_contours": "labelers.ivus.contour_files",
    "read_pullback": "labelers.ivus.reading",
    "segment": "labelers.ivus.finding",
    "write_contours": "labelers.ivus.contour_files",
}

__all__ = [
    "Borders",
    "CalciumArc",
    "Pullback",
    "ReadLimits",
    "VesselSection",
    "measure",
    "measure_segment",
    "read_contours",
    "read_pullback",
    "segment",
    "write_contours",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'labelers.ivus' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
