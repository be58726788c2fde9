"""Labels that the user owns before the campaign begins: read from a file, checked, and kept out of the holdout."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dataeff_al.digests import Ref
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

    A sample that the pool holds, by its content, goes by its name there and is not asked for again; any other is named
    after its content. Raises DataError when the file's samples or labels have another form than the campaign's, or
    when one of them is a validation or test sample by its content, or of the same group as one.
    """
    reading = Reading(input="mask" if pool.spec.input == "mask" else "x")
    file = read_samples(path, reading)
    _check_form(path, file, pool, target)
    _check_holdout(path, file.samples, pool, splits)
    known = {content: key for key, content in content_digests(pool, [SampleId(k) for k in splits["pool"]]).items()}
    rows = []
    for sample, answer in zip(file.samples, file.answers, strict=True):
        label = Label(answer, _valid(answer[target.name], target), cost=0)
        broken = problem(label, target)
        if broken:
            raise DataError(f"{path.name}: sample {sample.id!r}: {broken}")
        rows.append((_as_in_pool(sample, pool, known), pack_outcome(label)))
    return rows


def _valid(value: np.ndarray, target: TargetSpec) -> np.ndarray | None:
    return np.isfinite(value).all(axis=0) if target.kind == "field" else None


def _check_form(path: Path, file: SampleFile, pool: Pool, target: TargetSpec) -> None:
    if not file.answers or file.target is None or file.target.name != target.name:
        found = file.target.name if file.target else None
        raise DataError(f"{path.name} must hold labels under {target.name!r}, but got {found!r}.")
    if file.spec.input_field.shape != pool.spec.input_field.shape:
        raise DataError(
            f"{path.name} must hold samples of shape {pool.spec.input_field.shape}, but got "
            f"{file.spec.input_field.shape}."
        )


def _content(sample: Sample, pool: Pool) -> Sample:
    """The sample with the pool's fields alone."""
    fields = {name: array for name, array in sample.fields.items() if name in pool.spec.fields}
    return Sample(sample.id, fields, sample.group)


def _as_in_pool(sample: Sample, pool: Pool, known: Mapping[Ref, SampleId]) -> Sample:
    own = _content(sample, pool)
    digest = content_digest(own)
    return replace(own, id=known.get(digest) or SampleId(f"owned-{digest[:16]}"))


def _check_holdout(path: Path, samples: Sequence[Sample], pool: Pool, splits: Mapping[str, Any]) -> None:
    """A group that only repeats the sample's own id was not stated by anybody, and says nothing."""
    held_out = [SampleId(key) for key in (*splits["validation"], *splits["test"])]
    contents = set(content_digests(pool, held_out).values())
    groups = {pool.group(key) for key in held_out if pool.group(key) != key}
    for sample in samples:
        stated = sample.group if sample.group != sample.id else None
        if stated in groups or content_digest(_content(sample, pool)) in contents:
            what = "samples, nor samples of their groups," if stated in groups else "samples"
            raise DataError(f"{path.name} must not hold validation or test {what} but got {sample.id!r}.")
