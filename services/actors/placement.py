"""From a part's ``runtime`` to what Ray is asked for."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dataeff_al.parts import Runtime
from services.actors.answers import HEAD_S, within

PLACE_S = 300.0
"""How long an actor may wait for room in the cluster [s]."""

_turns: dict[str, Iterator[int]] = {}


def placement(runtime: Runtime | None, part: str, taken: Sequence[str] = ()) -> dict[str, Any]:
    """Options of an actor. Without a word in the campaign an actor reserves nothing, so that a laptop has room for all.

    The actors of a part are spread over the nodes in turn: those that reserve something by Ray, which knows where there
    is room, and those that reserve nothing from here, because Ray itself lets chance choose their nodes.

    Args:
        runtime: what the campaign says of the part.
        part: whose actors take turns, each part with a node of its own first.
        taken: the nodes of the part's living actors; a node that has fewer of them goes before the others.

    Raises UnavailableError when the head of the cluster does not answer.
    """
    wanted = runtime or Runtime()
    if not (wanted.cpus or wanted.gpus or wanted.resources):
        return {"num_cpus": 0, "scheduling_strategy": _in_turn(part, taken)}
    options: dict[str, Any] = {"num_cpus": wanted.cpus or 0, "num_gpus": wanted.gpus or 0}
    if wanted.resources:
        options["resources"] = dict(wanted.resources)
    return {**options, "scheduling_strategy": "SPREAD"}


def told(runtime: Runtime | None) -> str:
    """What was asked for, in words."""
    wanted = runtime or Runtime()
    parts = {"cpus": wanted.cpus, "gpus": wanted.gpus, **(wanted.resources or {})}
    return ", ".join(f"{name}: {amount:g}" for name, amount in parts.items() if amount) or "nothing reserved"


def next_node(nodes: Sequence[str], taken: Sequence[str], turn: int) -> str:
    """Of the nodes with the fewest living actors the one whose turn it is.

    Turns alone would put what replaces a lost actor on whichever node comes next, and leave another one idle.
    """
    ordered = sorted(nodes)
    first = turn % len(ordered)
    return min([*ordered[first:], *ordered[:first]], key=taken.count)


def _in_turn(part: str, taken: Sequence[str]) -> Any:
    """The next node that has processors for work.

    The node is a must: one that Ray may replace it often does, whatever room there is. An actor whose node goes before
    it is there is lost like any other, and the next one is put elsewhere.
    """
    alive = [node for node in within(HEAD_S, ray.nodes) if node["Alive"]]
    at_work = [node for node in alive if node["Resources"].get("CPU")] or alive
    if not at_work:
        return "SPREAD"
    turn = next(_turns.setdefault(part, itertools.count(len(_turns))))
    node = next_node([node["NodeID"] for node in at_work], taken, turn)
    return NodeAffinitySchedulingStrategy(node, soft=False)
