"""Ask and tell on a run's record: queries are leased to whoever answers, and answers are durable before anything else.

Works on a store that nobody is driving at the moment; what follows from the answers is the next session's work.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dataeff_al.blobs import Blobs
from dataeff_al.campaign.commands import Command, Fail, GrantAttempts, Tell
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.campaign.outside import check_outside, for_outside, lease_s_outside, leased_outside
from dataeff_al.campaign.state import AttemptStatus, QueryStatus, State
from dataeff_al.digests import Ref, digest_bytes
from dataeff_al.errors import ConflictError, DataError, NotFoundError
from dataeff_al.events import AttemptGrant, LabelRecord, Leased
from dataeff_al.labeling.check import problem
from dataeff_al.labeling.npz_writing import sample_arrays
from dataeff_al.labeling.packing import pack_outcome, unpack_request
from dataeff_al.labeling.types import Label, LabelerInfo, LabelFailure, Request, answered_outside
from dataeff_al.samples.archive import write_arrays
from dataeff_al.samples.declared import samples_from_json, target_from_json
from dataeff_al.samples.targets import TARGET_DTYPES, check_target
from dataeff_al.samples.types import Sample, SampleId, SampleSpec, TargetSpec
from dataeff_al.stores.protocol import Store

DRAFT = "draft_"


class Question(NamedTuple):
    """A leased query: the attempt's id, under which the answer is told, and the sample with its arrays."""

    attempt: str
    sample: Sample


@dataclass(frozen=True)
class Told:
    """What became of a batch of answers: new labels, refusals, and answers that had been told before."""

    labels: int = 0
    refused: int = 0
    repeated: int = 0


def waiting(state: State, info: LabelerInfo) -> list[str]:
    """Queries for those outside that nobody has leased, in the order in which they are asked.

    ``info``: of the campaign's labeler, which may have to pass a query on first.
    """
    free = (query for query in state.live_queries() if query.status is QueryStatus.PROPOSED)
    return [query.id for query in free if for_outside(query, info)]


def lease(store: Store, blobs: Blobs, n: int, info: LabelerInfo) -> list[Question]:
    """Lease up to ``n`` queries, the campaign's own before its twins'. Raises StateError when a campaign is paused."""
    questions: list[Question] = []
    for name in store.campaigns():
        ledger = Ledger(store, name)
        ready = waiting(ledger.state, info)[: n - len(questions)]
        if not ready:
            continue
        granted = _grants(ledger.execute(GrantAttempts(tuple(ready), lease_s_outside(info))))
        questions.extend(_question(ledger.state, blobs, grant.attempt) for grant in granted)
    return questions


def leased(store: Store, blobs: Blobs, info: LabelerInfo) -> list[Question]:
    """Leased queries without an answer yet, in the order in which they were asked."""
    states = [Ledger(store, name).state for name in store.campaigns()]
    return [_question(state, blobs, attempt.id) for state in states for attempt in leased_outside(state, info)]


def _grants(events: Iterable[Any]) -> list[AttemptGrant]:
    return [grant for event in events if isinstance(event, Leased) for grant in event.attempts]


def _question(state: State, blobs: Blobs, attempt: str) -> Question:
    query = state.queries[state.attempts[attempt].query]
    return question_of(unpack_request(blobs.get(Ref(query.request)), attempt))


def question_of(request: Request) -> Question:
    """What those outside see: the sample, and the arrays of a draft of the answer, if there is one: ``draft_NAME``."""
    sample = request.sample
    if request.draft is None:
        return Question(request.key, sample)
    drafts = {DRAFT + name: np.asarray(value) for name, value in request.draft.target.items()}
    return Question(request.key, Sample(sample.id, {**sample.fields, **drafts}, sample.group))


def tell(store: Store, blobs: Blobs, answers: Mapping[str, Any], info: LabelerInfo) -> Told:
    """Record answers by attempt: arrays, Labels, or LabelFailures for what cannot be answered.

    All are checked before the first is written. ``info``: of the campaign's labeler, which says what an array's answer
    costs; a Label states its own cost.

    Raises:
        NotFoundError: an attempt that no campaign of the run has leased.
        StateError: an attempt that the campaign's own labeler has.
        DataError: an answer that breaks the declared form of the labels.
        ConflictError: an attempt that had been answered otherwise.
    """
    ledgers = [Ledger(store, name) for name in store.campaigns()]
    known = {attempt: ledger for ledger in ledgers for attempt in ledger.state.attempts}
    if unknown := [attempt for attempt in answers if attempt not in known]:
        raise NotFoundError(f"an answer must belong to a leased query of this run, but got {unknown[0]!r}.")
    for attempt in answers:
        check_outside(known[attempt].state, attempt, info)
    cost = (answered_outside(info) or info).cost
    checked = {attempt: _checked(attempt, answer, known[attempt].state, cost) for attempt, answer in answers.items()}
    fresh = {
        attempt: answer for attempt, answer in checked.items() if not _repeats(known[attempt].state, attempt, answer)
    }
    for ledger in ledgers:
        mine = {attempt: answer for attempt, answer in fresh.items() if known[attempt] is ledger}
        ledger.execute_all([_command(attempt, answer, blobs) for attempt, answer in mine.items()])
    refused = sum(isinstance(answer, LabelFailure) for answer in fresh.values())
    return Told(len(fresh) - refused, refused, len(answers) - len(fresh))


def _checked(attempt: str, answer: Any, state: State, cost: int) -> Label | LabelFailure:
    if isinstance(answer, LabelFailure):
        return answer
    assert state.created is not None
    target = target_from_json(state.created.target)
    try:
        label = answer if isinstance(answer, Label) else as_label(answer, target, cost)
        broken = problem(label, target)
        if broken:
            raise DataError(broken)
    except DataError as error:
        raise DataError(f"the answer to {attempt!r} must be a label: {error}") from error
    return label


def as_label(answer: Any, target: TargetSpec, cost: int) -> Label:
    """An array, or a class code, as a label in the target's dtype; fields are valid where they are numbers.

    Raises DataError when it has another shape, is not made of numbers, or leaves the declared range.
    """
    given = np.asarray(answer)
    dtype = np.dtype(TARGET_DTYPES[target.kind])
    if given.shape != target.shape or given.dtype.kind not in ("iu" if dtype.kind in "iu" else "iuf"):
        raise DataError(f"{target.name!r} must be {target.shape} {dtype}, but got {given.shape} {given.dtype}.")
    bounds = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    known = given[np.isfinite(given)] if given.dtype.kind == "f" else given
    if known.size and not bounds.min <= known.min() <= known.max() <= bounds.max:
        raise DataError(f"{target.name!r} must fit {dtype}, but got {known.min()} to {known.max()}.")
    value = given.astype(dtype)
    check_target(target, {target.name: value})
    valid = np.isfinite(value).all(axis=0) if target.kind == "field" else None
    return Label({target.name: value}, valid, cost=cost)


def _repeats(state: State, attempt: str, answer: Label | LabelFailure) -> bool:
    """Whether the attempt has this answer already. Raises ConflictError when it has another one."""
    known = state.attempts[attempt]
    if known.status is AttemptStatus.EXTRA or (isinstance(answer, LabelFailure) and known.id not in state.open):
        return True
    if known.status is not AttemptStatus.DONE:
        return False
    if state.queries[known.query].label != digest_bytes(pack_outcome(answer)):
        raise ConflictError(f"an attempt must keep its first answer, but got another one for {attempt!r}.")
    return True


def _command(attempt: str, answer: Label | LabelFailure, blobs: Blobs) -> Command:
    if isinstance(answer, LabelFailure):
        return Fail(attempt, answer.kind, answer.reason or "no reason given", answer.cost)
    label = LabelRecord(label=blobs.put(pack_outcome(answer)), cost=answer.cost)
    return Tell(attempt, label)


def write_questions(path: Path, state: State, blobs: Blobs, questions: Sequence[Question]) -> None:
    """Write questions as a file of samples whose ``id`` are the attempts; ``sample`` holds the samples' own ids.

    Raises DataError when the file cannot be written.
    """
    assert state.pool is not None
    write_samples(path, samples_from_json(json.loads(blobs.get(Ref(state.pool.splits)))["samples"]), questions)


def write_samples(path: Path, spec: SampleSpec, questions: Sequence[Question]) -> None:
    """Write the samples of questions, which have the form ``spec``; see :func:`write_questions`."""
    fields = {name: form for name, form in spec.fields.items() if all(name in q.sample.fields for q in questions)}
    named = [Sample(SampleId(q.attempt), q.sample.fields, q.sample.group) for q in questions]
    arrays = sample_arrays(SampleSpec(fields, spec.input), named)
    arrays["sample"] = np.array([q.sample.id for q in questions])
    write_arrays(path, arrays | _drafts(questions))


def _drafts(questions: Sequence[Question]) -> dict[str, np.ndarray]:
    """Drafts by ``draft_NAME``; a row without one holds what stands for no answer in a file of answers."""
    found: dict[str, np.ndarray] = {}
    for row, question in enumerate(questions):
        for name, value in question.sample.fields.items():
            if name.startswith(DRAFT):
                blank = np.full((len(questions), *value.shape), _no_answer(value), value.dtype)
                found.setdefault(name, blank)[row] = value
    return found


def _no_answer(value: np.ndarray) -> float:
    if value.dtype.kind == "f":
        return np.nan
    return 255 if value.dtype == np.uint8 else -1
