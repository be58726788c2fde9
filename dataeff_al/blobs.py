"""What every part that moves arrays needs of a blob store: content in, ref out, and back."""

from typing import Protocol

from dataeff_al.digests import Ref


class Blobs(Protocol):
    """Content by digest. A blob is on the disk before its ref is anywhere else."""

    def put(self, content: bytes) -> Ref:
        """Keep the content durably; idempotent."""

    def get(self, ref: Ref) -> bytes:
        """The content. Raises NotFoundError when absent, CorruptError when it does not match its digest."""

    def has(self, ref: Ref) -> bool:
        """Whether the blob is here."""
