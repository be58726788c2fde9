"""``plan(state, now)``: what should run now. Pure; whoever drives leaves out what is already in flight.

One round is propose -> label -> train -> evaluate. Labels that only measure are bought beside the first ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from dataeff_al.campaign import tasks
from dataeff_al.campaign.rounds import round_size
from dataeff_al.campaign.rules import MAX_EMPTY_ROUNDS, MAX_STEP_FAILURES, MOST_GRANTED, Rules, rules_of
from dataeff_al.campaign.state import QueryStatus, State
from dataeff_al.campaign.tasks import Task
from dataeff_al.digests import digest_json
from dataeff_al.efficiency import predicted_gain
from dataeff_al.events import Outcome, Purpose


@dataclass(frozen=True)
class Step:
    """Work for a worker; ``key`` is the content hash of what is asked, and so the memo of its result."""

    method: str
    task: Task

    @cached_property
    def key(self) -> str:
        """Content hash of the step."""
        return digest_json([self.method, self.task])


@dataclass(frozen=True)
class Grant:
    """The first queries that wait for a labeler, in the order in which they were proposed."""

    queries: tuple[str, ...]


@dataclass(frozen=True)
class Await:
    """An attempt whose outcome is owed; its host is to be told (idempotently) and asked."""

    attempt: str


@dataclass(frozen=True)
class Overdue:
    """An attempt whose deadline has passed: renew it when its host is at work on it, else let it expire."""

    attempt: str


@dataclass(frozen=True)
class Withdraw:
    """The round closes without these queries, by quorum or deadline."""

    queries: tuple[str, ...]


@dataclass(frozen=True)
class SpawnTwin:
    """A child campaign with another paradigm may start."""

    index: int


@dataclass(frozen=True)
class Conclude:
    """The campaign is at its end."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class Stall:
    """The campaign cannot go on without a person: to mend an ``error``, or what the ``infra`` structure lost."""

    reason: str
    cause: Literal["infra", "error"] = "error"


@dataclass(frozen=True)
class ConfirmCancel:
    """Nothing is in flight any more: the cancellation is complete."""


Action = Step | Grant | Await | Overdue | Withdraw | SpawnTwin | Conclude | Stall | ConfirmCancel


def plan(state: State, now: float) -> Sequence[Action]:
    """What should run at the time ``now`` [s since the epoch], given the state alone."""
    if state.terminal:
        return []
    waiting: list[Action] = [
        Overdue(attempt.id) if attempt.deadline <= now else Await(attempt.id) for attempt in state.open_attempts()
    ]
    if state.cancelling:
        return waiting or [ConfirmCancel()]
    if state.paused:
        return waiting
    rules = rules_of(state)
    return [*waiting, *(_closing(state, rules, now) or _stalled(state) or _new_work(state, rules))]


def _closing(state: State, rules: Rules, now: float) -> list[Action]:
    """A round that need not wait for everybody: enough answers, or answers and no time left."""
    keys: list[tuple[Purpose, int]] = [("initial", state.round), ("acquire", state.round)]
    if rules.close == "all" or not any(state.unanswered.get(key) for key in keys):
        return []
    answered = sum(state.answered.get(key, 0) for key in keys)
    enough = rules.close == "quorum" and answered >= rules.quorum
    over = rules.close == "deadline" and answered and now >= state.asked_at + rules.deadline_s
    if not (enough or over):
        return []
    return [Withdraw(tuple(query.id for query in state.live_queries() if (query.purpose, query.round) in keys))]


def _stalled(state: State) -> list[Action]:
    if not state.unknown or state.unknown < len(state.live):
        return []
    lost = [query for query in state.live_queries() if query.status is QueryStatus.OUTCOME_UNKNOWN]
    attempts = f"{len(lost)} attempts at the labeler were" if len(lost) > 1 else "an attempt at the labeler was"
    why = next((f" ({query.reason})" for query in lost if query.reason), "")
    reason = f"whether {attempts} paid is unknown{why}; settle what became of them, then go on"
    return [Stall(reason, "infra")]


def _new_work(state: State, rules: Rules) -> list[Action]:
    if state.pool is None:
        return _unless_tired(state, [Step("prepare_pool", tasks.prepare_pool(state))])
    steps: list[Step] = []
    fitting = rules.has_generator and state.generator is None
    if fitting:
        steps.append(Step("fit_generator", tasks.fit_generator(state)))
    if rules.initial_owned and ("initial", 0) not in state.proposed:
        steps.append(Step("import_labels", tasks.prepare_pool(state)))
    steps.extend(_first_proposals(state, rules))
    # No label is paid for before the generator is known to have learnt something.
    actions = [*_unless_tired(state, steps), *([] if fitting else _grants(state))]
    if actions or state.live:
        return actions
    return _round(state, rules)


def _unless_tired(state: State, steps: Sequence[Step]) -> list[Action]:
    """The steps; or, when one of them has failed too often, what a person must mend."""
    if state.step_failures:
        for step in steps:
            if state.step_failures.get(step.key, 0) >= MAX_STEP_FAILURES:
                return [Stall(f"{step.method} failed {MAX_STEP_FAILURES} times, at last: {state.step_trouble}")]
    return list(steps)


def _first_proposals(state: State, rules: Rules) -> list[Step]:
    assert state.pool is not None
    reference = state.pool.candidates if rules.reference == "full" else rules.reference
    wanted: list[tuple[Purpose, int]] = [
        ("validation", rules.validation),
        ("test", rules.test),
        ("initial", rules.initial),
        ("reference", reference if state.created and state.created.parent is None else 0),
    ]
    if rules.initial_waits_for_generator and rules.has_generator and state.generator is None:
        wanted.pop(2)
    return [
        Step("propose", tasks.propose(state, purpose, 0, n))
        for purpose, n in wanted
        if n and (purpose, 0) not in state.proposed
    ]


def _grants(state: State) -> list[Action]:
    ready = state.waiting.first(MOST_GRANTED)
    return [Grant(ready)] if ready else []


def _round(state: State, rules: Rules) -> list[Action]:
    """Everything asked so far has an answer: spawn twins, train, evaluate, and then stop or ask again."""
    number = state.round
    if number <= 0 and rules.twins > len(state.twins) and _may_spawn(state):
        return [SpawnTwin(len(state.twins))]
    if not (state.answered.get(("initial", number)) or state.answered.get(("acquire", number))):
        return _fruitless(state, rules, number)
    if ("main", number) not in state.trained:
        return _unless_tired(state, [Step("train", tasks.train(state, number))])
    if ("main", number) not in state.evaluated:
        return _unless_tired(state, [Step("evaluate", tasks.evaluate(state, number))])
    outcome = _outcome(state, rules)
    if outcome is None:
        return _next_round(state, rules)
    return _reference(state) or [outcome]


def _fruitless(state: State, rules: Rules, number: int) -> list[Action]:
    """A round that brought no label: later ones are tried again with other samples, but not for ever."""
    reason = _no_label(state, number)
    newest = max((k for role, k in state.evaluated if role == "main"), default=None)
    if newest is None:
        return [Stall(reason)]
    if number - newest >= MAX_EMPTY_ROUNDS:
        return _reference(state) or [Conclude("pool_empty", reason)]
    return _next_round(state, rules)


def _next_round(state: State, rules: Rules) -> list[Action]:
    """Ask again, or end because nothing can be asked any more."""
    number = state.round + 1
    if state.proposed.get(("acquire", number)) == 0:
        return _reference(state) or [Conclude("pool_empty", "no further sample was worth or capable of a label")]
    if _affordable(state) < 1:
        outcome: Outcome = "exhausted" if rules.target is not None else "completed"
        return _reference(state) or [Conclude(outcome, "the budget is spent")]
    n = _round_size(state, rules)
    return _unless_tired(state, [Step("propose", tasks.propose(state, "acquire", number, n))])


def _may_spawn(state: State) -> bool:
    return bool(state.answered.get(("initial", 0)))


def _no_label(state: State, number: int) -> str:
    reasons = sorted({query.reason for query in state.of("initial", "acquire") if query.round == number})
    said = f": {'; '.join(reason for reason in reasons if reason)[:400]}" if any(reasons) else ""
    return f"round {number} must end with at least one label, but got none{said}"


def _round_size(state: State, rules: Rules) -> int:
    """Labels that the next round may ask for, by what the newest model was trained on."""
    newest = max((number for role, number in state.trained if role == "main"), default=None)
    labelled = state.trained["main", newest].labels if newest is not None else 0
    return min(round_size(rules.per_round, rules.growth, labelled), _affordable(state))


def _affordable(state: State) -> int:
    return state.accounts["queries"].free // state.queries_cost


def _outcome(state: State, rules: Rules) -> Conclude | None:
    value = state.evaluated[("main", state.round)].validation.get(rules.metric)
    if rules.reached(value):
        return Conclude("reached", f"validation {rules.metric} {value:.4g} meets the target {rules.target:.4g}")
    if rules.plateau and _affordable(state) and _flat(state, rules):
        return Conclude("plateau", f"validation {rules.metric} did not improve for {rules.plateau} rounds")
    return _not_worth(state, rules) if rules.least_gain and _affordable(state) else None


def _not_worth(state: State, rules: Rules) -> Conclude | None:
    """An end when the next round's labels are predicted to cost more than they bring."""
    assert rules.least_gain is not None
    found = [event for (role, _), event in sorted(state.evaluated.items()) if role == "main"]
    points = [(event.labels, event.validation.get(rules.metric)) for event in found if event.labels]
    known = [(labels, value) for labels, value in points if value is not None]
    n = _round_size(state, rules)
    gain = predicted_gain(known, known[-1][0] + n, more_is_better=rules.more_is_better) if known else None
    if gain is None or gain >= rules.least_gain * n * state.queries_cost:
        return None
    cost = n * state.queries_cost
    return Conclude("not_worth", f"{cost} more units were predicted to improve {rules.metric} by {gain:.3g} only")


def _flat(state: State, rules: Rules) -> bool:
    assert rules.plateau is not None
    rounds = sorted(number for role, number in state.evaluated if role == "main")
    values = [state.evaluated["main", k].validation.get(rules.metric) for k in rounds]
    known = [value if rules.more_is_better else -value for value in values if value is not None]
    return len(known) > rules.plateau and max(known[-rules.plateau :]) <= max(known[: -rules.plateau])


def _reference(state: State) -> list[Action]:
    """The full-pool line is fitted once, when the campaign is otherwise done, so that it can decide nothing."""
    if not state.answered.get(("reference", 0)):
        return []
    if ("reference", 0) not in state.trained:
        return _unless_tired(state, [Step("train", tasks.train(state, 0, "reference"))])
    if ("reference", 0) not in state.evaluated:
        return _unless_tired(state, [Step("evaluate", tasks.evaluate(state, 0, "reference"))])
    return []
