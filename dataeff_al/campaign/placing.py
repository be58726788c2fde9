"""How parts are placed: what a role cannot make use of is refused, not ignored."""

from collections.abc import Iterator

from dataeff_al.campaign.draft import Draft
from dataeff_al.parts import PartSpec
from dataeff_al.sentences import Finding, Loc, shown


def check_runtimes(draft: Draft) -> Iterator[Finding]:
    """Copies are for labelers and committees, batches for labelers alone, of the campaign and of its twins."""
    yield from _check_roles(draft, ())
    yield from _check_committee(draft)
    for number, twin in enumerate(draft.compare):
        own = draft.model_copy(update={"learner": twin.learner, "generator": twin.generator})
        yield from _check_roles(own, ("compare", number))
        if twin.replaced.keys() & {"learner", "trainer"}:
            inside = "learner" if "learner" in twin.replaced else "trainer"
            found = _check_committee(draft.twin(number))
            yield from (Finding(_twin_loc(number, inside, each.loc), each.must, each.got) for each in found)


def _twin_loc(number: int, section: str, loc: Loc) -> Loc:
    """A twin that has the learner of the campaign is at fault with the trainer that it has instead."""
    return ("compare", number, *(loc if section == "learner" else (section,)))


def _check_committee(draft: Draft) -> Iterator[Finding]:
    """As many workers as a committee has members can be of use, and one to any other trainer."""
    runtime = draft.learner.runtime if draft.learner else None
    if runtime is None or not draft.whole("learner", "trainer"):
        return
    members = draft.trainer.members if draft.trainer else 1
    if runtime.replicas > members:
        must = (
            f"must be at most the {members} members of the committee"
            if members > 1
            else "must be 1, because the trainer fits one model at a time (ensemble: members fits several side by side)"
        )
        yield Finding(("learner", "runtime", "replicas"), must, shown(runtime.replicas))


def _check_roles(draft: Draft, place: Loc) -> Iterator[Finding]:
    yield from _check_labelers_own("learner", draft.learner, place)
    yield from _check_labelers_own("generator", draft.generator, place)
    runtime = draft.generator.runtime if draft.generator else None
    if runtime is not None and runtime.replicas != 1:
        must = "must be 1, because one worker learns the data manifold"
        yield Finding((*place, "generator", "runtime", "replicas"), must, shown(runtime.replicas))


def _check_labelers_own(role: str, part: PartSpec | None, place: Loc) -> Iterator[Finding]:
    runtime = part.runtime if part else None
    if runtime is None:
        return
    if runtime.memory_gib is not None:
        must = "must not be given, because only the processes of labelers are ended for it"
        yield Finding((*place, role, "runtime", "memory_gib"), must, shown(runtime.memory_gib))
    if runtime.batch is not None:
        must = "must not be given, because only labelers are asked in batches"
        yield Finding((*place, role, "runtime", "batch"), must, shown(runtime.batch))
