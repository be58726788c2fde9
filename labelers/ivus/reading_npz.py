"""npz files of frames: ``frames`` ``(n, h, w)``, or ``x`` ``(1, 1, n, h, w)`` as pools of pullbacks hold it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.samples.archive import Limits, read_arrays, read_headers
from labelers.ivus.pullback import Pullback
from labelers.ivus.read_limits import ReadLimits, check_size, scale_or_refuse

KEYS = ("frames", "x")
BESIDE = ("pixel_size_mm", "frame_spacing_mm")


def read_npz(
    path: Path, pixel_size_mm: float | None, frame_spacing_mm: float | None, every: int, limits: ReadLimits
) -> Pullback:
    """See :func:`labelers.ivus.reading.read_pullback`."""
    bounds = Limits(file_bytes=limits.file_bytes, total_bytes=8 * limits.pixels)
    headers = read_headers(path, bounds)
    key = next((key for key in KEYS if key in headers), None)
    if key is None:
        raise DataError(f"an npz file of frames must hold 'frames' or 'x', but got {sorted(headers)!r}.")
    shape = headers[key].shape
    if (key == "frames" and len(shape) != 3) or (key == "x" and (len(shape) not in (4, 5) or shape[1] != 1)):
        raise DataError(f"{key!r} must be (n, h, w) frames, or (1, 1, n, h, w), but got {shape!r}.")
    if len(shape) == 5 and shape[0] != 1:
        raise DataError(f"a file must hold one pullback to be read as one, but got {shape[0]}.")
    check_size(int(np.prod(shape[:-2])), shape[-2], shape[-1], limits)
    arrays = read_arrays(path, bounds, only=(key, *BESIDE))
    frames = arrays[key].reshape(-1, *shape[-2:])[::every]
    size = scale_or_refuse(pixel_size_mm, _scalar(arrays, "pixel_size_mm"), "the npz file")
    spacing = frame_spacing_mm if frame_spacing_mm is not None else _scalar(arrays, "frame_spacing_mm")
    return Pullback(frames, size, None if spacing is None else spacing * every)


def _scalar(arrays: Mapping[str, np.ndarray], name: str) -> float | None:
    if name not in arrays:
        return None
    value = arrays[name]
    if value.size != 1 or value.dtype.kind not in "fiu" or not np.isfinite(value).all():
        raise DataError(f"{name!r} must be one number, but got {value.shape} {value.dtype}.")
    return float(value.reshape(-1)[0])
