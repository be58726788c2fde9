"""The few numbers of a campaign's description that decide what happens next."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from dataeff_al.campaign.state import State
from dataeff_al.metrics import find

MAX_ATTEMPTS = 3
MAX_INFRA_STREAK = 5
MAX_STEP_FAILURES = 3
MAX_EMPTY_ROUNDS = 3
MOST_COST = 10**15
MOST_GRANTED = 256


@dataclass(frozen=True)
class Rules:
    """What :func:`~dataeff_al.campaign.plan.plan` and ``decide`` need to know of the description."""

    validation: int
    test: int
    reference: int | Literal["full"]
    initial: int
    initial_owned: bool
    initial_waits_for_generator: bool
    has_generator: bool
    per_round: int
    growth: float
    metric: str
    target: float | None
    more_is_better: bool
    plateau: int | None
    least_gain: float | None
    close: str
    quorum: int
    deadline_s: float
    twins: int

    def reached(self, value: float | None) -> bool:
        """Whether a validation value meets the target."""
        if self.target is None or value is None:
            return False
        return value >= self.target if self.more_is_better else value <= self.target


@lru_cache(maxsize=256)
def _rules(spec: "_Spec") -> Rules:
    data = spec.data
    evaluation, initial, stop = data["evaluation"], data["initial"], data["stop"]
    closing = data.get("round") or {}
    return Rules(
        validation=evaluation["validation"],
        test=evaluation["test"],
        reference=evaluation.get("reference", 0),
        initial=initial.get("random") or initial.get("n") or 0,
        initial_owned=initial.get("labels") is not None,
        initial_waits_for_generator=initial.get("sampler") is not None,
        has_generator=data.get("generator") is not None,
        per_round=data["budget"]["per_round"],
        growth=data["budget"].get("growth") or 0.0,
        metric=stop["metric"],
        target=stop.get("target"),
        more_is_better=find(stop["metric"]).more_is_better,
        plateau=stop.get("plateau"),
        least_gain=stop.get("least_gain"),
        close=closing.get("close", "all"),
        quorum=closing.get("quorum") or 0,
        deadline_s=float(closing.get("deadline_s") or 0.0),
        twins=len(data.get("compare") or ()),
    )


@dataclass(frozen=True, eq=False)
class _Spec:
    """Hashed by the digest, so that the rules of one description are made once."""

    digest: str
    data: Mapping[str, Any]

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Spec) and other.digest == self.digest


def rules_of(state: State) -> Rules:
    """The rules of a created campaign."""
    assert state.created is not None
    return _rules(_Spec(state.created.spec_digest, state.created.spec))
