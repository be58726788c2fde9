"""Images read from a ``.tar.xz`` archive as a stream: nothing is extracted to disk, and every size is bounded."""

import io
import lzma
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from dataeff_al.errors import DataError
from dataeff_al.samples.pools.sources import IMAGE_SUFFIXES, MAX_IMAGES

TOTAL_BYTES = 1 << 30
MEMBER_BYTES = 1 << 20


@dataclass(frozen=True)
class PackedImage:
    """An encoded image: its part (``train``, ``test``), class, name within the set, and bytes."""

    part: str
    label: str
    name: str
    content: bytes


class _SmallMember(tarfile.TarInfo):
    """A header that is refused when it declares a large member, an extended header included."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        if member.size > MEMBER_BYTES:
            raise DataError(f"an archive's members must have at most {MEMBER_BYTES} bytes, but got {member.size}.")
        return member


class _Bounded(io.RawIOBase):
    """A stream that ends in an error after ``TOTAL_BYTES``."""

    def __init__(self, stream: lzma.LZMAFile) -> None:
        self._stream, self._left = stream, TOTAL_BYTES

    def read(self, size: int = -1, /) -> bytes:
        content = self._stream.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise tarfile.ReadError(f"more than {TOTAL_BYTES} bytes")
        return content


def packed_images(path: Path, parts: tuple[str, ...]) -> list[PackedImage]:
    """The images ``part/class/name`` in the archive, in its order.

    Raises DataError when it is broken, or has more than 200,000 members, one above 1 MiB, or more than 1 GiB in all.
    """
    try:
        with (
            lzma.open(path) as stream,
            tarfile.open(fileobj=_Bounded(stream), mode="r|", tarinfo=_SmallMember) as archive,
        ):
            return list(_images(archive, parts))
    except DataError:
        raise
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        raise DataError(f"{path.name} must be a whole .tar.xz archive, but got {str(error)[:120]!r}.") from error


def _images(archive: tarfile.TarFile, parts: tuple[str, ...]) -> Iterator[PackedImage]:
    for count, member in enumerate(archive, start=1):
        if count > MAX_IMAGES:
            raise DataError(f"an archive must have at most {MAX_IMAGES} members, but got more.")
        path = PurePosixPath(member.name)
        if not member.isreg() or len(path.parts) != 3 or path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        part, label, _ = path.parts
        stream = archive.extractfile(member)
        if part in parts and stream is not None:
            yield PackedImage(part, label, str(path), stream.read())
