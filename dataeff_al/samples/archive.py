"""Reading and writing npz files that may be hostile: every size is checked before memory is asked for.

A file is refused when it is not an archive of plain npy members, when a member's declared shape does not match its
declared bytes, when it inflates beyond the limits, or when it holds Python objects. Nothing is ever unpickled.
"""

import io
import math
import os
import re
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from dataeff_al.errors import DataError

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
CHUNK_BYTES = 1 << 18
DIRECTORY_BYTES = 1 << 18
AXIS_LENGTH = 1 << 40
PLAIN_KINDS = "biufUS"
# What zipfile, zlib and numpy raise on bytes that are not what they claim to be.
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    EOFError,
    OSError,
    ValueError,
    SyntaxError,
    MemoryError,
    OverflowError,
    RuntimeError,
)


@dataclass(frozen=True)
class Limits:
    """How much a file may ask for.

    ``inflation``: bytes out over bytes in, checked above ``free_bytes`` only, because small sparse masks shrink well;
    deflate ends near 1,030, where only a bomb is.
    """

    file_bytes: int = 4 << 30
    total_bytes: int = 4 << 30
    arrays: int = 64
    rank: int = 6
    inflation: int = 500
    free_bytes: int = 64 << 20


LIMITS = Limits()


@dataclass(frozen=True)
class Header:
    """The declared form of one array: ``shape`` with the leading ``n``, and its dtype."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool

    @property
    def nbytes(self) -> int:
        """Bytes that the declared form takes."""
        return math.prod(self.shape) * self.dtype.itemsize


class _BoundedFile(io.FileIO):
    """A file whose single reads are bounded, so that a forged directory size cannot ask for much memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        asked = os.fstat(self.fileno()).st_size - self.tell() if size is None or size < 0 else size
        if asked > DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"a read of {asked} bytes")
        return super().read(size) or b""


def read_headers(path: Path, limits: Limits = LIMITS) -> dict[str, Header]:
    """The declared form of every array in an npz file, without reading the arrays.

    Raises DataError when the file is missing, is not an npz file, holds Python objects or breaks ``limits``.
    """
    with _opened(path, limits) as archive:
        return {_key(path, member): _header_of(path, archive, member, limits) for member in archive.infolist()}


def read_arrays(path: Path, limits: Limits = LIMITS, only: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an npz file by name (of ``only`` these names), native byte order, C order.

    Raises DataError when the file is missing, is not an npz file, holds Python objects or breaks ``limits``.
    """
    with _opened(path, limits) as archive:
        members = {_key(path, member): member for member in archive.infolist()}
        wanted = [name for name in members if only is None or name in only]
        return {name: _array_of(path, archive, members[name], limits) for name in wanted}


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an npz file in one step: readers see the old file or the whole new one. Raises DataError if it cannot."""
    for name, array in arrays.items():
        if not KEY.fullmatch(name) or array.dtype.kind not in PLAIN_KINDS:
            raise DataError(f"an npz array must be plain and have a plain name, but got {name!r} of {array.dtype}.")
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez_compressed(stream, allow_pickle=False, **arrays)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{str(path)!r} must be writable, but got {error.strerror!r}.") from error


@contextmanager
def _opened(path: Path, limits: Limits) -> Iterator[zipfile.ZipFile]:
    if not path.is_file():
        raise DataError(f"an npz file must exist, but got {str(path)!r}.")
    size = path.stat().st_size
    if size > limits.file_bytes:
        raise DataError(f"{path.name}: an npz file must have at most {limits.file_bytes} bytes, but got {size}.")
    with _BoundedFile(path) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except BROKEN as error:
            raise DataError(f"{path.name} must be an npz file, but got one that does not open ({error}).") from error
        _check_members(path, archive.infolist(), size, limits)
        yield archive


def _check_members(path: Path, members: list[zipfile.ZipInfo], size: int, limits: Limits) -> None:
    if not 0 < len(members) <= limits.arrays:
        raise DataError(f"{path.name}: an npz file must hold 1 to {limits.arrays} arrays, but got {len(members)}.")
    keys = [_key(path, member) for member in members]
    if len(set(keys)) < len(keys):
        raise DataError(f"{path.name}: array names must be unique, but got {sorted(keys)!r}.")
    total = sum(member.file_size for member in members)
    allowed = min(limits.total_bytes, max(limits.free_bytes, limits.inflation * size))
    if total > allowed:
        raise DataError(f"{path.name}: arrays must take at most {allowed} bytes in memory, but got {total}.")


def _key(path: Path, member: zipfile.ZipInfo) -> str:
    name = member.filename.removesuffix(".npy")
    if name == member.filename or not KEY.fullmatch(name):
        raise DataError(f"{path.name}: a member must be named like 'x.npy', but got {member.filename[:80]!r}.")
    if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{path.name}: {name!r} must be stored or deflated, but got method {member.compress_type}.")
    return name


def _header_of(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, limits: Limits) -> Header:
    with _member(path, archive, member) as stream:
        return _header(path, stream, member, limits)


def _array_of(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, limits: Limits) -> np.ndarray:
    with _member(path, archive, member) as stream:
        header = _header(path, stream, member, limits)
        flat = np.empty(math.prod(header.shape), header.dtype)
        _fill(path, stream, flat.view(np.uint8).data, member)
    array = flat.reshape(header.shape, order="F" if header.fortran else "C")
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False)).reshape(header.shape)


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    try:
        return archive.open(member)
    except BROKEN as error:
        raise DataError(f"{path.name}: {member.filename!r} must be readable, but got {str(error)!r}.") from error


def _header(path: Path, stream: IO[bytes], member: zipfile.ZipInfo, limits: Limits) -> Header:
    try:
        version = npy.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"npy version {version}")
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except BROKEN as error:
        text = str(error).partition("\n")[0][:120]
        raise DataError(f"{path.name}: {member.filename!r} must be an npy array, but got one with {text!r}.") from error
    header = Header(shape, dtype, fortran)
    _check_header(path, member, header, member.file_size - stream.tell(), limits)
    return header


def _check_header(path: Path, member: zipfile.ZipInfo, header: Header, present: int, limits: Limits) -> None:
    where = f"{path.name}: {member.filename!r}"
    if header.dtype.hasobject or header.dtype.kind not in PLAIN_KINDS or not header.dtype.itemsize:
        raise DataError(f"{where} must hold numbers or text, but got dtype {str(header.dtype)[:80]!r}.")
    if len(header.shape) > limits.rank or any(not 0 < length < AXIS_LENGTH for length in header.shape):
        raise DataError(f"{where} must have up to {limits.rank} axes, none empty, but got {str(header.shape)[:80]}.")
    if header.nbytes != present:
        raise DataError(f"{where} must hold the {header.nbytes} bytes that its shape declares, but got {present}.")


def _fill(path: Path, stream: IO[bytes], target: memoryview, member: zipfile.ZipInfo) -> None:
    done = 0
    try:
        while done < len(target):
            chunk = stream.read(min(CHUNK_BYTES // 2, len(target) - done))
            if not chunk:
                raise EOFError("truncated data")
            target[done : done + len(chunk)] = chunk
            done += len(chunk)
    except BROKEN as error:
        raise DataError(f"{path.name}: {member.filename!r} must be whole, but got {str(error)!r}.") from error
