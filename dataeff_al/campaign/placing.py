"""How parts are placed: what a role cannot make use of is refused, not ignored."""

from collections.abc import Iterator

from dataeff_al.campaign.draft import Draft
from dataeff_al.parts import PartSpec
from dataeff_al.sentences import Finding, Loc, shown

_ALONE = {
    "learner": "must be 1, because each model of a committee goes on from the round before it (twins run side by side)",
    "generator": "must be 1, because one worker learns the data manifold",
}


def check_runtimes(draft: Draft) -> Iterator[Finding]:
    """Copies and batches are for labelers alone, of the campaign and of its twins."""
    for role in _ALONE:
        yield from _check(role, getattr(draft, role), ())
        for number, twin in enumerate(draft.compare):
            yield from _check(role, getattr(twin, role), ("compare", number))


def _check(role: str, part: PartSpec | None, place: Loc) -> Iterator[Finding]:
    runtime = part.runtime if part else None
    if runtime is None:
        return
    if runtime.replicas != 1:
        yield Finding((*place, role, "runtime", "replicas"), _ALONE[role], shown(runtime.replicas))
    if runtime.memory_gib is not None:
        must = "must not be given, because only the processes of labelers are ended for it"
        yield Finding((*place, role, "runtime", "memory_gib"), must, shown(runtime.memory_gib))
    if runtime.batch is not None:
        must = "must not be given, because only labelers are asked in batches"
        yield Finding((*place, role, "runtime", "batch"), must, shown(runtime.batch))
