"""The composition root: configuration is read here, once, and handed on as values."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dataeff_al import failpoints
from dataeff_al.errors import DataeffError

TARGET = "127.0.0.1:7460"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def one_thread_each() -> None:
    """Keep every numerical library to one thread: call before any of them is imported.

    Threads that spin for each other slow a busy machine down tenfold, and one thread makes sums come out the same.
    """
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"), OMP_WAIT_POLICY="PASSIVE")


def arm_failpoints(environment: Mapping[str, str] | None = None) -> None:
    """Die where ``DATAEFF_FAILPOINT`` says, for tests of recovery. Raises DataeffError when it names no point."""
    given = os.environ if environment is None else environment
    failpoints.arm(given.get("DATAEFF_FAILPOINT", ""))


@dataclass(frozen=True)
class Settings:
    """What the surroundings say.

    ``data_root``: the folder of shared real data sets (``DATAEFF_DATA``), or None. ``target``: the controller to talk
    to (``DATAEFF_TARGET``). ``token``: what lets us in there (``DATAEFF_TOKEN``), or None. ``ca``: PEM file of the
    authority that vouches for it (``DATAEFF_CA``), or None. ``programs``: the file in which programs that answer
    queries are registered (``DATAEFF_PROGRAMS``), or None.
    """

    data_root: Path | None = None
    target: str = TARGET
    token: str | None = field(default=None, repr=False)
    ca: Path | None = None
    programs: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the environment. Raises DataeffError when a variable holds what cannot be used."""
        given = os.environ if environment is None else environment
        root = given.get("DATAEFF_DATA", "").strip()
        if root and not Path(root).is_dir():
            raise DataeffError(f"DATAEFF_DATA must name an existing folder, but got {root!r}.")
        ca = given.get("DATAEFF_CA", "").strip()
        if ca and not Path(ca).is_file():
            raise DataeffError(f"DATAEFF_CA must name an existing file, but got {ca!r}.")
        programs = given.get("DATAEFF_PROGRAMS", "").strip()
        if programs and not Path(programs).is_file():
            raise DataeffError(f"DATAEFF_PROGRAMS must name an existing file, but got {programs!r}.")
        return cls(
            data_root=Path(root).resolve() if root else None,
            target=given.get("DATAEFF_TARGET", "").strip() or TARGET,
            token=given.get("DATAEFF_TOKEN", "").strip() or None,
            ca=Path(ca) if ca else None,
            programs=Path(programs) if programs else None,
        )
