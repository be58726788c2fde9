"""A Ray to work on: one that is started on loopback and ended here, or an existing cluster.

Light on import: Ray itself is imported when a cluster is opened, so that a machine without Ray gets a sentence.
"""

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from dataeff_al.addresses import is_loopback
from dataeff_al.errors import DataeffError, UnavailableError
from services.actors.local_ray import PATIENT, forget_earlier_settings, local_ray, surroundings
from services.actors.processes import needed
from services.actors.signals import actions_kept, handlers_kept
from services.actors.vigil import Head, OwnProcesses, Vigil, connect
from services.runtime import THREAD_VARIABLES

NAMESPACE = "dataeff-al"
ANSWER_S = 10.0
QUIET: Mapping[str, Any] = {"namespace": NAMESPACE, "log_to_driver": False, "logging_level": "error"}
THREADS = dict.fromkeys(THREAD_VARIABLES, "1") | {"OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True)
class ClusterSettings:
    """Which Ray to use. ``address``: ``host:port`` of an existing cluster, or None: start one here.

    ``cpus``: processors that a Ray of our own may count on, None: all of the machine's.
    """

    address: str | None = None
    cpus: int | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "ClusterSettings":
        """What the surroundings say: a job of a Ray cluster finds its cluster's ``RAY_ADDRESS``."""
        given = os.environ if environment is None else environment
        return cls(address=given.get("RAY_ADDRESS", "").strip() or None)


@dataclass(frozen=True)
class Cluster:
    """An open Ray: its address, the id of the node that this process is on, its processors, whether it is ours.

    ``vigil`` watches over it.
    """

    address: str
    node: str
    cpus: int
    local: bool
    vigil: Vigil

    def trouble(self) -> str:
        """What is wrong with it; empty when nothing is. What was lost does not come back."""
        return self.vigil.trouble


@contextmanager
def open_cluster(settings: ClusterSettings) -> Iterator[Cluster]:
    """Ray for this process. What is started here is ended here; a Ray that this process had open already stays open.

    Call it from a thread that lives as long as the cluster: the processes of a Ray of our own end with that thread.

    Raises DataeffError in one sentence when there is no Ray, when it is of another version or without token
    authentication on a network, UnavailableError when the cluster does not answer.
    """
    ray = _installed()
    with nullcontext() if ray.is_initialized() else _opened(ray, settings):
        cluster = _described(ray, local=settings.address is None)
        try:
            yield cluster
        finally:
            cluster.vigil.close()


@contextmanager
def _opened(ray: Any, settings: ClusterSettings) -> Iterator[None]:
    if settings.address is None:
        with local_ray(ray, settings.cpus, QUIET):
            yield
        return
    with surroundings(PATIENT):
        forget_earlier_settings()
        _connect(ray, settings.address)
        try:
            _check_locked(ray.get_runtime_context().gcs_address)
            yield
        finally:
            with actions_kept():
                ray.shutdown()


def _installed() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise DataeffError(
            f"a run on actors needs Ray (pip install 'dataeff-al[engine]', or run with --inline), but got {error}."
        ) from error


def _connect(ray: Any, address: str) -> None:
    if "://" in address:
        raise DataeffError(f"a Ray cluster's address must be host:port, but got {address!r}.")
    if address != "auto":
        _check_locked(address)
        _check_answers(address)
    try:
        with handlers_kept(), actions_kept():
            ray.init(address=address, runtime_env={"env_vars": THREADS}, **QUIET)
    except Exception as error:  # Ray raises all kinds here; the user needs one sentence
        with contextlib.suppress(Exception):
            ray.shutdown()
        raise _refusal(address, error) from error


def _refusal(address: str, error: Exception) -> DataeffError:
    said = " ".join(str(error).split())
    if "Version mismatch" in said:
        return DataeffError(f"the Ray cluster must run this machine's versions of Ray and Python, but got {said}")
    # Somebody listens there, and Ray does not say why it was turned away.
    return UnavailableError(
        f"a Ray cluster must answer at {address!r} and accept our token (RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH "
        f"on both sides), but got {said[:300]}"
    )


def _check_locked(address: str) -> None:
    """Whoever reaches a Ray cluster runs code on it: over a network it must ask for a token."""
    mode = os.environ.get("RAY_AUTH_MODE", "")
    if mode.lower() != "token" and not _on_loopback(address):
        raise DataeffError(
            f"a Ray cluster on a network must use token authentication (RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH on "
            f"both sides), but got RAY_AUTH_MODE={mode!r} for {address}."
        )


def _check_answers(address: str) -> None:
    """Ray itself waits for a minute before it says that nobody is there."""
    try:
        connect(address, ANSWER_S)
    except (OSError, ValueError) as error:
        raise UnavailableError(f"a Ray cluster must answer at {address!r}, but got {error}.") from error


def _on_loopback(address: str) -> bool:
    return is_loopback(address.rpartition(":")[0].strip("[]") or address)


def _described(ray: Any, *, local: bool) -> Cluster:
    context = ray.get_runtime_context()
    cpus = int(ray.cluster_resources().get("CPU", 1))
    services = needed(ray)
    look: Callable[[], str] = OwnProcesses(services) if services else Head(context.gcs_address)
    return Cluster(context.gcs_address, context.get_node_id(), max(cpus, 1), local, Vigil(look))
