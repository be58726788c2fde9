"""Waiting for actors: never without a timeout, and always ending in an answer or in one of our own errors."""

from collections.abc import Mapping
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError

from dataeff_al.errors import UnavailableError
from services.actors.cluster import NAMESPACE

SHORT_S = 60.0


def answer(ref: Any, timeout_s: float) -> Any:
    """What a call of an actor returned.

    Raises what the call raised, and UnavailableError when the actor is gone or silent for ``timeout_s``.
    """
    try:
        return ray.get(ref, timeout=timeout_s)
    except GetTimeoutError as error:
        raise UnavailableError(f"an actor must answer within {timeout_s:g} s, but got none.") from error
    except RayTaskError as error:
        raise _raised(error) from error
    except RayError as error:
        raise UnavailableError(f"an actor must be alive, but got {_first_line(error)}") from error


def named(name: str) -> Any | None:
    """The actor of that name, or None."""
    try:
        return ray.get_actor(name, namespace=NAMESPACE)
    except ValueError:
        return None


def names(prefix: str) -> list[str]:
    """Names of living actors that begin like this."""
    listed: list[Mapping[str, str]] = ray.util.list_named_actors(all_namespaces=True)
    found = (item["name"] for item in listed if item["namespace"] == NAMESPACE)
    return sorted(name for name in found if name.startswith(prefix))


def end(actor: Any) -> None:
    """End an actor at once, whatever it does; harmless when it is gone."""
    try:
        ray.kill(actor, no_restart=True)
    except (RayError, ValueError):
        return


def _raised(error: RayTaskError) -> Exception:
    cause = error.cause
    return cause if isinstance(cause, Exception) else UnavailableError(_first_line(error))


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
