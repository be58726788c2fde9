"""Calling a labeler: whatever it does, every request gets an outcome, or word that there is none."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from dataeff_al.labeling.check import checked
from dataeff_al.labeling.types import Acknowledges, Labeler, LabelFailure, Outcome, Queryable, Request

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Raised:
    """The labeler was called and raised: whether the call was paid for, only the labeler knows."""

    reason: str


def asked(labeler: Labeler, requests: Sequence[Request]) -> list[Outcome]:
    """The labeler's checked outcomes, never an exception.

    One request that raises does not spoil a pure labeler's whole batch.
    """
    found = tried(labeler, requests)
    return [LabelFailure(item.reason, "infra") if isinstance(item, Raised) else item for item in found]


def tried(labeler: Labeler, requests: Sequence[Request]) -> list[Outcome | Raised]:
    """The labeler's checked outcomes; :class:`Raised` for requests of a call that raised."""
    try:
        outcomes = list(labeler.label(requests))
    except (Exception, SystemExit) as error:
        if labeler.info.effect == "pure" and len(requests) > 1:
            return [found for request in requests for found in tried(labeler, [request])]
        log.info("labeler %s raised", labeler.info.name, exc_info=error)
        return [Raised(f"labeler {labeler.info.name!r} raised {error!r}")] * len(requests)
    if len(outcomes) != len(requests):
        reason = f"a labeler must answer each of {len(requests)} requests, but got {len(outcomes)} outcomes."
        cost = 0 if labeler.info.effect == "pure" else labeler.info.cost
        return [LabelFailure(reason, "bad_label", cost)] * len(requests)
    return [checked(outcome, labeler.info) for outcome in outcomes]


def asked_again(labeler: Labeler, key: str) -> Outcome | Raised | None:
    """What a queryable labeler says of an attempt of an earlier life, checked; None when it knows of none."""
    if not isinstance(labeler, Queryable):
        return Raised(f"labeler {labeler.info.name!r} declares to be queryable, but has no lookup")
    try:
        found = labeler.lookup(key)
    except Exception as error:
        return Raised(f"lookup of labeler {labeler.info.name!r} raised {error!r}")
    return None if found is None else checked(found, labeler.info)


def acknowledge(labeler: Labeler, keys: Sequence[str]) -> None:
    """Tell a labeler that keeps outcomes that these are in the record; never raises."""
    if not isinstance(labeler, Acknowledges):
        return
    try:
        labeler.ack(keys)
    except Exception as error:
        log.info("labeler %s could not take note of what is in the record", labeler.info.name, exc_info=error)
