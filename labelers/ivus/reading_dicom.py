"""Multi-frame DICOM: header first and bounded, pixels frame by frame, no patient data.

Only the elements listed here are ever kept; private ones, names and dates are not looked at.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from dataeff_al.errors import DataError
from labelers.ivus.dicom_scale import REGION_TAGS, Scale, find_scale, find_spacing
from labelers.ivus.pullback import Pullback
from labelers.ivus.read_limits import ReadLimits, check_size, scale_or_refuse

MODALITIES = ("IVUS", "US")
GREY = ("MONOCHROME1", "MONOCHROME2")
DEFLATED = "1.2.840.10008.1.2.1.99"
HEADER_BYTES = 64 << 20
TAGS = (
    "Modality", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "PixelSpacing", "NominalScannedPixelSpacing", "ImagerPixelSpacing",
    "PixelAspectRatio", "SharedFunctionalGroupsSequence", "FrameTime", "FrameTimeVector", "CineRate",
    "RecommendedDisplayFrameRate", "IVUSAcquisition", "IVUSPullbackRate", "IVUSGatedRate", "SpacingBetweenSlices",
    *REGION_TAGS,
)  # fmt: skip
MOST_STRETCH = 0.01
"""Pixels whose sides differ by more are resampled to square ones."""


def read_dicom(
    path: Path, pixel_size_mm: float | None, frame_spacing_mm: float | None, every: int, limits: ReadLimits
) -> Pullback:
    """See :func:`labelers.ivus.reading.read_pullback`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns about what vendors do to text; none of it is used
        header = _header(path)
        count = _checked(header, limits, every)
        scale = find_scale(header)
        height = scale_or_refuse(pixel_size_mm, None if scale is None else scale.row_mm, "the DICOM header")
        width = height if pixel_size_mm is not None or scale is None else scale.column_mm
        frames = np.stack(list(_frames(path, header, range(0, count, every), scale)))
    spacing = frame_spacing_mm if frame_spacing_mm is not None else find_spacing(header)
    frames, size = _square(frames, height, width)
    return Pullback(frames, size, None if spacing is None else spacing * every)


def _header(path: Path) -> Any:
    from pydicom import dcmread
    from pydicom.filereader import read_file_meta_info

    try:
        meta = read_file_meta_info(path)
        if str(meta.get("TransferSyntaxUID", "")) == DEFLATED:
            raise DataError("a DICOM file must not be deflated as a whole, but got the deflated transfer syntax.")
        # large elements are left in the file; what is not listed is skipped
        return dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS), defer_size=1 << 20)
    except DataError:
        raise
    except Exception as error:  # whatever a broken header makes of a parser
        raise DataError(f"a DICOM file must have a readable header, but got {_brief(error)}.") from error


def _checked(header: Any, limits: ReadLimits, every: int) -> int:
    """The number of frames. Raises DataError with the rule that the header breaks."""
    modality = str(header.get("Modality", ""))
    if modality not in MODALITIES:
        raise DataError(f"the modality must be IVUS or US, but got {modality[:16]!r}.")
    samples, kind = _whole(header, "SamplesPerPixel", 1), str(header.get("PhotometricInterpretation", "MONOCHROME2"))
    if samples != 1 or kind not in GREY:
        raise DataError(f"frames must be grey, but got {samples} samples a pixel of {kind[:20]!r}.")
    count = _whole(header, "NumberOfFrames", 1)
    rows, columns = _whole(header, "Rows", 0), _whole(header, "Columns", 0)
    if count < 1:
        raise DataError(f"a pullback must have at least one frame, but got NumberOfFrames {count}.")
    check_size(1, rows, columns, limits)
    check_size(len(range(0, count, every)), rows, columns, limits)
    if _whole(header, "BitsAllocated", 8) not in (8, 16):
        raise DataError(f"grey levels must have 8 or 16 bits, but got {header.get('BitsAllocated')!r}.")
    return count


def _whole(header: Any, name: str, default: int) -> int:
    value = header.get(name, default)
    try:
        return int(default if value is None or value == "" else value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must be a whole number, but got {str(value)[:40]!r}.") from error


def _frames(path: Path, header: Any, indices: range, scale: Scale | None) -> Iterator[np.ndarray]:
    """Decoded frames, cut to the ultrasound region, as float32. Raises DataError at the first that cannot be had."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.utils import iter_pixels

    syntax = header.file_meta.get("TransferSyntaxUID")
    try:
        available = get_decoder(syntax).is_available if syntax is not None else False
    except Exception:
        available = False
    if not available:
        raise DataError(f"the transfer syntax must be one that can be decoded here, but got {str(syntax)[:64]!r}.")
    inverted = str(header.get("PhotometricInterpretation", "")) == "MONOCHROME1"
    top = np.float32(2 ** _whole(header, "BitsStored", 8) - 1)
    box = (slice(None), slice(None)) if scale is None else scale.box
    done = 0
    try:
        for frame in iter_pixels(path, indices=list(indices)):
            grey = np.asarray(frame)[box].astype(np.float32)
            yield top - grey if inverted else grey
            done += 1
    except Exception as error:  # truncated or corrupt pixels come as any of a dozen errors
        raise DataError(f"all {len(indices)} frames must be decodable, but got {_brief(error)} at {done}.") from error
    if done < len(indices):
        raise DataError(f"the file must hold {len(indices)} frames, but got {done}.")


def _square(frames: np.ndarray, height: float, width: float) -> tuple[np.ndarray, float]:
    """Frames with square pixels and their size: the longer side is divided."""
    if abs(height / width - 1) <= MOST_STRETCH:
        return frames, float(np.sqrt(height * width))
    size = min(height, width)
    return ndimage.zoom(frames, (1, height / size, width / size), order=1, grid_mode=True, mode="nearest"), size


def _brief(error: Exception) -> str:
    """An error's text without what it may quote from the file."""
    return type(error).__name__
