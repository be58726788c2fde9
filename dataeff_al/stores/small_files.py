"""Small files that are there whole or not at all, also after a power cut."""

import os
from collections.abc import Callable
from pathlib import Path


def write_durably(path: Path, text: str, at: Callable[[str], None] = lambda _: None) -> None:
    """Write ASCII text by temporary file, fsync and rename; ``at`` is told of each stage by its name."""
    draft = path.with_suffix(path.suffix + ".tmp")
    with draft.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    at("written")
    draft.replace(path)
    at("renamed")
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    at("durable")
