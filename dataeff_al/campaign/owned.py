"""Labels that the user owns before the campaign begins: read from a file, checked, and kept out of the holdout."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dataeff_al.errors import DataError
from dataeff_al.labeling.check import problem
from dataeff_al.labeling.packing import pack_outcome
from dataeff_al.labeling.types import Label
from dataeff_al.samples.content import content_digest, content_digests
from dataeff_al.samples.npz import Reading, SampleFile, read_samples
from dataeff_al.samples.protocol import Pool
from dataeff_al.samples.types import Sample, SampleId, TargetSpec


def owned_labels(
    path: Path, pool: Pool, target: TargetSpec, splits: Mapping[str, Any]
) -> Sequence[tuple[Sample, bytes]]:
    """The file's samples with their labels, packed.

    Raises DataError when the file's samples or labels have another form than the campaign's, or when one of them is a
    validation or test sample by its content.
    """
    reading = Reading(input="mask" if pool.spec.input == "mask" else "x")
    file = read_samples(path, reading)
    _check_form(path, file, pool, target)
    holdout = {*splits["validation"], *splits["test"]}
    kept_apart = set(content_digests(pool, [SampleId(key) for key in holdout]).values())
    rows = []
    for sample, answer in zip(file.samples, file.answers, strict=True):
        label = Label(target=answer, cost=0)
        broken = problem(label, target)
        if broken:
            raise DataError(f"{path.name}: sample {sample.id!r}: {broken}")
        rows.append((_as_in_pool(sample, pool), pack_outcome(label)))
    _check_holdout(path, [sample for sample, _ in rows], kept_apart)
    return rows


def _check_form(path: Path, file: SampleFile, pool: Pool, target: TargetSpec) -> None:
    if not file.answers or file.target is None or file.target.name != target.name:
        found = file.target.name if file.target else None
        raise DataError(f"{path.name} must hold labels under {target.name!r}, but got {found!r}.")
    if file.spec.input_field.shape != pool.spec.input_field.shape:
        raise DataError(
            f"{path.name} must hold samples of shape {pool.spec.input_field.shape}, but got "
            f"{file.spec.input_field.shape}."
        )


def _as_in_pool(sample: Sample, pool: Pool) -> Sample:
    """The sample with the pool's fields alone; under its own id, by which a pool sample is not asked for again."""
    fields = {name: array for name, array in sample.fields.items() if name in pool.spec.fields}
    return Sample(sample.id, fields, sample.group)


def _check_holdout(path: Path, samples: Sequence[Sample], kept_apart: set[Any]) -> None:
    for sample in samples:
        if content_digest(sample) in kept_apart:
            raise DataError(
                f"{path.name} must not hold validation or test samples of this campaign, but got {sample.id!r}."
            )
