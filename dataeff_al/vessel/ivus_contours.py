"""Real IVUS contours from the shared archive of CSV files (tab-separated frame, x, y, z in mm)."""

import io
import lzma
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dataeff_al.errors import DataError

ARCHIVE = "ivus-contours/ivus_contours.tar.xz"
FOLDER = "examples/data/ivus_full/"
MOST_BYTES = 64 * 2**20
"""Most bytes that the archive may unpack to: ten times what it holds."""

Phase = Literal["diastolic", "systolic"]
PHASES: tuple[Phase, ...] = ("diastolic", "systolic")


@dataclass(frozen=True)
class Frame:
    """One real frame: lumen and external elastic membrane ``(k, 2)`` mm, calcium polygon or None.

    ``index`` counts the frames of a phase along the artery, ``number`` is the frame number in the recording.
    """

    phase: Phase
    index: int
    number: int
    lumen: np.ndarray
    membrane: np.ndarray
    calcium: np.ndarray | None


def read_frames(archive: Path) -> list[Frame]:
    """Frames with lumen and membrane, both phases, read from the archive in memory.

    Raises:
        DataError: the archive is missing, unreadable, too large when unpacked, or a table is not what it must be.
    """
    tables = _tables(archive)
    return [frame for phase in PHASES for frame in _phase_frames(tables, phase)]


def _tables(archive: Path) -> dict[str, dict[int, np.ndarray]]:
    wanted = [f"{part}{phase}_contours.csv" for phase in PHASES for part in ("", "eem_", "calcium_")]
    try:
        with tarfile.open(fileobj=io.BytesIO(_unpacked(archive))) as tar:
            return {name: _table(_member(tar, FOLDER + name), name) for name in wanted}
    except (tarfile.TarError, KeyError) as error:
        raise DataError(f"the IVUS archive must hold {FOLDER}*_contours.csv, but got {error!r}.") from error


def _unpacked(archive: Path) -> bytes:
    try:
        with lzma.open(archive) as stream:
            content = stream.read(MOST_BYTES + 1)
    except (OSError, lzma.LZMAError, EOFError) as error:
        raise DataError(f"the IVUS archive must be a readable tar.xz file, but got {error!r}.") from error
    if len(content) > MOST_BYTES:
        raise DataError(f"the IVUS archive must unpack to at most {MOST_BYTES} bytes, but got more.")
    return content


def _member(tar: tarfile.TarFile, name: str) -> str:
    stream = tar.extractfile(name)
    if stream is None:
        raise KeyError(name)
    return stream.read().decode("utf-8", errors="replace")


def _table(text: str, name: str) -> dict[int, np.ndarray]:
    try:
        rows = np.array([line.split("\t") for line in text.splitlines() if line.strip()], dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{name} must hold four numbers a line, but got {error}.") from error
    if rows.ndim != 2 or rows.shape[1] != 4 or not np.isfinite(rows).all():
        raise DataError(f"{name} must hold frame, x, y, z as finite numbers, but got shape {rows.shape!r}.")
    return {int(number): rows[rows[:, 0] == number, 1:3] for number in np.unique(rows[:, 0])}


def _phase_frames(tables: dict[str, dict[int, np.ndarray]], phase: Phase) -> list[Frame]:
    lumens, membranes = tables[f"{phase}_contours.csv"], tables[f"eem_{phase}_contours.csv"]
    calcium = tables[f"calcium_{phase}_contours.csv"]
    both = sorted(set(lumens) & set(membranes))
    return [Frame(phase, i, n, lumens[n], membranes[n], calcium.get(n)) for i, n in enumerate(both)]
