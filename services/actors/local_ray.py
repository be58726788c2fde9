"""A Ray of our own: on loopback, behind a token, without a dashboard, and gone afterwards."""

import importlib
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from dataeff_al.errors import DataeffError
from services.actors.lean import without_unused_services
from services.actors.processes import all_of, end, forget_handles, working_in
from services.actors.signals import actions_kept, handlers_kept

# Ray replaces 127.0.0.1 by the address of a network interface; the other loopback addresses it leaves alone.
LOOPBACK = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"
OBJECT_STORE_BYTES = 256 * 2**20
MOST_STARTS = 2
# Ray ends a process whose head was lost for a minute; ours has a campaign to bring to rest and somebody to tell.
PATIENT: Mapping[str, str | None] = {"RAY_gcs_rpc_server_reconnect_timeout_s": "604800"}


@contextmanager
def local_ray(ray: Any, cpus: int | None, options: Mapping[str, Any]) -> Iterator[None]:
    """Start a Ray and end it: by its own means first, then by the recorded ids of its processes."""
    folder = Path(tempfile.mkdtemp(prefix="dataeff-ray-"))
    try:
        with surroundings(_variables(folder)):
            forget_earlier_settings()
            owned: list[psutil.Process] = []
            try:
                _start(ray, folder, cpus, options)
                # What a killed service leaves behind is no longer found below it at the end.
                owned = all_of(ray)
                yield
            finally:
                owned = [*owned, *all_of(ray)]
                with actions_kept():
                    ray.shutdown()
                end(owned)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _token(folder: Path) -> Path:
    path = folder / "token"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
    return path


def _variables(folder: Path) -> dict[str, str | None]:
    """What Ray's processes find in their environment; None: must not be there."""
    found: dict[str, str | None] = {
        **PATIENT,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(_token(folder)),
        # A token given directly would win over ours.
        "RAY_AUTH_TOKEN": None,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_agent_register_timeout_ms": "120000",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        # Where no compiled modules may be left behind, a dozen actors would each compile torch anew.
        compiled = os.environ.get("PYTHONPYCACHEPREFIX") or str(folder / "compiled")
        found |= {"PYTHONDONTWRITEBYTECODE": None, "PYTHONPYCACHEPREFIX": compiled}
    return found


@contextmanager
def surroundings(variables: Mapping[str, str | None]) -> Iterator[None]:
    """The environment with these variables, and as it was afterwards."""
    earlier = {name: os.environ.get(name) for name in variables}
    _set(variables)
    try:
        yield
    finally:
        _set(earlier)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def forget_earlier_settings() -> None:
    """Ray reads its settings and token once a process: what it read before is not what holds now."""
    raylet = importlib.import_module("ray._raylet")
    raylet.Config.initialize("")
    raylet.AuthenticationTokenLoader.instance().reset_cache()


def _start(ray: Any, folder: Path, cpus: int | None, options: Mapping[str, Any]) -> None:
    """On a machine that is very busy Ray gives up on itself after half a minute; another try finds files in memory."""
    for number in range(1, MOST_STARTS + 1):
        try:
            with handlers_kept(), actions_kept(), without_unused_services():
                _init(ray, folder / str(number), cpus, options)
            return
        except Exception as error:  # Ray raises all kinds here; the user needs one sentence
            end(working_in(folder))
            if number == MOST_STARTS:
                said = f"Ray must start on this machine (or run with --inline), but got {error!r}."
                raise DataeffError(said) from error
        forget_handles()


def _init(ray: Any, folder: Path, cpus: int | None, options: Mapping[str, Any]) -> None:
    ray.init(
        num_cpus=cpus,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        _node_ip_address=LOOPBACK,
        _temp_dir=str(folder),
        **options,
    )
