"""The composition root: configuration is read here, once, and handed on as values."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dataeff_al.errors import DataeffError

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def one_thread_each() -> None:
    """Keep every numerical library to one thread: call before any of them is imported.

    Threads that spin for each other slow a busy machine down tenfold, and one thread makes sums come out the same.
    """
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"), OMP_WAIT_POLICY="PASSIVE")


@dataclass(frozen=True)
class Settings:
    """What the surroundings say. ``data_root``: the folder of shared real data sets (``DATAEFF_DATA``), or None."""

    data_root: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the environment. Raises DataeffError when a variable holds what cannot be used."""
        given = os.environ if environment is None else environment
        root = given.get("DATAEFF_DATA", "").strip()
        if root and not Path(root).is_dir():
            raise DataeffError(f"DATAEFF_DATA must name an existing folder, but got {root!r}.")
        return cls(data_root=Path(root).resolve() if root else None)
