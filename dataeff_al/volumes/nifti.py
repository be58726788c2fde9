"""One NIfTI file as an array in patient axes: right, anterior, superior."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError

_MOST_VOXELS = 2**28
_SAME = 1e-3
_APART = 0.25


@dataclass(frozen=True)
class Scan:
    """``array`` ``(x, y, z)``, rising to the right, the front and the top; ``affine`` ``(4, 4)`` to millimetres."""

    name: str
    array: np.ndarray
    affine: np.ndarray

    @property
    def spacing_mm(self) -> np.ndarray:
        """Distance of neighbouring voxels along each axis, ``(3,)``."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)


def read_image(path: Path) -> Scan:
    """Intensities as float32. Raises DataError when the file is no volume of finite numbers."""
    scan = _read(path)
    array = np.asarray(scan.array, np.float32)
    if not np.isfinite(array).all():
        raise DataError(f"{_named(path)} must hold finite numbers, but got a NaN or an infinity.")
    if array.min() == array.max():
        raise DataError(f"{_named(path)} must carry information, but got {array.flat[0]:g} everywhere.")
    return Scan(scan.name, array, scan.affine)


def read_labels(path: Path) -> Scan:
    """Codes as int32. Raises DataError when the file is no volume of whole numbers that are not negative."""
    scan = _read(path)
    array = np.asarray(scan.array)
    if array.dtype.kind == "f" and (not np.isfinite(array).all() or (array != np.round(array)).any()):
        raise DataError(f"{_named(path)} must hold whole numbers, but got something else.")
    if array.min() < 0 or array.max() > 2**31 - 1:
        raise DataError(f"{_named(path)} must hold codes from 0 to 2147483647, but got {array.min()} to {array.max()}.")
    return Scan(scan.name, array.astype(np.int32), scan.affine)


def check_same_grid(one: Scan, other: Scan) -> None:
    """Raise DataError unless both scans have the same voxels, to a quarter of one at every corner."""
    if one.array.shape != other.array.shape:
        raise DataError(
            f"{other.name} must have the shape {one.array.shape} of {one.name}, but got {other.array.shape}."
        )
    if not np.allclose(one.spacing_mm, other.spacing_mm, rtol=_SAME):
        there, here = (tuple(np.round(scan.spacing_mm, 4).tolist()) for scan in (one, other))
        raise DataError(f"{other.name} must have the spacing {there} mm of {one.name}, but got {here} mm.")
    if np.abs(_corners(one) - _corners(other)).max() > _APART * one.spacing_mm.min():
        raise DataError(f"{other.name} must lie where {one.name} lies, but got another orientation or origin.")


def _corners(scan: Scan) -> np.ndarray:
    """Where the centres of the eight outermost voxels lie [mm], ``(3, 2, 2, 2)``."""
    ends = np.indices((2, 2, 2)) * (np.array(scan.array.shape) - 1).reshape(3, 1, 1, 1)
    return np.tensordot(scan.affine[:3, :3], ends, 1) + scan.affine[:3, 3].reshape(3, 1, 1, 1)


def _read(path: Path) -> Scan:
    import nibabel

    try:
        image = nibabel.as_closest_canonical(nibabel.load(path))
        shape = tuple(side for axis, side in enumerate(image.shape) if axis < 3 or side != 1)
        if len(shape) != 3 or not 0 < np.prod(shape, dtype=np.int64) <= _MOST_VOXELS:
            raise DataError(
                f"{_named(path)} must be one volume of at most {_MOST_VOXELS} voxels, but got {image.shape}."
            )
        array = np.asarray(image.dataobj).reshape(shape)
    except DataError:
        raise
    except (
        OSError,
        EOFError,
        ValueError,
        zlib.error,
        nibabel.filebasedimages.ImageFileError,
        nibabel.orientations.OrientationError,
        nibabel.spatialimages.HeaderDataError,
    ) as error:
        raise DataError(f"{_named(path)} must be a readable NIfTI file, but got: {error}.") from error
    affine = np.asarray(image.affine, np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9 or array.dtype.kind not in "iuf":
        raise DataError(f"{_named(path)} must hold numbers and a position in space, but got neither or one.")
    return Scan(_named(path), array, affine)


def _named(path: Path) -> str:
    """A file by its folder, too: every case may have one of the same name."""
    return f"{path.parent.name}/{path.name}"
