"""``read_pullback``: whatever holds a pullback, by its content and not by its name."""

from pathlib import Path

from dataeff_al.errors import DataError
from labelers.ivus.pullback import Pullback
from labelers.ivus.read_limits import LIMITS, ReadLimits
from labelers.ivus.reading_dicom import read_dicom
from labelers.ivus.reading_images import read_folder
from labelers.ivus.reading_npz import read_npz

DICOM_MARK, ZIP_MARK = b"DICM", b"PK\x03\x04"


def read_pullback(
    path: Path | str,
    *,
    pixel_size_mm: float | None = None,
    frame_spacing_mm: float | None = None,
    every: int = 1,
    limits: ReadLimits = LIMITS,
) -> Pullback:
    """A recording as frames and scale alone: nothing that names a patient leaves this reader.

    A multi-frame DICOM file, a folder of grey images in the order of their names, or an npz file with ``frames``
    ``(n, h, w)`` or ``x`` and ``pixel_size_mm``. ``every``: read each so-many-th frame. ``pixel_size_mm`` and
    ``frame_spacing_mm`` (of the recording's own frames) replace what the file says, and must be given where it says
    nothing.

    Raises:
        DataError: not such a file, no scale, colour, another modality, an unknown compression, truncated, too large.
    """

    source = Path(path)
    if every < 1:
        raise DataError(f"every must be at least 1, but got {every!r}.")
    if source.is_dir():
        return read_folder(source, pixel_size_mm, frame_spacing_mm, every, limits)
    if not source.is_file():
        raise DataError(f"a pullback must be an existing file or folder, but got {source.name!r}.")
    if source.stat().st_size > limits.file_bytes:
        raise DataError(f"a file must have at most {limits.file_bytes} bytes, but got {source.stat().st_size}.")
    with source.open("rb") as stream:
        head = stream.read(132)
    if head[128:] == DICOM_MARK:
        return read_dicom(source, pixel_size_mm, frame_spacing_mm, every, limits)
    if head[:4] == ZIP_MARK:
        return read_npz(source, pixel_size_mm, frame_spacing_mm, every, limits)
    raise DataError(
        f"a pullback must be a DICOM file, an npz file or a folder of images, but got another in {source.name!r}."
    )
