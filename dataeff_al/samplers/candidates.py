"""What a sampler may still ask for, and with which model."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from dataeff_al.errors import CapabilityError, DataError
from dataeff_al.generators.protocol import Generator
from dataeff_al.learners.protocol import Learner
from dataeff_al.samples.types import SampleId
from dataeff_al.view import View

_ROWS_AT_ONCE = 256


def candidates(view: View) -> list[SampleId]:
    """Unlabelled ids that are neither labelled nor pending, in the pool's order.

    Raises :class:`DataError` when there are none.
    """
    taken = taken_ids(view)
    found = [sample_id for sample_id in dict.fromkeys(view.unlabelled) if sample_id not in taken]
    if not found:
        raise DataError("the pool must hold an unlabelled sample that is not pending, but got none.")
    return found


def taken_ids(view: View) -> set[SampleId]:
    """Ids of labelled and pending samples, synthesised ones included."""
    labelled = {labelled.sample.id for labelled in view.labelled}
    return labelled | {sample.id for sample in view.pending}


def learner_of(view: View, sampler: str) -> Learner:
    """The current model. Raises :class:`CapabilityError` before the first fit."""
    if view.learner is None:
        raise CapabilityError(f"sampler {sampler} must have a fitted learner, but got none.")
    return view.learner


def generator_of(view: View, sampler: str) -> Generator:
    """The generator. Raises :class:`CapabilityError` when the campaign has none."""
    if view.generator is None:
        raise CapabilityError(f"sampler {sampler} must have a generator, but got none.")
    return view.generator


def inputs(view: View, ids: Sequence[SampleId]) -> Iterator[Tensor]:
    """The samples' network inputs, part by part, so that memory stays bounded."""
    for start in range(0, len(ids), _ROWS_AT_ONCE):
        yield view.codec.soften(view.pool.read(ids[start : start + _ROWS_AT_ONCE]))
