"""``plan(state, now)``: what should run now. Pure; whoever drives leaves out what is already in flight.

One round is propose -> label -> train -> evaluate. Labels that only measure are bought beside the first ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dataeff_al.campaign import tasks
from dataeff_al.campaign.events import Outcome, Purpose
from dataeff_al.campaign.rules import MAX_STEP_FAILURES, Rules, rules_of
from dataeff_al.campaign.state import QueryStatus, State
from dataeff_al.campaign.tasks import Task
from dataeff_al.digests import digest_json


@dataclass(frozen=True)
class Step:
    """Work for a worker; ``key`` is the content hash of what is asked, and so the memo of its result."""

    method: str
    task: Task

    @property
    def key(self) -> str:
        """Content hash of the step."""
        return digest_json([self.method, self.task])


@dataclass(frozen=True)
class Grant:
    """Queries that wait for a labeler, in slot order."""

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
    """The campaign cannot go on without a person."""

    reason: str


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
    return [*waiting, *(_closing(state, rules, now) or [*_stalled(state), *_new_work(state, rules)])]


def _closing(state: State, rules: Rules, now: float) -> list[Action]:
    """A round that need not wait for everybody: enough answers, or answers and no time left."""
    if rules.close == "all":
        return []
    asked = [query for query in state.of("initial", "acquire") if query.round == state.round]
    late = tuple(query.id for query in asked if query.id in state.live)
    answered = sum(query.status is QueryStatus.LABELLED for query in asked)
    enough = rules.close == "quorum" and answered >= rules.quorum
    over = rules.close == "deadline" and answered and now >= state.asked_at + rules.deadline_s
    return [Withdraw(late)] if late and (enough or over) else []


def _stalled(state: State) -> list[Action]:
    live = state.live_queries()
    unknown = [query for query in live if query.status is QueryStatus.OUTCOME_UNKNOWN]
    if unknown and len(unknown) == len(live):
        return [Stall(f"the outcome of {len(unknown)} paid attempts is unknown; settle them and resume")]
    return []


def _new_work(state: State, rules: Rules) -> list[Action]:
    if state.pool is None:
        return [Step("prepare_pool", tasks.prepare_pool(state))]
    actions: list[Action] = []
    if rules.has_generator and state.generator is None:
        actions.append(Step("fit_generator", tasks.fit_generator(state)))
    if rules.initial_owned and ("initial", 0) not in state.proposed:
        actions.append(Step("import_labels", tasks.prepare_pool(state)))
    actions.extend(_first_proposals(state, rules))
    actions.extend(_grants(state))
    if actions or state.live:
        return actions
    return _round(state, rules)


def _first_proposals(state: State, rules: Rules) -> list[Action]:
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
    ready = tuple(query.id for query in state.live_queries() if query.status is QueryStatus.PROPOSED)
    return [Grant(ready)] if ready else []


def _round(state: State, rules: Rules) -> list[Action]:
    """Everything asked so far has an answer: spawn twins, train, evaluate, and then stop or ask again."""
    number = state.round
    if number <= 0 and rules.twins > len(state.twins) and _may_spawn(state):
        return [SpawnTwin(len(state.twins))]
    if not any(query.round == number for query in state.labelled("initial", "acquire")):
        return [Stall(_no_label(state, number))]
    if ("main", number) not in state.trained:
        return _step(state, Step("train", tasks.train(state, number)))
    if ("main", number) not in state.evaluated:
        return _step(state, Step("evaluate", tasks.evaluate(state, number)))
    outcome = _outcome(state, rules)
    if outcome is None:
        n = min(rules.per_round, _affordable(state))
        return _step(state, Step("propose", tasks.propose(state, "acquire", number + 1, n)))
    return _reference(state) or [outcome]


def _may_spawn(state: State) -> bool:
    return bool(state.labelled("initial"))


def _no_label(state: State, number: int) -> str:
    reasons = sorted({query.reason for query in state.of("initial", "acquire") if query.round == number})
    said = f": {'; '.join(reason for reason in reasons if reason)[:400]}" if any(reasons) else ""
    return f"round {number} must end with at least one label, but got none{said}"


def _step(state: State, step: Step) -> list[Action]:
    if state.step_failures.get(step.key, 0) >= MAX_STEP_FAILURES:
        return [Stall(f"{step.method} failed {MAX_STEP_FAILURES} times")]
    return [step]


def _affordable(state: State) -> int:
    assert state.created is not None
    return state.accounts["queries"].free // max(state.created.max_cost, 1)


def _outcome(state: State, rules: Rules) -> Conclude | None:
    number = state.round
    value = state.evaluated[("main", number)].validation.get(rules.metric)
    if rules.reached(value):
        return Conclude("reached", f"validation {rules.metric} {value:.4g} meets the target {rules.target:.4g}")
    if state.proposed.get(("acquire", number + 1)) == 0:
        return Conclude("pool_empty", "no further sample was worth or capable of a label")
    if _affordable(state) < 1:
        return Conclude("exhausted" if rules.target is not None else "completed", "the budget is spent")
    if rules.plateau and _flat(state, rules):
        return Conclude("plateau", f"validation {rules.metric} did not improve for {rules.plateau} rounds")
    return None


def _flat(state: State, rules: Rules) -> bool:
    assert rules.plateau is not None
    values = [state.evaluated[("main", k)].validation.get(rules.metric) for k in range(state.round + 1)]
    known = [value if rules.more_is_better else -value for value in values if value is not None]
    return len(known) > rules.plateau and max(known[-rules.plateau :]) <= max(known[: -rules.plateau])


def _reference(state: State) -> list[Action]:
    """The full-pool line is fitted once, when the campaign is otherwise done, so that it can decide nothing."""
    if not state.labelled("reference"):
        return []
    if ("reference", 0) not in state.trained:
        return _step(state, Step("train", tasks.train(state, 0, "reference")))
    if ("reference", 0) not in state.evaluated:
        return _step(state, Step("evaluate", tasks.evaluate(state, 0, "reference")))
    return []
