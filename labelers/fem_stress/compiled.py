"""The decorator of compiled kernels: numba with a disk cache that never outlives any kernel's source.

numba checks only the file of the cached function itself, not the files of the kernels that it calls. So the cache is
stamped with a digest of all sources of this package, and is emptied when the stamp does not match. Where the folder
cannot be written numba falls back to its own place, or compiles anew.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

from dataeff_al.digests import digest_json

FOLDER = Path(__file__).parent
STAMP = "fem_stress_kernels.sha256"


def drop_stale_cache(folder: Path) -> None:
    """Empty the folder's numba cache unless it was made from the folder's sources and this version of numba."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))}
    wanted = digest_json({"numba": numba.__version__, "sources": sources})
    cache = folder / "__pycache__"
    with contextlib.suppress(OSError):
        stamp = cache / STAMP
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        cache.mkdir(exist_ok=True)
        for stale in (*cache.glob("*.nbi"), *cache.glob("*.nbc")):
            stale.unlink(missing_ok=True)
        stamp.write_text(wanted)


drop_stale_cache(FOLDER)

kernel: Callable[[Callable[..., Any]], Any] = numba.njit(cache=True)
"""Compile on first use; the machine code is kept on disk."""

inlined: Callable[[Callable[..., Any]], Any] = numba.njit(inline="always")
"""Compile into the caller."""
