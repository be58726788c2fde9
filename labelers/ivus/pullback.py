"""A pullback: frames of one recording, their scale, and nothing that tells whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dataeff_al.errors import DataError

LEAST_SIDE_PX = 16
SMALLEST_PIXEL_MM, LARGEST_PIXEL_MM = 0.002, 0.5
LARGEST_SPACING_MM = 50.0


@dataclass(frozen=True)
class Pullback:
    """Cartesian frames ``(n, h, w)`` float32 of grey levels, whatever their scale, and the size of a pixel.

    ``frame_spacing_mm``: distance along the vessel from frame to frame, None when the recording does not tell.
    ``centre_px``: column and row of the catheter's axis, None: to be found. Positions in mm count from the raster's
    centre, x along columns and y along rows, as in :class:`~dataeff_al.vessel.section.VesselSection`.

    Raises:
        DataError: no frame, frames that are no numbers, too small or constant, or a scale outside what IVUS has.
    """

    frames: np.ndarray
    pixel_size_mm: float
    frame_spacing_mm: float | None = None
    centre_px: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        frames = np.asarray(self.frames)
        if frames.ndim != 3 or not len(frames) or min(frames.shape[1:]) < LEAST_SIDE_PX:
            raise DataError(f"a pullback must be (n, h, w) frames of at least 16 pixels, but got {frames.shape!r}.")
        if frames.dtype.kind not in "fiub":
            raise DataError(f"frames must hold grey levels, but got dtype {frames.dtype}.")
        if not SMALLEST_PIXEL_MM <= self.pixel_size_mm <= LARGEST_PIXEL_MM:
            raise DataError(f"pixel_size_mm must lie within 0.002 and 0.5, but got {self.pixel_size_mm!r}.")
        if self.frame_spacing_mm is not None and not 0 < self.frame_spacing_mm <= LARGEST_SPACING_MM:
            raise DataError(f"frame_spacing_mm must lie within 0 and 50, but got {self.frame_spacing_mm!r}.")
        object.__setattr__(self, "frames", np.ascontiguousarray(frames, dtype=np.float32))
        self._check_content()

    def _check_content(self) -> None:
        for number, frame in enumerate(self.frames):
            low, high = float(frame.min()), float(frame.max())
            if not (np.isfinite(low) and np.isfinite(high)):
                raise DataError(f"frames must be finite, but got NaN or infinity in frame {number}.")
        if all(float(frame.min()) == float(frame.max()) for frame in self.frames):
            raise DataError(f"frames must show something, but got {len(self.frames)} constant ones.")

    def __len__(self) -> int:
        return len(self.frames)

    def part(self, frames: slice | Sequence[int]) -> "Pullback":
        """Some of the frames; spacing is kept only for an evenly spaced slice. Raises DataError when none is left."""
        spacing = self.frame_spacing_mm
        if isinstance(frames, slice):
            step = abs(frames.step or 1)
            spacing = None if spacing is None else spacing * step
            return replace(self, frames=self.frames[frames], frame_spacing_mm=spacing)
        return replace(self, frames=self.frames[np.asarray(frames, dtype=np.intp)], frame_spacing_mm=None)

    @property
    def extent_mm(self) -> tuple[float, float]:
        """Height and width of a frame in mm."""
        h, w = self.frames.shape[1:]
        return h * self.pixel_size_mm, w * self.pixel_size_mm
