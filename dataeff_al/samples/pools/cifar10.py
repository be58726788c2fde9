"""Builds the ``cifar10`` pool (Krizhevsky, 2009) from binary batches, class folders or an archive of such folders."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.samples.arrays import ArrayPool, array_pool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.pools.classes import image_columns
from dataeff_al.samples.pools.pictures import decode
from dataeff_al.samples.pools.sources import (
    CIFAR_BATCHES,
    CIFAR_RECORD,
    CIFAR_TEST,
    cifar_records,
    existing_folder,
    image_files,
)
from dataeff_al.samples.pools.spec import CIFAR_FOLDER, Cifar10Params, taken
from dataeff_al.samples.pools.tarball import PackedImage, packed_images
from dataeff_al.samples.protocol import PoolContext

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPE = (3, 32, 32)


@dataclass(frozen=True)
class _Part:
    ids: list[str]
    images: np.ndarray
    labels: np.ndarray


def build(params: Cifar10Params, context: PoolContext) -> ArrayPool:
    """Photographs ``(3, 32, 32)`` in [0, 1]; the test images are held out. Raises DataError when files are broken."""
    folder = existing_folder(params.folder, context.base_dir, context.data_root, CIFAR_FOLDER)
    train, test = _from_batches(folder, params) if (folder / CIFAR_TEST).is_file() else _from_images(folder, params)
    images, labels = np.concatenate([train.images, test.images]), np.concatenate([train.labels, test.labels])
    return array_pool(image_columns(train.ids + test.ids, images, labels, CLASSES), codec_for, test.ids)


def _from_batches(folder: Path, params: Cifar10Params) -> tuple[_Part, _Part]:
    paths = [folder / name for name in CIFAR_BATCHES if (folder / name).is_file()]
    count = taken(params.size, sum(cifar_records(path) for path in paths))
    train = (
        np.concatenate([_records(path) for path in paths])[:count] if paths else np.empty((0, CIFAR_RECORD), np.uint8)
    )
    return _unpacked("train", train), _unpacked("test", _records(folder / CIFAR_TEST))


def _records(path: Path) -> np.ndarray:
    return np.fromfile(path, np.uint8, count=cifar_records(path) * CIFAR_RECORD).reshape(-1, CIFAR_RECORD)


def _unpacked(part: str, records: np.ndarray) -> _Part:
    if not len(records) or records[:, 0].max() >= len(CLASSES):
        raise DataError(f"{part} batches must hold records of ten classes, but got {len(records)} records.")
    ids = [f"{part}-{row:05d}" for row in range(len(records))]
    return _Part(ids, records[:, 1:].reshape(-1, *SHAPE), records[:, 0])


def _from_images(folder: Path, params: Cifar10Params) -> tuple[_Part, _Part]:
    packed = _packed(folder)
    train = in_turn([image for image in packed if image.part == "train"])
    test = [image for image in packed if image.part == "test"]
    return _decoded(train[: taken(params.size, len(train))], "train"), _decoded(test, "test")


def in_turn(images: Sequence[PackedImage]) -> list[PackedImage]:
    """The first image of every class, then the second of every class, and so on: the first N are balanced."""
    ranks: dict[str, int] = {}
    keyed = []
    for image in sorted(images, key=lambda image: image.name):
        ranks[image.label] = ranks.get(image.label, -1) + 1
        keyed.append((ranks[image.label], image.label, image))
    return [image for _, _, image in sorted(keyed, key=lambda key: key[:2])]


def _packed(folder: Path) -> list[PackedImage]:
    archives = sorted(folder.glob("*.tar.xz"))
    if archives:
        return packed_images(archives[0], ("train", "test"))
    if not (folder / "train").is_dir() or not (folder / "test").is_dir():
        raise DataError(f"{folder.name!r} must hold {CIFAR_TEST}, train and test, or a .tar.xz, but got none of them.")
    return [
        PackedImage(part, file.label, f"{part}/{file.name}", file.path.read_bytes())
        for part in ("train", "test")
        for file in image_files(folder / part)
    ]


def _decoded(packed: Sequence[PackedImage], part: str) -> _Part:
    if not packed:
        raise DataError(f"{part!r} must hold at least one image, but got 0.")
    images = np.empty((len(packed), *SHAPE), np.uint8)
    labels = np.empty(len(packed), np.int64)
    for row, image in enumerate(packed):
        pixels = decode(image.content, image.name, "rgb")
        if pixels.shape != SHAPE or image.label not in CLASSES:
            raise DataError(f"{image.name!r} must be a 32 x 32 image of one of {CLASSES}, but got {pixels.shape}.")
        images[row], labels[row] = pixels, CLASSES.index(image.label)
    return _Part([image.name for image in packed], images, labels)
