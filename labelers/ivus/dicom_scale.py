"""Where vendors put the scale of an IVUS recording, in the order in which it is believed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

REGION_TAGS = ("SequenceOfUltrasoundRegions",)
CENTIMETRES = 3
"""Physical units code of an ultrasound region: centimetres (DICOM PS3.3 C.8.5.5.1.15)."""
TWO_DIMENSIONAL, TISSUE = 1, 1
WHOLE = (slice(None), slice(None))


@dataclass(frozen=True)
class Scale:
    """Height and width of a pixel in mm, and the part of the frame that shows the vessel."""

    row_mm: float
    column_mm: float
    box: tuple[slice, slice] = WHOLE


def find_scale(header: Any) -> Scale | None:
    """The scale, or None where none of the known places states one that is positive and finite.

    Ultrasound regions come first: they also say which part of the frame is the picture. Then PixelSpacing, that of the
    functional groups (enhanced files), NominalScannedPixelSpacing, ImagerPixelSpacing.
    """
    for place in (_region, _pair("PixelSpacing"), _functional, _pair("NominalScannedPixelSpacing"),
                  _pair("ImagerPixelSpacing")):  # fmt: skip
        found = place(header)
        if found is not None:
            return found
    return None


def _pair(name: str) -> Callable[[Any], Scale | None]:
    """A place that holds row and column spacing in mm."""

    def found(header: Any) -> Scale | None:
        values = _numbers(header.get(name))
        return Scale(values[0], values[1]) if len(values) == 2 else None

    return found


def _numbers(value: Any) -> list[float]:
    """Positive finite numbers of an element, nothing when one of them is not."""
    try:
        numbers = [float(item) for item in value] if value is not None else []
    except (TypeError, ValueError):
        return []
    return numbers if all(np.isfinite(n) and n > 0 for n in numbers) else []


def _functional(header: Any) -> Scale | None:
    groups = header.get("SharedFunctionalGroupsSequence")
    measures = groups[0].get("PixelMeasuresSequence") if groups else None
    return _pair("PixelSpacing")(measures[0]) if measures else None


def _region(header: Any) -> Scale | None:
    """The largest two-dimensional tissue region in centimetres."""
    regions = [_one_region(item, header) for item in list(header.get("SequenceOfUltrasoundRegions") or [])[:64]]
    found = [region for region in regions if region is not None]
    return max(found, key=_area) if found else None


def _area(scale: Scale) -> int:
    return int(np.prod([part.stop - part.start for part in scale.box]))


def _one_region(item: Any, header: Any) -> Scale | None:
    units = (item.get("PhysicalUnitsXDirection"), item.get("PhysicalUnitsYDirection"))
    kind = (item.get("RegionSpatialFormat", TWO_DIMENSIONAL), item.get("RegionDataType", TISSUE))
    deltas = _numbers([abs(float(item.get(name, 0) or 0)) for name in ("PhysicalDeltaY", "PhysicalDeltaX")])
    if units != (CENTIMETRES, CENTIMETRES) or kind != (TWO_DIMENSIONAL, TISSUE) or len(deltas) != 2:
        return None
    edges = [item.get(f"RegionLocation{name}") for name in ("MinY0", "MaxY1", "MinX0", "MaxX1")]
    if any(edge is None for edge in edges):
        edges = [0, int(header.Rows) - 1, 0, int(header.Columns) - 1]
    top, bottom, left, right = (int(edge) for edge in edges)
    box = (
        slice(max(top, 0), min(bottom + 1, int(header.Rows))),
        slice(max(left, 0), min(right + 1, int(header.Columns))),
    )
    if min(box[0].stop - box[0].start, box[1].stop - box[1].start) < 16:
        return None
    return Scale(10 * deltas[0], 10 * deltas[1], box)


def find_spacing(header: Any) -> float | None:
    """Distance in mm from frame to frame: pullback rate times frame time, the gated rate, or the stated spacing."""
    rate, time_s = _number(header.get("IVUSPullbackRate")), _frame_time_s(header)
    gated = _number(header.get("IVUSGatedRate"))
    if str(header.get("IVUSAcquisition", "")) == "GATED_PULLBACK" and gated:
        return gated  # mm from beat to beat, of which each is one frame
    if rate and time_s:
        return rate * time_s
    return gated or _number(header.get("SpacingBetweenSlices"))


def _frame_time_s(header: Any) -> float | None:
    milliseconds = _number(header.get("FrameTime"))
    if milliseconds is None:
        steps = _numbers(list(header.get("FrameTimeVector") or [])[1:])
        milliseconds = float(np.median(steps)) if steps else None
    if milliseconds is not None:
        return milliseconds / 1000
    per_second = _number(header.get("CineRate")) or _number(header.get("RecommendedDisplayFrameRate"))
    return 1 / per_second if per_second else None


def _number(value: Any) -> float | None:
    numbers = _numbers([value]) if value is not None else []
    return numbers[0] if numbers else None
