"""Builds the ``image_folder`` pool."""

from collections.abc import Sequence

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.samples.arrays import ArrayPool, array_pool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.pools.classes import image_columns
from dataeff_al.samples.pools.pictures import MAX_FILE_BYTES, decode
from dataeff_al.samples.pools.sources import ImageFile, existing_folder, image_files
from dataeff_al.samples.pools.spec import ImageFolderParams
from dataeff_al.samples.protocol import PoolContext

MAX_BYTES = 4 << 30


def build(params: ImageFolderParams, context: PoolContext) -> ArrayPool:
    """Images ``(c, h, w)`` in [0, 1], with their sub-folder as class where there are sub-folders.

    Raises DataError when there is no image, one is broken, or sizes differ and ``resize`` is not given.
    """
    files = image_files(existing_folder(params.folder, context.base_dir, None, params.folder))
    classes = tuple(sorted({file.label for file in files} - {""}))
    places = {name: place for place, name in enumerate(classes)}
    labels = np.array([places[file.label] for file in files]) if classes else None
    groups = [_group(file, params.group_before) for file in files]
    columns = image_columns([file.name for file in files], read_images(files, params), labels, classes, groups)
    return array_pool(columns, codec_for)


def read_images(files: Sequence[ImageFile], params: ImageFolderParams) -> np.ndarray:
    """All images as ``(n, c, h, w)`` uint8. Raises DataError when one is broken or of another size than the first."""
    resize = None if params.resize is None else (params.resize[0], params.resize[1])
    first = decode(_content(files[0]), files[0].name, params.colour, resize)
    if first.nbytes * len(files) > MAX_BYTES:
        raise DataError(f"images must take at most {MAX_BYTES} bytes in memory, but got {first.nbytes * len(files)}.")
    images = np.empty((len(files), *first.shape), np.uint8)
    for row, file in enumerate(files):
        image = decode(_content(file), file.name, params.colour, resize)
        if image.shape != first.shape:
            raise DataError(
                f"images must have one size, or 'resize': {first.shape}, but got {image.shape} in {file.name!r}."
            )
        images[row] = image
    return images


def _content(file: ImageFile) -> bytes:
    try:
        with file.path.open("rb") as stream:
            return stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise DataError(f"{file.name!r} must be readable, but got {error.strerror!r}.") from error


def _group(file: ImageFile, before: str | None) -> str:
    if before is None:
        return file.name
    head, found, _ = file.path.stem.partition(before)
    if not found or not head:
        raise DataError(f"a file's name must hold its group before {before!r}, but got {file.name!r}.")
    return head
