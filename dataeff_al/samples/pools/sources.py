"""Where pools find their files, and how many samples those hold; light, so that a forecast needs no engine."""

import csv
import gzip
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dataeff_al.errors import DataError
from dataeff_al.samples.npz import count_samples

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
MAX_IMAGES = 200_000
CSV_BYTES = 1 << 30
IDX_IMAGES, IDX_LABELS = 0x00000803, 0x00000801
IDX_ITEMS, IDX_SIDE = 1_000_000, 1_024
CIFAR_RECORD = 1 + 3 * 32 * 32
CIFAR_BATCHES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
CIFAR_TEST = "test_batch.bin"


def existing_file(name: str, base_dir: Path) -> Path:
    """The file of that name relative to ``base_dir``. Raises DataError when there is none."""
    path = base_dir / name
    if not path.is_file():
        raise DataError(f"a pool's file must exist, but got {str(path)!r}.")
    return path


def existing_folder(name: str | None, base_dir: Path, data_root: Path | None, default: str) -> Path:
    """The named folder, or ``default`` in the shared data folder. Raises DataError when there is none."""
    if name is None and data_root is None:
        raise DataError(f"either 'folder' or DATAEFF_DATA must be set to find {default!r}, but got neither.")
    folder = base_dir / name if name is not None else Path(data_root or ".") / default
    if not folder.is_dir():
        raise DataError(f"a pool's folder must exist, but got {str(folder)!r}.")
    return folder


def sunnybrook_archive(folder: Path) -> Path:
    """The archive of slices and masks in a folder. Raises DataError unless there is exactly one ``.tar.gz``."""
    found = sorted(folder.glob("*.tar.gz"))
    if len(found) != 1:
        raise DataError(f"{folder.name!r} must hold one .tar.gz archive, but got {len(found)}.")
    return found[0]


@dataclass(frozen=True)
class ImageFile:
    """An image on disk: its path below the folder, and its class ("" when the folder has no classes)."""

    path: Path
    name: str
    label: str


def image_files(folder: Path) -> list[ImageFile]:
    """Images in class sub-folders, or, when no sub-folder holds any, those directly in ``folder``; sorted by name.

    Raises DataError when there is none, or more than 200,000.
    """
    below = sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    found = [ImageFile(path, f"{sub.name}/{path.name}", sub.name) for sub in below for path in _images_in(sub)]
    found = found or [ImageFile(path, path.name, "") for path in _images_in(folder)]
    if not 0 < len(found) <= MAX_IMAGES:
        raise DataError(f"{folder.name!r} must hold 1 to {MAX_IMAGES} png, jpeg or bmp images, but got {len(found)}.")
    return found


def _images_in(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())


@dataclass(frozen=True)
class IdxFile:
    """An IDX file, gzipped or not: its declared shape ``(n,)`` or ``(n, h, w)``."""

    path: Path
    shape: tuple[int, ...]

    @property
    def header_bytes(self) -> int:
        """Bytes before the data."""
        return 4 + 4 * len(self.shape)


def idx_file(folder: Path, stem: str, magic: int) -> IdxFile:
    """Find ``stem`` or ``stem.gz`` and read its header.

    Raises DataError when it is missing, has another magic number, or declares an impossible size.
    """
    path = next((path for path in (folder / f"{stem}.gz", folder / stem) if path.is_file()), None)
    if path is None:
        raise DataError(f"{stem}[.gz] must exist in {str(folder)!r}, but got no such file.")
    axes = magic & 0xFF
    head = idx_bytes(path, 4 + 4 * axes)
    found, *shape = struct.unpack(f">{1 + axes}I", head)
    if found != magic or not 0 < shape[0] <= IDX_ITEMS or any(not 0 < side <= IDX_SIDE for side in shape[1:]):
        raise DataError(f"{path.name} must be an IDX file of kind {magic:#x}, but got {found:#x} of {tuple(shape)}.")
    return IdxFile(path, tuple(shape))


def idx_bytes(path: Path, count: int) -> bytes:
    """Exactly the first ``count`` bytes, inflated where needed. Raises DataError when there are fewer."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            content = stream.read(count)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} must be readable, but got {str(error)!r}.") from error
    if len(content) < count:
        raise DataError(f"{path.name} must hold {count} bytes, but got {len(content)}.")
    return content


def mnist_files(folder: Path, part: str) -> tuple[IdxFile, IdxFile]:
    """Images and labels of ``part`` (``train`` or ``t10k``). Raises DataError when their numbers differ."""
    images = idx_file(folder, f"{part}-images-idx3-ubyte", IDX_IMAGES)
    labels = idx_file(folder, f"{part}-labels-idx1-ubyte", IDX_LABELS)
    if images.shape[0] != labels.shape[0]:
        raise DataError(f"{part} must have one label an image, but got {labels.shape[0]} for {images.shape[0]}.")
    return images, labels


def cifar_records(path: Path) -> int:
    """How many records a CIFAR-10 binary file holds. Raises DataError when its size is not a whole number of them."""
    count, rest = divmod(path.stat().st_size, CIFAR_RECORD)
    if rest or not 0 < count <= MAX_IMAGES:
        raise DataError(f"{path.name} must hold whole records of {CIFAR_RECORD} bytes, but got {rest} bytes over.")
    return count


def table_rows(path: Path) -> int:
    """The number of samples in a table, csv with a header or npz. Raises DataError when it is not one."""
    return sum(1 for _ in csv_rows(path)) - 1 if path.suffix.lower() == ".csv" else count_samples(path)


def csv_rows(path: Path) -> Iterator[list[str]]:
    """Rows of a csv file, the header first, blank lines left out.

    Raises DataError when it is not UTF-8 text, too large, or a row's length differs from the header's.
    """
    if path.stat().st_size > CSV_BYTES:
        raise DataError(f"{path.name} must have at most {CSV_BYTES} bytes, but got {path.stat().st_size}.")
    width = 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            for row in filter(None, reader):
                width = width or len(row)
                if len(row) != width:
                    raise DataError(f"{path.name} line {reader.line_num}: must have {width} cells, but got {len(row)}.")
                yield row
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} must be a csv file in UTF-8, but got {str(error)!r}.") from error
