"""How this process takes signals is for its own command to say, whatever Ray does about them."""

import ctypes
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

TAKEN = (signal.SIGTERM, signal.SIGINT)
# More than the structure takes on any system: it is kept as it is, not read.
ACTION_BYTES = 512


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Around the start of a Ray, which takes SIGTERM for itself when it is started from the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


@contextmanager
def actions_kept() -> Iterator[None]:
    """Around the start and the end of a Ray, which leave SIGTERM to end the process at once, below Python."""
    libc = ctypes.CDLL(None)
    kept = {number: ctypes.create_string_buffer(ACTION_BYTES) for number in TAKEN}
    for number, action in kept.items():
        libc.sigaction(int(number), None, action)
    try:
        yield
    finally:
        for number, action in kept.items():
            libc.sigaction(int(number), action, None)
