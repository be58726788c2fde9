"""From a worker's result to the events that it means: one small reader for each step."""

from collections.abc import Callable, Sequence
from typing import Any

from dataeff_al import events as ev
from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign.state import State
from dataeff_al.digests import digest_json

Events = Sequence[ev.Event]


def step_events(state: State, done: cmd.StepDone, now: float) -> Events:
    """The events of a finished step; none when it had been recorded before."""
    events = _READERS[done.method](state, done)
    return [event.model_copy(update={"at": now}) if isinstance(event, ev.Proposed) else event for event in events]


def query_id(campaign: str, purpose: ev.Purpose, number: int, slot: int) -> str:
    """A query's id: the same campaign asks the same question under the same name."""
    return digest_json(["query", campaign, ev.SEQUENCES[purpose], number, slot])[:32]


def _prepare_pool(state: State, done: cmd.StepDone) -> Events:
    return [] if state.pool else [ev.PoolPrepared(key=done.key, seconds=done.seconds, **done.result)]


def _fit_generator(state: State, done: cmd.StepDone) -> Events:
    return [] if state.generator else [ev.GeneratorFitted(key=done.key, seconds=done.seconds, **done.result)]


def _queries(state: State, purpose: ev.Purpose, number: int, rows: Sequence[Any]) -> tuple[ev.QueryRecord, ...]:
    first = state.next_slot(purpose)
    return tuple(
        ev.QueryRecord(id=query_id(state.id, purpose, number, slot), slot=slot, **row)
        for slot, row in enumerate(rows, start=first)
    )


def _propose(state: State, done: cmd.StepDone) -> Events:
    purpose, number = done.task["purpose"], done.task["round"]
    if (purpose, number) in state.proposed:
        return []
    assert state.created is not None
    return [
        ev.Proposed(
            key=done.key,
            round=number,
            purpose=purpose,
            queries=_queries(state, purpose, number, done.result["queries"]),
            max_cost=state.created.max_cost,
            refused=done.result.get("refused", 0),
            refusals=done.result.get("refusals", {}),
            regimes=done.result.get("regimes", {}),
            seconds=done.seconds,
        )
    ]


def _import_labels(state: State, done: cmd.StepDone) -> Events:
    if ("initial", 0) in state.proposed:
        return []
    rows = done.result["labels"]
    queries = _queries(state, "initial", 0, [row["query"] for row in rows])
    owned = [
        ev.InheritedLabel(query=query, purpose="initial", label=ev.LabelRecord(label=row["label"], cost=0))
        for query, row in zip(queries, rows, strict=True)
    ]
    return [ev.Inherited(labels=tuple(owned))]


def _train(state: State, done: cmd.StepDone) -> Events:
    number, role = done.task["round"], done.task["role"]
    if (role, number) in state.trained:
        return []
    return [ev.Trained(key=done.key, round=number, role=role, seconds=done.seconds, **done.result)]


def _evaluate(state: State, done: cmd.StepDone) -> Events:
    number, role = done.task["round"], done.task["role"]
    if (role, number) in state.evaluated:
        return []
    labels = state.trained[(role, number)].labels
    return [ev.Evaluated(key=done.key, round=number, role=role, labels=labels, seconds=done.seconds, **done.result)]


_READERS: dict[str, Callable[[State, cmd.StepDone], Events]] = {
    "prepare_pool": _prepare_pool,
    "fit_generator": _fit_generator,
    "propose": _propose,
    "import_labels": _import_labels,
    "train": _train,
    "evaluate": _evaluate,
}
