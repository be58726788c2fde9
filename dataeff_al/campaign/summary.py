"""``summary.json``: the figures of a run, made from the record alone."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from dataeff_al import __version__
from dataeff_al.campaign.rules import rules_of
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import State
from dataeff_al.campaign.timeline import Timeline
from dataeff_al.digests import digest_json
from dataeff_al.efficiency import LearningCurve, Saving, saving

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "ray")


@dataclass(frozen=True)
class Member:
    """One campaign of a run: the main one, a twin of it, or either of them under another seed."""

    name: str
    seed: int
    twin: bool
    state: State
    timeline: Timeline


def rounds(member: Member) -> list[dict[str, Any]]:
    """Every evaluated round with labels, metrics and seconds by phase."""
    state = member.state
    found = []
    for number in sorted(number for role, number in state.evaluated if role == "main"):
        event = state.evaluated[("main", number)]
        times = member.timeline.rounds.get(number)
        found.append(
            {
                "round": number,
                "labels": event.labels,
                "validation": event.validation,
                "test": event.test,
                "seconds": times.as_dict() if times else {},
            }
            | ({"regime": state.regimes[str(number)]} if str(number) in state.regimes else {})
        )
    return found


def label_count(state: State) -> dict[str, int]:
    """Labels in the training set: at the start, bought by queries, and together."""
    initial, bought = len(state.labelled("initial")), len(state.labelled("acquire"))
    return {"initial": initial, "bought": bought, "total": initial + bought}


def cost(state: State, unit: str) -> dict[str, Any]:
    """The accounts in integers of ``unit``; ``evaluation`` and ``extra`` lie outside the budget."""
    account, measuring = state.accounts["queries"], state.accounts["evaluation"]
    return {
        "unit": unit,
        "budget": account.total,
        "spent": account.spent,
        "reserved": account.reserved,
        "wasted": account.wasted,
        "evaluation": measuring.spent + measuring.wasted,
        "extra": state.extra,
    }


def digests(state: State) -> dict[str, str | None]:
    """What must be the same however the campaign was run: what was asked, what was answered, what was learnt."""
    asked = list(state.of("validation", "test", "initial", "acquire", "reference"))
    newest = max((number for role, number in state.trained if role == "main"), default=None)
    return {
        "queries": digest_json([[query.purpose, query.round, query.slot, query.content] for query in asked]),
        "labels": digest_json([[query.purpose, query.slot, query.label] for query in asked]),
        "model": state.trained[("main", newest)].model if newest is not None else None,
    }


def curve(member: Member, metric: str) -> LearningCurve | None:
    """The test metric against labels; None when no round has one."""
    points = [(row["labels"], row["test"][metric]) for row in rounds(member) if row["labels"] and metric in row["test"]]
    return LearningCurve([x for x, _ in points], [y for _, y in points]) if points else None


def savings(spec: CampaignSpec, members: Sequence[Member]) -> list[Saving]:
    """What the campaign saves against each of its twins, over all seeds that ran."""
    rules = rules_of(members[0].state)
    found = []
    for name in spec.twin_names:
        pairs = [
            (curve(main, rules.metric), curve(twin, rules.metric))
            for main in members
            if not main.twin
            for twin in members
            if twin.twin and twin.name == name and twin.seed == main.seed
        ]
        whole = [(one, other) for one, other in pairs if one is not None and other is not None]
        if whole:
            ours, theirs = [one for one, _ in whole], [other for _, other in whole]
            found.append(
                saving(spec.name, ours, name, theirs, rules.target, more_is_better=rules.more_is_better, seed=spec.seed)
            )
    return found


def versions() -> dict[str, str]:
    """Versions of what makes the numbers."""
    found = {"dataeff-al": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def summary(spec: CampaignSpec, members: Sequence[Member]) -> dict[str, Any]:
    """The whole summary. The first member is the campaign itself."""
    main = members[0]
    state, rules = main.state, rules_of(main.state)
    finished = state.finished
    return {
        "name": spec.name,
        "seed": spec.seed,
        "status": state.status,
        "outcome": {"kind": finished.outcome, "reason": finished.reason} if finished else None,
        "target": {"metric": rules.metric, "value": rules.target},
        "reached": finished.outcome == "reached" if finished and rules.target is not None else None,
        "labels": label_count(state),
        "cost": cost(state, spec.budget.unit),
        "rounds": rounds(main),
        "reference": _reference(state),
        "refusals": dict(sorted(state.refusals.items())),
        "twins": [_twin(member, spec) for member in members[1:] if member.twin and member.seed == spec.seed],
        "repeats": [_repeat(member) for member in members if member.seed != spec.seed],
        "saving": _saving(savings(spec, members)),
        "digest": digests(state),
        "versions": versions(),
        "pool": {"seconds": round(main.timeline.pool_s, 3)} if state.pool else None,
        "generator": {"seconds": round(main.timeline.generator_s, 3)} if state.generator else None,
        "wall_s": round(sum(member.timeline.wall_s for member in members), 3),
    }


def _reference(state: State) -> dict[str, Any] | None:
    event = state.evaluated.get(("reference", 0))
    if event is None:
        return None
    return {"labels": event.labels, "validation": event.validation, "test": event.test}


def _twin(member: Member, spec: CampaignSpec) -> dict[str, Any]:
    return {
        "name": member.name,
        "labels": label_count(member.state),
        "cost": cost(member.state, spec.budget.unit),
        "rounds": rounds(member),
        "digest": digests(member.state),
    }


def _repeat(member: Member) -> dict[str, Any]:
    return {"name": member.name, "seed": member.seed, "rounds": rounds(member), "digest": digests(member.state)}


def _saving(found: Sequence[Saving]) -> Mapping[str, Any] | None:
    """The saving against the first twin; the others stand under ``others``."""
    if not found:
        return None
    first, *others = [
        {
            "against": item.against,
            "factor": item.factor,
            "ci": list(item.ci) if item.ci else None,
            "seeds": item.seeds,
            "areas": list(item.areas) if item.areas else None,
            "reason": item.reason,
            "verdict": item.verdict,
        }
        for item in found
    ]
    return {**first, "others": others} if others else first
