"""Who may be queried, who validates, who tests: groups are never broken, no copy crosses a border or is asked twice."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from dataeff_al.digests import Ref
from dataeff_al.errors import DataError
from dataeff_al.randomness import rng_for
from dataeff_al.samples.content import content_digests
from dataeff_al.samples.protocol import Pool
from dataeff_al.samples.types import SampleId


@dataclass(frozen=True)
class Split:
    """Ids by role, each in the pool's order.

    ``pool``: candidates for queries, each content once. ``removed``: what would have been a candidate, had it not the
    same content as a validation or test sample, or as an earlier candidate. ``unused``: held-out samples that the test
    did not take; they are never candidates.
    """

    pool: tuple[SampleId, ...]
    validation: tuple[SampleId, ...]
    test: tuple[SampleId, ...]
    removed: tuple[SampleId, ...] = ()
    unused: tuple[SampleId, ...] = ()


def split_pool(pool: Pool, *, validation: int, test: int, seed: int) -> Split:
    """Split a pool's ids: see :func:`split_ids`."""
    ids = pool.ids()
    groups = {sample_id: pool.group(sample_id) for sample_id in ids}
    digests = content_digests(pool, ids)
    return split_ids(groups, pool.held_out(), digests, validation=validation, test=test, seed=seed)


def split_ids(
    groups: Mapping[SampleId, str],
    held_out: Sequence[SampleId],
    digests: Mapping[SampleId, Ref],
    *,
    validation: int,
    test: int,
    seed: int,
) -> Split:
    """Split the ids of ``groups`` (id to group, in the pool's order) into pool, validation and test.

    The test is drawn from ``held_out`` when the pool has some: exactly ``test`` of them, because none of the others is
    ever a candidate. All else is drawn by whole groups until the count is reached, so it is exact when every group is
    one sample. What has the content of a test sample is removed before the validation is drawn, and what has the
    content of a validation sample afterwards. Of candidates with the same content the first stays: a label for one of
    them is a label for all. The test does not depend on ``validation``.

    Raises DataError when a count is negative, when a group lies on both sides of the held-out border, or when too few
    samples or groups remain; at least one candidate must.
    """
    if min(validation, test) < 0:
        raise DataError(f"validation and test must not be negative, but got {validation} and {test}.")
    free = _free(groups, held_out)
    tested = _some(held_out, test, seed) if held_out else _whole_groups(free, groups, test, seed, "test")
    left = _without(free, tested)
    kept = _distinct(left, tested, digests)
    copies = len(left) - len(kept)
    validating = _whole_groups(kept, groups, validation, seed, "validation", copies)
    candidates = _without(kept, validating)
    pool = _once(_distinct(candidates, validating, digests), digests)
    if not pool:
        raise DataError(f"at least one sample must remain to be queried, but got none of {len(groups)}.")
    removed = (*_without(left, kept), *_without(candidates, pool))
    return Split(
        tuple(pool),
        tuple(validating),
        tuple(tested),
        _ordered(removed, groups),
        _ordered(_without(held_out, tested), groups),
    )


def _free(groups: Mapping[SampleId, str], held_out: Sequence[SampleId]) -> list[SampleId]:
    kept_apart = {groups[sample_id] for sample_id in held_out}
    free = _without(list(groups), held_out)
    for sample_id in free:
        if groups[sample_id] in kept_apart:
            raise DataError(f"a group must lie on one side of the held-out border, but got {groups[sample_id]!r}.")
    return free


def _some(held_out: Sequence[SampleId], count: int, seed: int) -> list[SampleId]:
    if count > len(held_out):
        raise DataError(f"test must be at most the {len(held_out)} held-out samples, but got {count}.")
    drawn = rng_for(seed, "split", "held out").permutation(len(held_out))[:count]
    return [held_out[row] for row in sorted(drawn.tolist())]


def _whole_groups(
    ids: Sequence[SampleId], groups: Mapping[SampleId, str], count: int, seed: int, role: str, copies: int = 0
) -> list[SampleId]:
    if count > len(ids):
        aside = f" beside {copies} copies of test samples" if copies else ""
        raise DataError(f"{role} must be at most the {len(ids)} samples that are left{aside}, but got {count}.")
    members: dict[str, list[SampleId]] = {}
    for sample_id in ids:
        members.setdefault(groups[sample_id], []).append(sample_id)
    names = list(members)
    chosen: set[SampleId] = set()
    for row in rng_for(seed, "split", role).permutation(len(names)).tolist():
        if len(chosen) >= count:
            break
        chosen.update(members[names[row]])
    return [sample_id for sample_id in ids if sample_id in chosen]


def _distinct(
    ids: Sequence[SampleId], kept_apart: Sequence[SampleId], digests: Mapping[SampleId, Ref]
) -> list[SampleId]:
    contents = {digests[sample_id] for sample_id in kept_apart}
    return [sample_id for sample_id in ids if digests[sample_id] not in contents]


def _once(ids: Sequence[SampleId], digests: Mapping[SampleId, Ref]) -> list[SampleId]:
    first = {digests[sample_id]: sample_id for sample_id in reversed(ids)}
    return [sample_id for sample_id in ids if first[digests[sample_id]] == sample_id]


def _without(ids: Collection[SampleId], gone: Collection[SampleId]) -> list[SampleId]:
    out = set(gone)
    return [sample_id for sample_id in ids if sample_id not in out]


def _ordered(ids: Collection[SampleId], groups: Mapping[SampleId, str]) -> tuple[SampleId, ...]:
    wanted = set(ids)
    return tuple(sample_id for sample_id in groups if sample_id in wanted)
