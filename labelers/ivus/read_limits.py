"""How much a recording may ask for, and what every reader checks."""

from dataclasses import dataclass

from dataeff_al.errors import DataError


@dataclass(frozen=True)
class ReadLimits:
    """How much a recording may ask for: pixels over all frames read, frames, side of a frame, bytes of a file."""

    pixels: int = 1 << 28
    frames: int = 20_000
    side_px: int = 4096
    file_bytes: int = 4 << 30


LIMITS = ReadLimits()


def check_size(frames: int, height: int, width: int, limits: ReadLimits) -> None:
    """Raises DataError when so many frames of that size would ask for too much."""
    if frames < 1:
        raise DataError(f"a pullback must have at least one frame, but got {frames!r}.")
    if not (0 < height <= limits.side_px and 0 < width <= limits.side_px):
        raise DataError(f"a frame must have 1 to {limits.side_px} pixels a side, but got {height} x {width}.")
    if frames > limits.frames or frames * height * width > limits.pixels:
        raise DataError(
            f"a recording must have at most {limits.frames} frames and {limits.pixels} pixels to be read at once, but "
            f"got {frames} of {height} x {width}; read every so-many-th frame instead."
        )


def scale_or_refuse(given: float | None, found: float | None, where: str) -> float:
    """The pixel size. Raises DataError when neither the caller nor the file states it."""
    size = given if given is not None else found
    if size is None:
        raise DataError(f"a pullback must state its pixel size, but got none in {where}; give pixel_size_mm.")
    return float(size)
