"""Which queries are for people and programs outside: all of a labeler that pulls, or what a called one passed on."""

from collections.abc import Sequence

from dataeff_al.campaign.state import AttemptState, QueryState, State
from dataeff_al.errors import NotFoundError, StateError
from dataeff_al.labeling.types import LabelerInfo, answered_outside
from dataeff_al.sentences import shown


def for_outside(query: QueryState, info: LabelerInfo) -> bool:
    """Whether a query is theirs to answer; ``info``: of the campaign's labeler."""
    return info.delivery == "pull" or query.passed_on


def leased_outside(state: State, info: LabelerInfo) -> Sequence[AttemptState]:
    """Their attempts that have no answer yet, in the order in which they were asked."""
    return [attempt for attempt in state.open_attempts() if for_outside(state.queries[attempt.query], info)]


def lease_s_outside(info: LabelerInfo) -> float | None:
    """How long they have who answer what a labeler passed on [s]; None: as long as the campaign says."""
    outside = answered_outside(info)
    return None if outside is None or outside is info else outside.timeout_s


def check_outside(state: State, attempt: str, info: LabelerInfo) -> None:
    """Raises NotFoundError for an attempt of nobody, StateError for one that the campaign's own labeler has."""
    if attempt not in state.attempts:
        raise NotFoundError(f"an attempt must belong to campaign {state.id!r}, but got {shown(attempt)}.")
    if not for_outside(state.queries[state.attempts[attempt].query], info):
        raise StateError(f"an attempt must be one that was leased by ask, but got {shown(attempt)}.")
