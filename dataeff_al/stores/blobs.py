"""Blobs: content by its digest, in a folder or in memory.

A blob goes through a temporary file, fsync, rename and an fsync of the folder, so that a ref that was returned
survives a power cut, and a killed process leaves at most a temporary file behind. An fsync that fails is fatal: the
kernel may have dropped the pages and report success the second time (Rebello et al., "Can Applications Recover from
fsync Failures?", USENIX ATC 2020).
"""

import contextlib
import errno
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from dataeff_al.digests import Ref, digest_bytes
from dataeff_al.errors import CorruptError, DataError, NoRoomError, NotFoundError, RecordError
from dataeff_al.failpoints import reached

MAX_BLOB_BYTES = 2**30
STALE_S = 86_400.0
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_HEX = re.compile(r"[0-9a-f]{64}\Z")


def is_ref(text: str) -> bool:
    """Whether ``text`` has the form of a ref: 64 lower-case hex digits."""
    return _HEX.match(text) is not None


class MemoryBlobs:
    """Blobs that live as long as the object."""

    def __init__(self, max_bytes: int = MAX_BLOB_BYTES) -> None:
        self._max_bytes = max_bytes
        self._content: dict[Ref, bytes] = {}

    def put(self, content: bytes) -> Ref:
        """Keep the content. Raises DataError when it is larger than the bound."""
        ref = _checked_ref(content, self._max_bytes)
        self._content.setdefault(ref, bytes(content))
        return ref

    def get(self, ref: Ref) -> bytes:
        """The content. Raises NotFoundError."""
        if ref not in self._content:
            raise NotFoundError(_absent(ref))
        return self._content[ref]

    def has(self, ref: Ref) -> bool:
        """Whether the blob is here."""
        return ref in self._content

    def discard(self, ref: Ref) -> None:
        """Remove a blob that nothing refers to any more, where it is here."""
        self._content.pop(ref, None)


class FileBlobs:
    """Blobs as files ``ab/cdef...`` below a folder. Several processes may share the folder.

    Args:
        folder: made when it does not exist.
        max_bytes: the largest blob that is kept or read.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BLOB_BYTES) -> None:
        self._folder = folder
        self._drafts = folder / "tmp"
        self._max_bytes = max_bytes
        self._failed = ""
        self._durable: set[Path] = set()

    def put(self, content: bytes) -> Ref:
        """Keep the content durably; idempotent.

        Raises DataError when it is larger than the bound, NoRoomError when the disk is full, RecordError when it
        refuses otherwise; after a failed fsync every later put is refused too.
        """
        ref = _checked_ref(content, self._max_bytes)
        if self._failed:
            raise RecordError(f"blobs must be on a disk that keeps them, but got {self._failed} before.")
        path = self._path(ref)
        reached("blob.before")
        try:
            if not self._holds(path, ref):
                self._write(path, content)
            self._fsync_folder(path.parent)
        except OSError as error:
            # Room that only fsync misses is another matter: what was written before may be gone, too.
            kind = NoRoomError if error.errno in NO_ROOM and not self._failed else RecordError
            raise kind(f"blob {ref} must be written to {str(self._folder)!r}, but got {error}.") from error
        reached("blob.durable")
        return ref

    def get(self, ref: Ref) -> bytes:
        """The content. Raises NotFoundError when absent, CorruptError when it does not match its digest."""
        path = self._path(ref)
        try:
            if path.stat().st_size > self._max_bytes:
                raise CorruptError(f"blob {ref} must have at most {self._max_bytes} bytes, but got a larger file.")
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError(_absent(ref)) from error
        except OSError as error:
            raise CorruptError(f"blob {ref} must be readable, but got {error}.") from error
        if (found := digest_bytes(content)) != ref:
            raise CorruptError(f"blob {ref} must match its digest, but got content with digest {found}.")
        return content

    def has(self, ref: Ref) -> bool:
        """Whether a file stands under the ref; its content is checked by :meth:`get`."""
        return is_ref(ref) and self._path(ref).is_file()

    def discard(self, ref: Ref) -> None:
        """Remove a blob that nothing refers to any more, where it is here."""
        self._path(ref).unlink(missing_ok=True)

    def refs(self) -> Iterator[Ref]:
        """Refs of all blobs that are here, whole or not."""
        for path in self._folder.glob("[0-9a-f][0-9a-f]/*"):
            if is_ref(ref := path.parent.name + path.name):
                yield Ref(ref)

    def sweep(self, older_than_s: float = STALE_S) -> int:
        """Remove what killed processes left half written; returns how many files."""
        swept = 0
        for path in self._drafts.glob("*"):
            with contextlib.suppress(OSError):  # somebody else may sweep, too
                if path.stat().st_mtime < time.time() - older_than_s:
                    path.unlink()
                    swept += 1
        return swept

    def _path(self, ref: Ref) -> Path:
        if not is_ref(ref):
            raise NotFoundError(f"a ref must be 64 lower-case hex digits, but got {ref!r}.")
        return self._folder / ref[:2] / ref[2:]

    def _holds(self, path: Path, ref: Ref) -> bool:
        """Whether the right content is already there; a damaged file is written anew."""
        try:
            return digest_bytes(path.read_bytes()) == ref
        except FileNotFoundError:
            return False

    def _write(self, path: Path, content: bytes) -> None:
        self._make_folder(self._drafts)
        self._make_folder(path.parent)
        draft = self._drafts / f"{os.getpid()}-{secrets.token_hex(8)}"
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                self._fsync(file.fileno())
            reached("blob.written")
            draft.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise
        reached("blob.renamed")

    def _make_folder(self, folder: Path) -> None:
        """Make a folder and its entry in the parent durable, once per object."""
        if folder in self._durable:
            return
        if not folder.parent.is_dir():
            self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        self._fsync_folder(folder.parent)
        self._durable.add(folder)

    def _fsync_folder(self, folder: Path) -> None:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._fsync(handle)
        finally:
            os.close(handle)

    def _fsync(self, handle: int) -> None:
        try:
            os.fsync(handle)
        except OSError as error:
            self._failed = repr(error)
            raise


def _checked_ref(content: bytes, max_bytes: int) -> Ref:
    if len(content) > max_bytes:
        raise DataError(f"a blob must have at most {max_bytes} bytes, but got {len(content)}.")
    return digest_bytes(content)


def _absent(ref: Ref) -> str:
    return f"a blob must be in the store, but got none for ref {ref!r}."
