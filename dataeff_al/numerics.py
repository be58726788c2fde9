"""How a thread computes here: one torch thread, no denormal numbers, and memory that is kept for the next step."""

import contextlib
import ctypes

import torch

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_KEPT_BYTES = 2**30


def prepare_thread() -> None:
    """Set up the calling thread for training and predicting.

    Threads that spin for each other slow a busy machine down tenfold, and sums over one thread come out the same.
    Numbers too small for a normal float count as zero, because processors are many times slower on them and training
    makes them in plenty. Freed memory is kept, because the next training step takes the same again, and fresh pages
    cost a tenth of a step.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        libc.mallopt(_M_TOP_PAD, _KEPT_BYTES // 16)
