"""Builds the ``sunnybrook`` pool (Radau et al., 2009): short-axis cine-MR slices with the left ventricle's cavity."""

import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.samples.arrays import ArrayPool, array_pool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.columns import Columns
from dataeff_al.samples.pools.pictures import decode
from dataeff_al.samples.pools.sources import existing_folder, sunnybrook_archive
from dataeff_al.samples.pools.spec import SUNNYBROOK_FOLDER, SunnybrookParams
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import FieldSpec, SampleSpec, TargetSpec

CLASSES = ("background", "cavity")
PATIENT = re.compile(r"^(SC-(?:HF-NI|HF-I|HYP|N)-\d+)-")
MEMBER_BYTES, MAX_MEMBERS = 1 << 20, 20_000


def build(params: SunnybrookParams, context: PoolContext) -> ArrayPool:
    """Slices ``(1, h, w)`` in [0, 1], grouped by patient; the test part's patients are held out.

    Raises DataError when the archive is missing or broken, or slices and masks do not belong together.
    """
    folder = existing_folder(params.folder, context.base_dir, context.data_root, SUNNYBROOK_FOLDER)
    content = _members(sunnybrook_archive(folder))
    names = sorted(name for name in content if "/Images/" in name)
    pairs = [_pair(content, name, params.shrink) for name in names]
    if not pairs or len({image.shape for image, _ in pairs}) != 1:
        raise DataError(f"the archive must hold slices of one size, but got {len(pairs)} slices.")
    images = np.stack([image for image, _ in pairs])
    masks = np.stack([mask for _, mask in pairs])
    side = images.shape[1:]
    ids = [_id(name) for name in names]
    form = FieldSpec((1, *side), "float32", "intensity", channels=("grey",), range=(0.0, 1.0))
    columns = Columns(
        spec=SampleSpec({"x": form}, "x"),
        ids=ids,
        groups=[patient(name) for name in names],
        fields={"x": images[:, None]},
        target=TargetSpec("mask", "mask", side, classes=CLASSES),
        answers=masks,
        scale={"x": 1 / 255},
    )
    return array_pool(
        columns, codec_for, [one for one, name in zip(ids, names, strict=True) if name.startswith("Test")]
    )


def patient(name: str) -> str:
    """The patient of a slice, by its file's name. Raises DataError when the name holds none."""
    found = PATIENT.match(name.rsplit("/", 1)[-1])
    if not found:
        raise DataError(f"a slice's name must begin with its patient, but got {name!r}.")
    return found[1]


def _id(name: str) -> str:
    return name.rsplit("/", 1)[-1].split(".")[0]


def _members(path: Path) -> dict[str, bytes]:
    """All regular files of the archive. Raises DataError when it is broken, or a member is too large."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                if len(found) >= MAX_MEMBERS or member.size > MEMBER_BYTES:
                    raise DataError(
                        f"{path.name} must hold at most {MAX_MEMBERS} files of at most {MEMBER_BYTES} bytes, "
                        f"but got {member.name!r} of {member.size}."
                    )
                stream = archive.extractfile(member) if member.isreg() else None
                if stream is not None:
                    found[member.name] = stream.read()
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DataError(f"{path.name} must be a whole .tar.gz archive, but got {str(error)[:120]!r}.") from error
    return found


def _pair(content: Mapping[str, bytes], name: str, shrink: int) -> tuple[np.ndarray, np.ndarray]:
    """A slice and its mask, uint8, both ``shrink`` times as small."""
    label = name.replace("/Images/", "/Labels/")
    if label not in content:
        raise DataError(f"each slice must have a mask, but got none for {name!r}.")
    image = decode(content[name], name, "grey")[0]
    mask = decode(content[label], label, "grey")[0] > 0
    if image.shape != mask.shape or image.shape[0] % shrink or image.shape[1] % shrink:
        raise DataError(
            f"slice and mask must be of one size, divisible by {shrink}, but got {image.shape} and {mask.shape}."
        )
    return _shrunk(image, shrink).round().astype(np.uint8), (_shrunk(mask, shrink) >= 0.5).astype(np.uint8)


def _shrunk(array: np.ndarray, times: int) -> np.ndarray:
    height, width = array.shape
    blocks = array.reshape(height // times, times, width // times, times).astype(np.float32)
    return np.asarray(blocks.mean(axis=(1, 3)))
