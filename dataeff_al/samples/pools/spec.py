"""The built-in pools' light descriptions: names, strict parameters, sizes.

A ``size`` counts all ids of the pool, the held-out ones included.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dataeff_al.errors import DataError
from dataeff_al.registry import Params, PoolPlugin
from dataeff_al.samples.npz import count_samples
from dataeff_al.samples.pools import sources

DIGITS_COUNT = 1797
CIFAR_FOLDER, MNIST_FOLDER, SUNNYBROOK_FOLDER = "cifar10-jpeg", "mnist", "sunnybrook-png"

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Side = Annotated[int, Field(ge=4, le=4096)]
Name = Annotated[str, Field(min_length=1, max_length=4096)]
Share = Annotated[float, Field(ge=0, le=1)]


def answers(_: Any) -> frozenset[str]:
    """The pool may know true labels, which the ``dataset`` labeler needs."""
    return frozenset({"answers"})


class NpzParams(Params):
    """Arrays in an npz file: ``x`` or ``mask``, and ``label``, ``mask``, ``stress`` or ``y`` when they are known.

    ``input`` and ``answer`` say which is which where a file holds several; ``range`` is the intensity convention of
    ``x``; ``classes`` names the class codes.
    """

    file: Name
    input: Literal["x", "mask"] | None = None
    answer: Literal["label", "mask", "stress", "y"] | None = None
    range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    classes: Annotated[list[Name], Field(max_length=1000, default_factory=list)]

    @model_validator(mode="after")
    def _rises(self) -> "NpzParams":
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError(f"range must rise, but got {self.range!r}.")
        return self


class DigitsParams(Params):
    """Scikit-learn's handwritten digits, 8 x 8; ``size`` takes the first ones."""

    size: Annotated[int, Field(ge=2, le=DIGITS_COUNT)] = DIGITS_COUNT


class MnistParams(Params):
    """MNIST in IDX files; ``size`` takes the first training images; the test images are held out."""

    folder: Name | None = None
    size: Count | None = None


class Cifar10Params(Params):
    """CIFAR-10; ``size`` takes the first training images, class by class in turn; the test images are held out.

    ``folder`` holds the official binary batches, or ``train`` and ``test`` with a sub-folder a class, or a ``.tar.xz``
    archive of such folders. The Python batches are pickles and are not read.
    """

    folder: Name | None = None
    size: Count | None = None


class ImageFolderParams(Params):
    """Images in one sub-folder a class, or directly in ``folder`` when nothing is known about them.

    ``resize`` is ``[h, w]``; ``group_before`` makes the part of a file's name before that text its group, as in
    ``patient7_slice3.png`` with ``_``.
    """

    folder: Name
    colour: Literal["grey", "rgb"] = "rgb"
    resize: Annotated[list[Side], Field(min_length=2, max_length=2)] | None = None
    group_before: Annotated[str, Field(min_length=1, max_length=16)] | None = None


class TableParams(Params):
    """A table of numbers: csv with a header, or npz with ``x`` ``(n, d)``.

    In a csv, ``label`` names the column of classes, or ``values`` the columns to learn; ``id`` and ``group`` name
    those columns; every other column is a feature.
    """

    file: Name
    label: Name | None = None
    values: Annotated[list[Name], Field(max_length=100, default_factory=list)]
    id: Name | None = None
    group: Name | None = None

    @model_validator(mode="after")
    def _one_answer(self) -> "TableParams":
        if self.label is not None and self.values:
            raise ValueError(f"either label or values may be given, but got {self.label!r} and {self.values!r}.")
        return self


class PhantomsParams(Params):
    """Generated volumes of ``shape`` ``[d, h, w]`` with ``organs`` ellipsoids, noise and a bias field.

    ``unit: volume`` offers whole cases, whose parts are their slices; ``unit: slice`` offers the slices, grouped by
    case.
    """

    cases: Annotated[int, Field(ge=2, le=10_000)] = 40
    shape: Annotated[list[Annotated[int, Field(ge=8, le=128)]], Field(min_length=3, max_length=3)] = Field(
        default_factory=lambda: [16, 24, 24]
    )
    organs: Literal[1, 2] = 2
    noise: Share = 0.08
    bias: Share = 0.3
    unit: Literal["volume", "slice"] = "volume"


class ShapesParams(Params):
    """Generated images of one bumpy region each, ``pixels`` a side; ``per_case`` images in a row are one group."""

    size: Annotated[int, Field(ge=2, le=100_000)] = 200
    pixels: Annotated[int, Field(ge=32, le=512)] = 64
    per_case: Annotated[int, Field(ge=1, le=1000)] = 4
    noise: Share = 0.06


class SunnybrookParams(Params):
    """Sunnybrook cine-MR slices with the left ventricle's cavity, by patient; 15 patients are held out.

    ``folder`` holds the ``.tar.gz`` archive of PNG files; ``shrink`` averages blocks of that many pixels a side.
    """

    folder: Name | None = None
    shrink: Literal[1, 2, 4] = 1


def shapes_size(params: ShapesParams, _: Path, __: Path | None) -> int:
    """Shapes generated."""
    return params.size


def sunnybrook_size(params: SunnybrookParams, base_dir: Path, data_root: Path | None) -> int | None:
    """Unknown without reading the archive. Raises DataError when it is missing."""
    sources.sunnybrook_archive(sources.existing_folder(params.folder, base_dir, data_root, SUNNYBROOK_FOLDER))
    return None


def npz_size(params: NpzParams, base_dir: Path, _: Path | None) -> int:
    """Samples in the file. Raises DataError when it is missing or not an npz file."""
    return count_samples(sources.existing_file(params.file, base_dir))


def digits_size(params: DigitsParams, _: Path, __: Path | None) -> int:
    """Digits taken."""
    return params.size


def mnist_size(params: MnistParams, base_dir: Path, data_root: Path | None) -> int:
    """Training images taken, and the test images. Raises DataError when files are missing or too few."""
    folder = sources.existing_folder(params.folder, base_dir, data_root, MNIST_FOLDER)
    train, test = (sources.mnist_files(folder, part)[0].shape[0] for part in ("train", "t10k"))
    return taken(params.size, train) + test


def cifar10_size(params: Cifar10Params, base_dir: Path, data_root: Path | None) -> int | None:
    """Images, or None for an archive, which must be unpacked to be counted. Raises DataError when files are missing."""
    folder = sources.existing_folder(params.folder, base_dir, data_root, CIFAR_FOLDER)
    if (folder / sources.CIFAR_TEST).is_file():
        train = sum(sources.cifar_records(folder / name) for name in sources.CIFAR_BATCHES if (folder / name).is_file())
        return taken(params.size, train) + sources.cifar_records(folder / sources.CIFAR_TEST)
    if (folder / "train").is_dir() and (folder / "test").is_dir():
        train, test = (len(sources.image_files(folder / part)) for part in ("train", "test"))
        return taken(params.size, train) + test
    return None


def image_folder_size(params: ImageFolderParams, base_dir: Path, _: Path | None) -> int:
    """Images in the folder. Raises DataError when there is none."""
    return len(sources.image_files(sources.existing_folder(params.folder, base_dir, None, params.folder)))


def table_size(params: TableParams, base_dir: Path, _: Path | None) -> int:
    """Rows of the table. Raises DataError when it is missing or not one."""
    return sources.table_rows(sources.existing_file(params.file, base_dir))


def phantoms_size(params: PhantomsParams, _: Path, __: Path | None) -> int:
    """Volumes, or slices."""
    return params.cases * (params.shape[0] if params.unit == "slice" else 1)


def taken(size: int | None, present: int) -> int:
    """How many of ``present`` are taken. Raises DataError when ``size`` asks for more."""
    if size is not None and size > present:
        raise DataError(f"size must be at most the {present} training images at hand, but got {size}.")
    return present if size is None else size


NPZ = PoolPlugin(
    kind="pools",
    name="npz",
    summary="samples in an npz file, with answers when it holds some",
    params=NpzParams,
    build="dataeff_al.samples.pools.npz:build",
    offers=answers,
    size=npz_size,
)
DIGITS = PoolPlugin(
    kind="pools",
    name="digits",
    summary="scikit-learn's 1,797 real handwritten digits, 8 x 8",
    params=DigitsParams,
    build="dataeff_al.samples.pools.digits:build",
    offers=answers,
    size=digits_size,
    points=lambda _: 8 * 8,
)
MNIST = PoolPlugin(
    kind="pools",
    name="mnist",
    summary="MNIST: 60,000 handwritten digits, 28 x 28, and 10,000 held out",
    params=MnistParams,
    build="dataeff_al.samples.pools.mnist:build",
    offers=answers,
    size=mnist_size,
    points=lambda _: 28 * 28,
)
CIFAR10 = PoolPlugin(
    kind="pools",
    name="cifar10",
    summary="CIFAR-10: photographs of ten classes, 32 x 32, and 10,000 held out",
    params=Cifar10Params,
    build="dataeff_al.samples.pools.cifar10:build",
    offers=answers,
    size=cifar10_size,
    points=lambda _: 32 * 32,
)
IMAGE_FOLDER = PoolPlugin(
    kind="pools",
    name="image_folder",
    summary="your own images, one sub-folder a class",
    params=ImageFolderParams,
    build="dataeff_al.samples.pools.image_folder:build",
    offers=answers,
    size=image_folder_size,
)
TABLE = PoolPlugin(
    kind="pools",
    name="table",
    summary="rows of numbers from csv or npz",
    params=TableParams,
    build="dataeff_al.samples.pools.table:build",
    offers=answers,
    size=table_size,
)
PHANTOMS = PoolPlugin(
    kind="pools",
    name="phantoms",
    summary="generated 3-D volumes of ellipsoid organs, for segmentation",
    params=PhantomsParams,
    build="dataeff_al.samples.pools.phantoms:build",
    offers=answers,
    size=phantoms_size,
)
SHAPES = PoolPlugin(
    kind="pools",
    name="shapes",
    summary="generated images of one bumpy region each, for contours",
    params=ShapesParams,
    build="dataeff_al.samples.pools.shapes:build",
    offers=answers,
    size=shapes_size,
)
SUNNYBROOK = PoolPlugin(
    kind="pools",
    name="sunnybrook",
    summary="Sunnybrook: 805 cine-MR slices of 45 patients, with the left ventricle's cavity; 15 patients held out",
    params=SunnybrookParams,
    build="dataeff_al.samples.pools.sunnybrook:build",
    offers=answers,
    size=sunnybrook_size,
)
