"""A Ray of our own: on loopback, behind a token, without a dashboard, and gone afterwards."""

import contextlib
import importlib
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from dataeff_al.errors import DataeffError

# Ray replaces 127.0.0.1 by the address of a network interface; the other loopback addresses it leaves alone.
LOOPBACK = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"
OBJECT_STORE_BYTES = 256 * 2**20
END_S = 5.0


@contextmanager
def local_ray(ray: Any, cpus: int | None, options: Mapping[str, Any]) -> Iterator[None]:
    """Start a Ray and end it: by its own means first, then by the recorded ids of its processes."""
    folder = Path(tempfile.mkdtemp(prefix="dataeff-ray-"))
    try:
        with _surroundings(_variables(folder)):
            _forget_earlier_settings()
            owned: list[psutil.Process] = []
            try:
                _start(ray, folder, cpus, options)
                yield
            finally:
                owned = _processes(ray)
                ray.shutdown()
                _end(owned)
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
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(_token(folder)),
        # A token given directly would win over ours.
        "RAY_AUTH_TOKEN": None,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        # Where no compiled modules may be left behind, a dozen actors would each compile torch anew.
        found |= {"PYTHONDONTWRITEBYTECODE": None, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    return found


@contextmanager
def _surroundings(variables: Mapping[str, str | None]) -> Iterator[None]:
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


def _forget_earlier_settings() -> None:
    """Ray reads its settings and token once a process: what it read before is not what holds now."""
    raylet = importlib.import_module("ray._raylet")
    raylet.Config.initialize("")
    raylet.AuthenticationTokenLoader.instance().reset_cache()


def _start(ray: Any, folder: Path, cpus: int | None, options: Mapping[str, Any]) -> None:
    with _signals_kept():
        try:
            ray.init(
                num_cpus=cpus,
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                _node_ip_address=LOOPBACK,
                _temp_dir=str(folder / "r"),
                **options,
            )
        except Exception as error:  # Ray raises all kinds here; the user needs one sentence
            raise DataeffError(f"Ray must start on this machine (or run with --inline), but got {error!r}.") from error


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself; how this process ends is for its own command to say."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _processes(ray: Any) -> list[psutil.Process]:
    """Everything that this Ray runs: its services and their children."""
    node = getattr(ray._private.worker, "_global_node", None)
    if node is None:
        return []
    pids = [info.process.pid for infos in node.all_processes.values() for info in infos]
    found: list[psutil.Process] = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            found += [root, *root.children(recursive=True)]
    return found


def _end(owned: list[psutil.Process]) -> None:
    if _outlive(owned, END_S):
        for process in owned:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        _outlive(owned, END_S)


def _outlive(owned: list[psutil.Process], seconds: float) -> bool:
    """Whether any is still at work after that time; one that only waits to be reaped is not."""
    until = time.monotonic() + seconds
    while any(_at_work(process) for process in owned):
        if time.monotonic() > until:
            return True
        time.sleep(0.02)
    return False


def _at_work(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
