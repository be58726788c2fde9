"""Measures of the consensus document on IVUS (Mintz et al., J Am Coll Cardiol 2001;37:1478), per frame and segment.

Areas are those that the smooth contours enclose; diameters are calipers through the centre of the lumen (or of the
EEM), as the document asks; thicknesses run from lumen to EEM along rays from the lumen's centre.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.vessel.contours import Contour, clean_points, signed_area
from labelers.ivus.borders import Borders
from labelers.ivus.table import Table

RAYS = 360
REFERENCE_MM = 10.0
"""References are looked for within so much vessel on either side of the lesion."""
LESION_BURDEN_PERCENT = 40.0


def measure(borders: Borders) -> Table:
    """One row a frame; areas mm2, lengths mm, percentages, degrees.

    ``area_stenosis_percent`` and ``remodelling_index`` compare each frame with the mean of the references of
    :func:`reference_frames`; NaN where there are none. Raises GeometryError when a contour is none.
    """
    rows = [_frame(borders, frame) for frame in range(len(borders))]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    frames = np.arange(len(borders))
    spacing = np.nan if borders.frame_spacing_mm is None else borders.frame_spacing_mm
    table = {"frame": frames, "position_mm": frames * spacing, **columns}
    return Table(table | _compared(columns, borders))


def _frame(borders: Borders, frame: int) -> dict[str, float]:
    lumen = Contour(clean_points(borders.lumen_mm[frame], "lumen"))
    eem = Contour(clean_points(borders.eem_mm[frame], "EEM"))
    lumen_area, eem_area = enclosed(lumen), enclosed(eem)
    narrow, wide = calipers(lumen)
    eem_narrow, eem_wide = calipers(eem)
    thickness = first_hits(eem, lumen.centroid) - first_hits(lumen, lumen.centroid)
    arcs = borders.calcium[frame]
    return {
        "lumen_area_mm2": lumen_area,
        "eem_area_mm2": eem_area,
        "plaque_area_mm2": eem_area - lumen_area,
        "plaque_burden_percent": 100 * (eem_area - lumen_area) / eem_area,
        "lumen_min_diameter_mm": narrow,
        "lumen_max_diameter_mm": wide,
        "lumen_eccentricity": (wide - narrow) / wide,
        "eem_min_diameter_mm": eem_narrow,
        "eem_max_diameter_mm": eem_wide,
        "plaque_min_thickness_mm": float(thickness.min()),
        "plaque_max_thickness_mm": float(thickness.max()),
        "plaque_eccentricity": float((thickness.max() - thickness.min()) / thickness.max()),
        "calcium_arc_deg": float(min(sum(arc.arc_deg for arc in arcs), 360.0)),
        "confidence": float(borders.confidence[frame]),
        "lumen_seen_percent": float(100 * borders.lumen_seen[frame].mean()),
        "eem_seen_percent": float(100 * borders.eem_seen[frame].mean()),
    }


def enclosed(contour: Contour) -> float:
    """Area mm2 within the smooth closed curve, by a polyline of at least 720 points, which misses 1e-5 of a circle."""
    fine = contour.at(np.linspace(0, 1, max(720, 4 * len(contour.points)), endpoint=False))
    return abs(signed_area(fine))


def calipers(contour: Contour) -> tuple[float, float]:
    """Least and greatest diameter mm through the centre of the area."""
    radii = first_hits(contour, contour.centroid)
    across = radii[: RAYS // 2] + radii[RAYS // 2 :]
    return float(across.min()), float(across.max())


def first_hits(contour: Contour, centre: np.ndarray) -> np.ndarray:
    """Distance ``(RAYS,)`` mm from a centre to where rays leave the curve for the last time, folds included."""
    theta = 2 * np.pi * np.arange(RAYS) / RAYS
    if contour.is_star(centre):
        return contour.radius(theta, centre)
    a = contour.dense - centre
    b = np.roll(a, -1, axis=0) - a
    direction = np.stack([np.cos(theta), np.sin(theta)])
    cross = b[:, :1] * direction[1] - b[:, 1:] * direction[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (b[:, :1] * -a[:, 1:] + b[:, 1:] * a[:, :1]) / -cross
        share = (a[:, :1] * direction[1] - a[:, 1:] * direction[0]) / -cross
    hit = (share >= 0) & (share < 1) & (along > 0)
    return np.asarray(np.where(hit, along, 0.0).max(axis=0))


@dataclass(frozen=True)
class References:
    """The narrowest frame, and those with the largest lumen before and behind it; None where there is none."""

    lesion: int
    before: int | None
    behind: int | None

    @property
    def frames(self) -> list[int]:
        """Those that exist."""
        return [frame for frame in (self.before, self.behind) if frame is not None]


def reference_frames(lumen_mm2: np.ndarray, burden_percent: np.ndarray, spacing_mm: float | None) -> References:
    """The narrowest frame, and its references: the largest lumen within 10 mm on either side, outside the lesion.

    The lesion is the run of frames around the narrowest one whose plaque burden stays above 40 %. Without a known
    spacing the whole recording is looked at.
    """
    lesion = int(lumen_mm2.argmin())
    first, last = lesion, lesion
    while first > 0 and burden_percent[first - 1] > LESION_BURDEN_PERCENT:
        first -= 1
    while last < len(lumen_mm2) - 1 and burden_percent[last + 1] > LESION_BURDEN_PERCENT:
        last += 1
    reach = len(lumen_mm2) if not spacing_mm else max(1, int(REFERENCE_MM / spacing_mm))
    before = range(max(first - reach, 0), first)
    behind = range(last + 1, min(last + 1 + reach, len(lumen_mm2)))
    return References(lesion, _largest(lumen_mm2, before), _largest(lumen_mm2, behind))


def _largest(values: np.ndarray, frames: range) -> int | None:
    return max(frames, key=lambda frame: float(values[frame])) if len(frames) else None


def _compared(columns: dict[str, np.ndarray], borders: Borders) -> dict[str, np.ndarray]:
    lumen, eem = columns["lumen_area_mm2"], columns["eem_area_mm2"]
    found = reference_frames(lumen, columns["plaque_burden_percent"], borders.frame_spacing_mm).frames
    if not found:
        nothing = np.full(len(lumen), np.nan)
        return {"area_stenosis_percent": nothing, "remodelling_index": nothing}
    return {
        "area_stenosis_percent": 100 * (1 - lumen / lumen[found].mean()),
        "remodelling_index": eem / eem[found].mean(),
    }


def measure_segment(borders: Borders, frames: Sequence[int] | None = None) -> dict[str, float]:
    """Measures of a run of frames, all by default: minimal lumen area and where, stenosis, remodelling, volumes.

    Volumes mm3 are sums of areas times the spacing, NaN without one. Raises DataError for a run without frames.
    """
    table = measure(borders)
    chosen = np.arange(len(table)) if frames is None else np.asarray(frames, dtype=np.intp)
    if not chosen.size or chosen.min() < 0 or chosen.max() >= len(table):
        raise DataError(f"a segment must be made of the {len(table)} frames, but got {frames!r}.")
    row = table[int(chosen[table["lumen_area_mm2"][chosen].argmin()])]
    spacing = np.nan if borders.frame_spacing_mm is None else borders.frame_spacing_mm
    volumes = {f"{name}_volume_mm3": float(table[f"{name}_area_mm2"][chosen].sum() * spacing) for name in _VOLUMES}
    vessel = float(table["eem_area_mm2"][chosen].sum())
    return {
        "frames": float(len(chosen)),
        "length_mm": float(len(chosen) * spacing),
        "minimal_lumen_area_mm2": row["lumen_area_mm2"],
        "minimal_lumen_area_frame": float(row["frame"]),
        "plaque_burden_at_mla_percent": row["plaque_burden_percent"],
        "area_stenosis_percent": row["area_stenosis_percent"],
        "remodelling_index": row["remodelling_index"],
        "percent_atheroma_volume": 100 * float(table["plaque_area_mm2"][chosen].sum()) / vessel,
        "max_calcium_arc_deg": float(table["calcium_arc_deg"][chosen].max()),
        **volumes,
    }


_VOLUMES = ("lumen", "eem", "plaque")
