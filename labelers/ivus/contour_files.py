"""Contours as CSV files: frame, x, y, z in mm, tab-separated, one file a border; for correction by hand and back.

A folder holds ``PHASE_contours.csv`` (lumen), ``eem_PHASE_contours.csv`` and, where there is some, calcium in
``calcium_PHASE_contours.csv``, as published sets of real contours do. Reading also takes the archive of such a set.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.vessel.ivus_contours import read_frames
from labelers.ivus.borders import Borders, CalciumArc, drawn_borders

PHASE = "diastolic"
MOST_BYTES, MOST_FRAMES = 256 << 20, 20_000


def read_contours(path: Path | str, phase: str = PHASE) -> Borders:
    """Borders that somebody drew, from a folder of CSV files or an archive of them; frames with lumen and EEM alone.

    Raises DataError when a file is missing, too large or no table of four numbers a line; GeometryError when a contour
    is none.
    """
    source = Path(path)
    if source.is_file():
        frames = [frame for frame in read_frames(source) if frame.phase == phase]
        if not frames:
            raise DataError(f"the phase must be one of the archive's, but got {phase!r}.")
        arcs = [[] if f.calcium is None else [arc_of(f.calcium, f.lumen.mean(axis=0))] for f in frames]
        return drawn_borders([f.lumen for f in frames], [f.membrane for f in frames], None, arcs)
    lumens, eems = (_table(source / f"{part}{phase}_contours.csv") for part in ("", "eem_"))
    calcium_file = source / f"calcium_{phase}_contours.csv"
    calcium = _table(calcium_file) if calcium_file.exists() else {}
    numbers = sorted(set(lumens) & set(eems))
    if not numbers:
        raise DataError(f"lumen and EEM must share a frame, but got {len(lumens)} and {len(eems)} without one.")
    arcs = [[arc_of(calcium[n][:, :2], lumens[n][:, :2].mean(axis=0))] if n in calcium else [] for n in numbers]
    return drawn_borders(
        [lumens[n][:, :2] for n in numbers], [eems[n][:, :2] for n in numbers], _spacing(lumens, numbers), arcs
    )


def write_contours(folder: Path | str, borders: Borders, phase: str = PHASE) -> None:
    """Write borders as CSV files that :func:`read_contours` reads back. Raises DataError when it cannot be done."""
    home = Path(folder)
    spacing = borders.frame_spacing_mm or 0.0
    calcium = [np.vstack([arc.polygon_mm for arc in arcs]) if arcs else None for arcs in borders.calcium]
    try:
        home.mkdir(parents=True, exist_ok=True)
        _write(home / f"{phase}_contours.csv", borders.lumen_mm, spacing)
        _write(home / f"eem_{phase}_contours.csv", borders.eem_mm, spacing)
        if any(c is not None for c in calcium):
            _write(home / f"calcium_{phase}_contours.csv", calcium, spacing)
    except OSError as error:
        raise DataError(f"{str(home)!r} must be writable, but got {error.strerror!r}.") from error


def _write(path: Path, contours: Sequence[np.ndarray | None], spacing: float) -> None:
    lines = [
        f"{frame}\t{x:.6f}\t{y:.6f}\t{frame * spacing:.6f}\n"
        for frame, contour in enumerate(contours)
        if contour is not None
        for x, y in contour
    ]
    path.write_text("".join(lines), encoding="utf-8")


def _table(path: Path) -> dict[int, np.ndarray]:
    """Rows x, y, z ``(k, 3)`` by frame number."""
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise DataError(f"contours must be in a CSV file of at most {MOST_BYTES} bytes, but got {path.name!r}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an empty file is refused below
            rows = np.loadtxt(path, delimiter="\t", ndmin=2, encoding="utf-8")
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} must hold frame, x, y, z in every line, but got another.") from error
    if rows.ndim != 2 or rows.shape[1] != 4 or not rows.size or not np.isfinite(rows).all():
        raise DataError(f"{path.name} must hold frame, x, y, z as finite numbers, but got shape {rows.shape!r}.")
    order = np.argsort(rows[:, 0], kind="stable")
    numbers, starts = np.unique(rows[order, 0], return_index=True)
    if len(numbers) > MOST_FRAMES:
        raise DataError(f"{path.name} must hold at most {MOST_FRAMES} frames, but got {len(numbers)}.")
    parts = np.split(rows[order, 1:], starts[1:])
    return {int(number): part for number, part in zip(numbers, parts, strict=True)}


def _spacing(lumens: dict[int, np.ndarray], numbers: Sequence[int]) -> float | None:
    """Mean distance along z, None where all frames lie at one place."""
    z = np.array([lumens[n][:, 2].mean() for n in numbers])
    step = float(np.median(np.abs(np.diff(z)))) if len(z) > 1 else 0.0
    return step if step > 1e-6 else None


def arc_of(polygon_mm: np.ndarray, centre_mm: np.ndarray) -> CalciumArc:
    """The arc that a drawn calcium polygon covers, seen from the lumen's centre: the circle without its widest gap."""
    at = polygon_mm - centre_mm
    angles = np.sort(np.degrees(np.arctan2(at[:, 1], at[:, 0])) % 360)
    gaps = np.diff(angles, append=angles[:1] + 360)
    widest = int(gaps.argmax())
    start = float(angles[(widest + 1) % len(angles)])
    return CalciumArc(start, start + float(360 - gaps[widest]), np.asarray(polygon_mm, dtype=np.float64))
