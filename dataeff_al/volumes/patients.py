"""Which patient a case belongs to, and that no patient lies on both sides of a border."""

from collections.abc import Mapping, Sequence

from dataeff_al.errors import DataError


def patient_of(case: str, patients: Mapping[str, str], before: str | None) -> str:
    """The patient of a case: as stated, or the part of its name before ``before``, or the case itself without one."""
    if case in patients:
        return patients[case]
    return (case.partition(before)[0] if before else case) or case


def check_sides(cases: Sequence[str], patients: Mapping[str, str], before: str | None, held_out: Sequence[str]) -> None:
    """Raise :class:`DataError` when a stated case does not exist, or a patient is held out with some cases only."""
    known = set(cases)
    for named in (*patients, *held_out):
        if named not in known:
            raise DataError(f"a case must be one of the {len(known)} that were found, but got {named!r}.")
    owner = {case: patient_of(case, patients, before) for case in cases}
    apart = {owner[case] for case in held_out}
    for case in cases:
        if owner[case] in apart and case not in held_out:
            raise DataError(f"a patient must lie in one split, but got {owner[case]!r} held out without case {case!r}.")
    if held_out and len(apart) == len(set(owner.values())):
        raise DataError(f"at least one patient must remain to learn from, but got all {len(apart)} held out.")
