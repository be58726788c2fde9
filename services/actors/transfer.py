"""Blobs and spool as actors on any node see them: by calls to the keeper, which may be ended and come back."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from dataeff_al.digests import Ref, digest_bytes
from dataeff_al.errors import CorruptError, DataError, UnavailableError
from dataeff_al.labeling.types import Done
from dataeff_al.stores.blobs import MAX_BLOB_BYTES
from services.actors.answers import SHORT_S, answer
from services.actors.keeper import find_keeper

PATIENCE_S = 120.0
AGAIN_S = 0.5
CACHE_BYTES = 128 * 2**20


class KeeperLine:
    """Calls to a keeper by name. Everything asked of it is idempotent, so that a lost answer is asked for again."""

    def __init__(self, name: str, patience_s: float = PATIENCE_S) -> None:
        self._name, self._patience_s = name, patience_s
        self._keeper: Any | None = None

    def ask(self, method: str, *args: Any) -> Any:
        """Call a method. Raises what it raises, and UnavailableError when no keeper comes back in time."""
        until = time.monotonic() + self._patience_s
        while True:
            try:
                return self._once(method, *args)
            except UnavailableError:
                self._keeper = None
                if time.monotonic() > until:
                    raise
                time.sleep(AGAIN_S)

    def _once(self, method: str, *args: Any) -> Any:
        keeper = self._keeper or find_keeper(self._name)
        if keeper is None:
            raise UnavailableError(f"the keeper {self._name!r} must be there, but got none.")
        self._keeper = keeper
        return answer(getattr(keeper, method).remote(*args), SHORT_S)


class TransferredBlobs:
    """The driver's blobs, with what was last moved kept here; every arrival is checked against its digest.

    Args:
        line: to the keeper.
        cache_bytes: how much is kept in memory.
    """

    def __init__(self, line: KeeperLine, cache_bytes: int = CACHE_BYTES) -> None:
        self._line, self._room = line, cache_bytes
        self._kept: OrderedDict[Ref, bytes] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def put(self, content: bytes) -> Ref:
        """Keep the content on the driver's disk; what is known to be there is not moved again."""
        if len(content) > MAX_BLOB_BYTES:
            raise DataError(f"a blob must have at most {MAX_BLOB_BYTES} bytes, but got {len(content)}.")
        ref = digest_bytes(content)
        if self._found(ref) is None:
            self._line.ask("put", content)
            self._keep(ref, content)
        return ref

    def get(self, ref: Ref) -> bytes:
        """The content. Raises NotFoundError, CorruptError."""
        content = self._found(ref)
        if content is None:
            content = self._line.ask("get", ref)
            if (found := digest_bytes(content)) != ref:
                raise CorruptError(f"blob {ref} must arrive as it was sent, but got content with digest {found}.")
            self._keep(ref, content)
        return content

    def has(self, ref: Ref) -> bool:
        """Whether the driver has the blob."""
        return self._found(ref) is not None or bool(self._line.ask("has", ref))

    def _found(self, ref: Ref) -> bytes | None:
        with self._lock:
            content = self._kept.get(ref)
            if content is not None:
                self._kept.move_to_end(ref)
            return content

    def _keep(self, ref: Ref, content: bytes) -> None:
        if len(content) > self._room // 4:
            return
        with self._lock:
            if ref in self._kept:
                return
            self._kept[ref] = content
            self._held += len(content)
            while self._held > self._room:
                self._held -= len(self._kept.popitem(last=False)[1])


class TransferredSpool:
    """The driver's spool."""

    def __init__(self, line: KeeperLine) -> None:
        self._line = line

    def mark_started(self, attempt: str) -> None:
        """Remember durably that the labeler is about to be called."""
        self._line.ask("mark_started", attempt)

    def mark_done(self, attempt: str, done: Done) -> None:
        """Remember durably what the labeler answered."""
        self._line.ask("mark_done", attempt, done)

    def was_started(self, attempt: str) -> bool:
        """Whether the labeler may have been called."""
        return bool(self._line.ask("was_started", attempt))

    def outcome(self, attempt: str) -> Done | None:
        """The remembered outcome."""
        return self._line.ask("outcome", attempt)

    def kept(self) -> Sequence[str]:
        """Nothing that is looked for from here: whoever drives a campaign looks into the folder."""
        return []

    def forget(self, attempt: str) -> None:
        """The record has the outcome."""
        self._line.ask("forget", attempt)
