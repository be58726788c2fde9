"""Waiting for actors: never without a timeout, and always ending in an answer or in one of our own errors."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError

from dataeff_al.errors import UnavailableError
from services.actors.cluster import NAMESPACE

SHORT_S = 60.0
HEAD_S = 30.0
LOOK_S = 0.5
T = TypeVar("T")


def all_is_well() -> str:
    """Nothing is wrong with the cluster."""
    return ""


def answer(ref: Any, timeout_s: float, trouble: Callable[[], str] = all_is_well) -> Any:
    """What a call of an actor returned.

    Raises what the call raised, and UnavailableError when the actor is gone or silent for ``timeout_s``, or as soon as
    ``trouble`` says what is wrong with the cluster.
    """
    try:
        return ray.get(ref, timeout=_awaited(ref, timeout_s, trouble))
    except GetTimeoutError as error:
        raise UnavailableError(f"an actor must answer within {timeout_s:g} s, but got none.") from error
    except RayTaskError as error:
        raise _raised(error) from error
    except RayError as error:
        raise UnavailableError(f"an actor must be alive, but got {_first_line(error)}") from error


def answered(ref: Any, timeout_s: float, trouble: Callable[[], str]) -> bool:
    """Whether a call was answered in time. Raises UnavailableError as soon as ``trouble`` says what is wrong."""
    until = time.monotonic() + timeout_s
    while not ray.wait([ref], timeout=min(LOOK_S, max(until - time.monotonic(), 0)))[0]:
        if said := trouble():
            raise UnavailableError(f"{said}.")
        if time.monotonic() >= until:
            return False
    return True


def within(timeout_s: float, call: Callable[[], T]) -> T:
    """What a call returns that asks the head of the cluster: Ray itself waits for a lost one without end.

    Raises what the call raises, and UnavailableError when it does not come back in time.
    """
    future: Future[T] = Future()
    threading.Thread(target=fulfil, args=(future, call), name="head", daemon=True).start()
    try:
        return future.result(timeout_s)
    except TimeoutError as error:
        if future.done():
            raise
        said = f"the head of the Ray cluster must answer within {timeout_s:g} s, but got no answer."
        raise UnavailableError(said) from error


def named(name: str) -> Any | None:
    """The actor of that name, or None. Raises UnavailableError when the head does not answer."""
    try:
        return within(HEAD_S, lambda: ray.get_actor(name, namespace=NAMESPACE))
    except ValueError:
        return None


def names(prefix: str) -> list[str]:
    """Names of living actors that begin like this. Raises UnavailableError when the head does not answer."""
    listed: list[Mapping[str, str]] = within(HEAD_S, lambda: ray.util.list_named_actors(all_namespaces=True))
    found = (item["name"] for item in listed if item["namespace"] == NAMESPACE)
    return sorted(name for name in found if name.startswith(prefix))


def end(actor: Any) -> None:
    """End an actor at once, whatever it does; harmless when it is gone."""
    with contextlib.suppress(RayError, ValueError, UnavailableError):
        within(HEAD_S, lambda: ray.kill(actor, no_restart=True))


def _awaited(ref: Any, timeout_s: float, trouble: Callable[[], str]) -> float:
    """Wait for an answer; how long may still be waited [s]."""
    if trouble is all_is_well:
        return timeout_s
    return 0 if not answered(ref, timeout_s, trouble) else SHORT_S


def fulfil(future: "Future[T]", call: Callable[[], T]) -> None:
    """End a future with what a call returns or raises."""
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)


def _raised(error: RayTaskError) -> Exception:
    cause = error.cause
    return cause if isinstance(cause, Exception) else UnavailableError(_first_line(error))


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
