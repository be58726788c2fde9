"""From a part's ``runtime`` to what Ray is asked for."""

from typing import Any

from dataeff_al.parts import Runtime

PLACE_S = 300.0
"""How long an actor may wait for room in the cluster [s]."""


def placement(runtime: Runtime | None) -> dict[str, Any]:
    """Options of an actor. Without a word in the campaign an actor reserves nothing, so that a laptop has room for all.

    Actors that reserve nothing are spread over the nodes in turn.
    """
    wanted = runtime or Runtime()
    options: dict[str, Any] = {"num_cpus": wanted.cpus or 0, "num_gpus": wanted.gpus or 0}
    if wanted.resources:
        options["resources"] = dict(wanted.resources)
    return {**options, "scheduling_strategy": "SPREAD"}


def told(runtime: Runtime | None) -> str:
    """What was asked for, in words."""
    wanted = runtime or Runtime()
    parts = {"cpus": wanted.cpus, "gpus": wanted.gpus, **(wanted.resources or {})}
    return ", ".join(f"{name}: {amount:g}" for name, amount in parts.items() if amount) or "nothing reserved"
