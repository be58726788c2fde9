"""Builds the ``mnist`` pool from IDX files (LeCun, Cortes and Burges)."""

from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.samples.arrays import ArrayPool, array_pool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.pools.classes import image_columns
from dataeff_al.samples.pools.sources import IdxFile, existing_folder, idx_bytes, mnist_files
from dataeff_al.samples.pools.spec import MNIST_FOLDER, MnistParams, taken
from dataeff_al.samples.protocol import PoolContext

CLASSES = tuple(str(digit) for digit in range(10))


def build(params: MnistParams, context: PoolContext) -> ArrayPool:
    """Digits ``(1, 28, 28)`` in [0, 1]; the test images are held out. Raises DataError when files are broken."""
    folder = existing_folder(params.folder, context.base_dir, context.data_root, MNIST_FOLDER)
    train, train_labels = _part(folder, "train", params.size)
    test, test_labels = _part(folder, "t10k", None)
    if train.shape[1:] != test.shape[1:]:
        raise DataError(f"training and test images must have one size, but got {train.shape[1:]}, {test.shape[1:]}.")
    held_out = [f"test-{row:05d}" for row in range(len(test))]
    ids = [f"train-{row:05d}" for row in range(len(train))] + held_out
    columns = image_columns(ids, np.concatenate([train, test]), np.concatenate([train_labels, test_labels]), CLASSES)
    return array_pool(columns, codec_for, held_out)


def _part(folder: Path, part: str, size: int | None) -> tuple[np.ndarray, np.ndarray]:
    images, labels = mnist_files(folder, part)
    count = taken(size, images.shape[0])
    return _first(images, count)[:, None], _first(labels, count)


def _first(file: IdxFile, count: int) -> np.ndarray:
    shape = (count, *file.shape[1:])
    content = idx_bytes(file.path, file.header_bytes + int(np.prod(shape)))
    return np.frombuffer(content, np.uint8, offset=file.header_bytes).reshape(shape)
