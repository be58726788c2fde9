"""The decorator of compiled kernels: numba with a disk cache that never outlives any kernel's source.

numba checks only the file of the cached function itself, not the files of the kernels that it calls. So machine code is
kept in a folder that is named by a digest of all sources of kernels: another version finds another folder. numba writes
its files whole and renames them into place, so processes may share the folder and compile at the same time.

The folder lies where NUMBA_CACHE_DIR says, else beside the sources, else, where the package cannot be written, in the
user's cache (XDG_CACHE_HOME), else in the folder for temporary files.
"""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numba

from dataeff_al.digests import digest_json

PACKAGE = Path(__file__).parent
NAME = "fem_stress_kernels"
CONFIG: Any = numba.config
UNUSED_DAYS = 14
"""Machine code of other versions is removed when no process has started with it for so long."""


def kernel_digest(package: Path) -> str:
    """Digest of the sources that define or use kernels, and of numba's version."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(package.glob("*.py"))}
    sources = {name: text for name, text in texts.items() if "fem_stress.compiled" in text or name in _USED}
    return digest_json({"numba": numba.__version__, "sources": sources}).rpartition(":")[2][:32]


_USED = ("compiled.py", "simd.py", "reference.py")


def cache_folder(parents: Sequence[Path], name: str) -> Path | None:
    """The folder ``name`` in the first parent in which it can be made and written, or None."""
    for parent in parents:
        folder = parent / name
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
    return None


def drop_unused(folder: Path, days: float) -> None:
    """Remove the folder's siblings that no process has used for ``days``; mark the folder itself as used."""
    with contextlib.suppress(OSError):
        os.utime(folder)
        for sibling in folder.parent.iterdir():
            if sibling != folder and sibling.stat().st_mtime < time.time() - 86400 * days:
                shutil.rmtree(sibling, ignore_errors=True)


@cache
def _folder() -> Path | None:
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    given = [Path(CONFIG.CACHE_DIR)] if CONFIG.CACHE_DIR else []
    temporary = Path(tempfile.gettempdir()) / f"dataeff-al-{os.getuid()}"
    parents = [*given, PACKAGE / "__pycache__", user / "dataeff-al", temporary]
    folder = cache_folder([parent / NAME for parent in parents], kernel_digest(PACKAGE))
    if folder is not None:
        drop_unused(folder, UNUSED_DAYS)
    return folder


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first use; the machine code is kept on disk."""
    folder = _folder()
    if folder is None:
        return numba.njit(function)
    before, CONFIG.CACHE_DIR = CONFIG.CACHE_DIR, str(folder)
    try:
        return numba.njit(cache=True)(function)
    finally:
        CONFIG.CACHE_DIR = before


inlined: Callable[[Callable[..., Any]], Any] = numba.njit(inline="always")
"""Compile into the caller."""
