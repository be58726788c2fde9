"""What every part that moves arrays needs of a blob store: content in, ref out, and back."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from dataeff_al.digests import Ref

_AT_ONCE = 16


class Blobs(Protocol):
    """Content by digest. A blob is on the disk before its ref is anywhere else."""

    def put(self, content: bytes) -> Ref:
        """Keep the content durably; idempotent."""

    def get(self, ref: Ref) -> bytes:
        """The content. Raises NotFoundError when absent, CorruptError when it does not match its digest."""

    def has(self, ref: Ref) -> bool:
        """Whether the blob is here."""


class OwnBlobs(Blobs, Protocol):
    """Blobs that this process keeps itself."""

    def discard(self, ref: Ref) -> None:
        """Remove a blob that nothing refers to, where it is here."""


def put_all(blobs: Blobs, contents: Sequence[bytes]) -> list[Ref]:
    """Keep many contents, several at once: each waits for the disk, which takes their writes together."""
    if len(contents) < _AT_ONCE:
        return [blobs.put(content) for content in contents]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="blobs") as threads:
        return list(threads.map(blobs.put, contents))
