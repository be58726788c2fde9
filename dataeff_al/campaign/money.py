"""How many labels a campaign may buy, account by account, and whether pool and budget are large enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from dataeff_al.campaign.draft import Draft
from dataeff_al.campaign.sections import Budget
from dataeff_al.parts import PartSpec
from dataeff_al.sentences import Finding


@dataclass(frozen=True)
class Labels:
    """Numbers of labels. ``initial`` and ``acquired`` are paid from the budget; the others only measure.

    ``reference`` is None when the whole pool is asked for and its size is not known.
    """

    initial: int
    acquired: int
    validation: int
    test: int
    reference: int | None

    @property
    def evaluation(self) -> int:
        """Labels on the evaluation account, as far as they are known."""
        return self.validation + self.test + (self.reference or 0)


def max_cost(labeler: PartSpec | None) -> int:
    """The most that one label can cost, in the budget's unit; 1 while there is no valid labeler."""
    if labeler is None:
        return 1
    most: Callable[[Any], int] | None = getattr(labeler.plugin, "max_cost", None)
    return 1 if most is None else max(1, most(labeler.params))


def amount(number: int, unit: str) -> str:
    """``3 solves``; units that are no English word in small letters stay as they are."""
    plural = number != 1 and unit.isalpha() and unit.islower() and not unit.endswith("s")
    return f"{number:,} {unit}{'s' if plural else ''}"


def labels_of(draft: Draft, size: int | None) -> Labels | None:
    """The labels that the budget buys at the highest cost; None when a section that says so is not valid."""
    if not (draft.budget and draft.initial and draft.evaluation):
        return None
    held = draft.evaluation.validation + draft.evaluation.test
    initial = draft.initial.count
    wanted = max(0, draft.budget.total // max_cost(draft.labeler) - initial)
    full = None if size is None else max(0, size - held)
    # What is synthesised is not taken from the pool.
    room = wanted if full is None or _synthesises(draft) else min(wanted, max(0, full - initial))
    reference = full if draft.evaluation.reference == "full" else draft.evaluation.reference
    return Labels(initial, room, draft.evaluation.validation, draft.evaluation.test, reference)


def check_money(draft: Draft) -> Iterator[Finding]:
    """Whether the budget pays for the start and for at least one round, and what stopping needs is measured."""
    if draft.budget:
        yield from _check_budget(draft.budget, draft.initial.count if draft.initial else 0, max_cost(draft.labeler))
    if draft.round and draft.round.quorum and draft.budget and draft.round.quorum > draft.budget.per_round:
        must = f"must be at most budget.per_round ({draft.budget.per_round})"
        yield Finding(("round", "quorum"), must, str(draft.round.quorum))
    stop = draft.stop
    decides = stop and any(rule is not None for rule in (stop.target, stop.plateau, stop.least_gain))
    if decides and draft.evaluation and draft.evaluation.validation < 1:
        must = "must be at least 1 when stop has a target, a plateau or a least_gain"
        yield Finding(("evaluation", "validation"), must, "0")


def _check_budget(budget: Budget, initial: int, cost: int) -> Iterator[Finding]:
    total, per_round = budget.total, budget.per_round
    if total < initial * cost:
        must = f"must pay for the {initial} initial labels, which may cost {amount(initial * cost, budget.unit)}"
        yield Finding(("budget", "total"), must, str(total))
    elif total < (initial + per_round) * cost:
        must = f"must be at most what the initial labels leave of the total, {(total - initial * cost) // cost} labels"
        yield Finding(("budget", "per_round"), must, str(per_round))


def check_pool(draft: Draft, size: int) -> Iterator[Finding]:
    """Whether the pool holds as many samples as the campaign asks for."""
    labels = labels_of(draft, None)
    if labels is None or draft.evaluation is None:
        return
    reference = draft.evaluation.reference
    bought = labels.initial + (0 if _synthesises(draft) else labels.acquired)
    needed = max(bought, 0 if reference == "full" else reference) + labels.validation + labels.test
    if size < needed:
        parts = f"{bought} bought, {labels.validation} validation, {labels.test} test"
        extra = f", {reference} reference" if reference not in (0, "full") else ""
        must = f"the pool must hold at least the {needed} samples that the campaign asks for ({parts}{extra})"
        yield Finding(("pool",), must, str(size))
        return
    fewest = draft.generator.plugin.fewest(draft.generator.params) if draft.generator else 0
    if size - labels.validation - labels.test < fewest:
        must = f"the pool must hold {fewest} samples for its generator beside those that measure"
        yield Finding(("pool",), must, str(size - labels.validation - labels.test))


def _synthesises(draft: Draft) -> bool:
    return draft.sampler is not None and "synthesised" in draft.sampler.needs
