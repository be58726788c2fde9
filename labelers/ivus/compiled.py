"""The decorator of compiled kernels: numba, with machine code kept on disk where a folder can be written.

numba's cache notices only changes of the file of the kernel itself, so a kernel here calls none of another file.
"""

from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first use."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder in which machine code could be kept
        return numba.njit(nogil=True)(function)
