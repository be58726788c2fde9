"""Decoding image files that may be hostile: few formats, bounded sizes, every failure one sentence."""

from io import BytesIO
from typing import Literal

import numpy as np
from PIL import Image

from dataeff_al.errors import DataError

FORMATS = ("PNG", "JPEG", "BMP")
PLAIN_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
MAX_PIXELS = 16_000_000
MAX_FILE_BYTES = 64 << 20
MODES = {"grey": "L", "rgb": "RGB"}
BROKEN = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning)


def decode(
    content: bytes, name: str, colour: Literal["grey", "rgb"], resize: tuple[int, int] | None = None
) -> np.ndarray:
    """One image as ``(c, h, w)`` uint8, ``resize`` being ``(h, w)``.

    Raises DataError when it is not a whole PNG, JPEG or BMP of at most 16 million pixels with 8 bits a channel.
    """
    if len(content) > MAX_FILE_BYTES:
        raise DataError(f"{name}: an image file must have at most {MAX_FILE_BYTES} bytes, but got {len(content)}.")
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            return _pixels(image, name, colour, resize)
    except DataError:
        raise
    except BROKEN as error:
        raise DataError(f"{name} must be a whole PNG, JPEG or BMP image, but got {str(error)[:120]!r}.") from error


def _pixels(
    image: Image.Image, name: str, colour: Literal["grey", "rgb"], resize: tuple[int, int] | None
) -> np.ndarray:
    if image.width * image.height > MAX_PIXELS:
        raise DataError(f"{name} must have at most {MAX_PIXELS} pixels, but got {image.width} x {image.height}.")
    if image.mode not in PLAIN_MODES:
        raise DataError(f"{name} must be grey or colour with 8 bits a channel, but got mode {image.mode!r}.")
    plain = image.convert(MODES[colour])
    if resize is not None:
        plain = plain.resize((resize[1], resize[0]), Image.Resampling.BILINEAR, reducing_gap=None)
    pixels = np.asarray(plain, np.uint8)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
