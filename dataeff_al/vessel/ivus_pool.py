"""The pool ``ivus_sections``: drawn from a shape model of real frames, a run of which is kept for the test."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import SampleId
from dataeff_al.vessel.cleanup import clean
from dataeff_al.vessel.contours import Contour, clean_points, inside
from dataeff_al.vessel.ivus_contours import ARCHIVE, Frame, read_frames
from dataeff_al.vessel.polar import PolarSection
from dataeff_al.vessel.pools import SectionPool
from dataeff_al.vessel.random_sections import ADVENTITIA_MM, CALCIUM_IN_IVUS, SectionGenerator
from dataeff_al.vessel.raster import pixel_centres
from dataeff_al.vessel.shape_model import fit_shape, polar_frame
from dataeff_al.vessel.spec import IvusSectionsParams
from dataeff_al.vessel.tissues import CALCIUM, WALL


def build_ivus_sections(params: IvusSectionsParams, context: PoolContext) -> SectionPool:
    """Fit the shape model to the frames outside the held-out run and draw the pool from it.

    Raises:
        DataError: no shared data folder, no archive in it, or a field of view too small for the frames.
    """
    frames = read_frames(archive_in(context.data_root))
    kept, held = split_run(frames, params.held_out_frames)
    half = params.field_of_view_mm / 2
    pixel = params.field_of_view_mm / params.pixels
    generator = SectionGenerator(fit_shape(kept), (CALCIUM_IN_IVUS,), half, 1.5 * pixel)
    real = {frame_id(frame): frame_mask(frame, params.pixels, params.field_of_view_mm) for frame in held}
    return SectionPool(generator, params.size, params.pixels, context.seed, "ivus", real, "ivus-artery-1")


def archive_in(data_root: Path | None) -> Path:
    """The archive's path. Raises DataError when the shared data folder or the archive is missing."""
    if data_root is None:
        raise DataError("DATAEFF_DATA must name the shared data folder for real IVUS contours, but got nothing.")
    path = data_root / ARCHIVE
    if not path.is_file():
        raise DataError(f"the IVUS archive must exist, but got no file {str(path)!r}.")
    return path


def split_run(frames: Sequence[Frame], count: int) -> tuple[list[Frame], list[Frame]]:
    """Training frames, and a run of ``count`` neighbouring frame positions of both phases from the artery's middle.

    A position keeps its diastole and its systole on one side. Neighbouring frames look alike: a scattered test would
    be a test on nearly known frames. Raises DataError when fewer than four positions would be left to fit.
    """
    positions = 1 + max(frame.index for frame in frames)
    if count > positions - 4:
        raise DataError(f"held_out_frames must leave at least 4 of {positions} positions, but got {count!r}.")
    start = (positions - count) // 2
    run = range(start, start + count)
    return [f for f in frames if f.index not in run], [f for f in frames if f.index in run]


def frame_id(frame: Frame) -> SampleId:
    """The stable id of a real frame: its position along the artery and its phase."""
    return SampleId(f"frame-{frame.index:02d}-{frame.phase}")


def frame_mask(frame: Frame, pixels: int, field_of_view_mm: float) -> np.ndarray:
    """A real frame as class codes ``(pixels, pixels)``, its lumen centroid at the centre, adventitia added.

    Raises DataError when it does not fit the field of view.
    """
    pixel = field_of_view_mm / pixels
    section = PolarSection(*polar_frame(frame), ADVENTITIA_MM)
    if section.reach_mm > field_of_view_mm / 2 - 1.5 * pixel:
        raise DataError(f"real frames must fit the field of view, but got one of {2 * section.reach_mm:.2f} mm.")
    mask = section.mask((pixels, pixels), pixel)
    if frame.calcium is None:
        return clean(mask)
    centre = Contour(clean_points(frame.lumen[::4], "lumen")).centroid
    x, y = pixel_centres((pixels, pixels), pixel)
    points = np.stack(np.broadcast_arrays(x[None], y[:, None]), axis=-1).reshape(-1, 2) + centre
    mask[inside(points, frame.calcium).reshape(mask.shape) & (mask == WALL)] = CALCIUM
    return clean(mask)
