"""A folder of grey images as a pullback, in the natural order of their names."""

import re
import warnings
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError
from labelers.ivus.pullback import Pullback
from labelers.ivus.read_limits import ReadLimits, check_size, scale_or_refuse

SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".pgm")
FORMATS = ("PNG", "TIFF", "BMP", "JPEG", "PPM")
GREY_MODES = ("L", "I;16", "I", "F", "1")


def read_folder(
    folder: Path, pixel_size_mm: float | None, frame_spacing_mm: float | None, every: int, limits: ReadLimits
) -> Pullback:
    """See :func:`labelers.ivus.reading.read_pullback`. Colour files whose channels are all the same count as grey."""
    files = sorted((f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES), key=_natural)[::every]
    if not files:
        raise DataError(f"a folder of frames must hold images ({', '.join(SUFFIXES)}), but got none.")
    size = scale_or_refuse(pixel_size_mm, None, "a folder of images")
    first = _image(files[0], len(files), limits)
    frames = np.empty((len(files), *first.shape), np.float32)
    for row, file in enumerate(files):
        image = first if row == 0 else _image(file, len(files), limits)
        if image.shape != first.shape:
            raise DataError(f"frames must have one size, but got {image.shape} beside {first.shape} at number {row}.")
        frames[row] = image
    return Pullback(frames, size, None if frame_spacing_mm is None else frame_spacing_mm * every)


def _natural(path: Path) -> list[tuple[int, int | str]]:
    """``frame2`` before ``frame10``."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d{1,18})", path.name.lower())]


def _image(path: Path, count: int, limits: ReadLimits) -> np.ndarray:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                check_size(count, image.height, image.width, limits)
                image.load()
                return _grey(np.asarray(image), image.mode)
    except DataError:
        raise
    except Exception as error:  # what a hostile or broken image makes of its decoder
        raise DataError(f"every image of the folder must be readable, but got {type(error).__name__}.") from error


def _grey(array: np.ndarray, mode: str) -> np.ndarray:
    if mode in GREY_MODES and array.ndim == 2:
        return array.astype(np.float32)
    colours = array[..., :3] if array.ndim == 3 and mode in ("RGB", "RGBA") else None
    if colours is None or not (np.ptp(colours, axis=2) == 0).all():
        raise DataError(f"frames must be grey, but got an image of mode {mode!r}.")
    return colours[..., 0].astype(np.float32)
