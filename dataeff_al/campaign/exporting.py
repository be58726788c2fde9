"""Taking away what a run has made: its model as it stands, and every sample that was labelled for it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dataeff_al.blobs import Blobs
from dataeff_al.campaign.outcome import MODEL, write_file, write_json
from dataeff_al.campaign.run_folder import RunFolder
from dataeff_al.campaign.state import QueryState, State
from dataeff_al.digests import Ref
from dataeff_al.errors import DataError, NotFoundError
from dataeff_al.events import Purpose, account_of
from dataeff_al.labeling.check import as_declared
from dataeff_al.labeling.npz_writing import label_arrays, sample_arrays
from dataeff_al.labeling.packing import unpack_label, unpack_request
from dataeff_al.labeling.types import Label
from dataeff_al.samples.archive import write_arrays
from dataeff_al.samples.declared import samples_from_json, target_from_json
from dataeff_al.samples.types import Sample, SampleSpec, TargetSpec
from dataeff_al.stores.arrays import unpack

Part = Literal["all", "training", "evaluation"]
PURPOSES: tuple[Purpose, ...] = ("initial", "acquire", "validation", "test", "reference")


def export_model(run: RunFolder, out: Path) -> Path:
    """Copy the model to a file, or into a folder, with its card as JSON beside it; returns the model's path.

    Raises NotFoundError before the first model.
    """
    state, card = run.model()
    path = out / MODEL if out.is_dir() else out
    if not path.parent.is_dir():
        raise DataError(f"the output must be in an existing folder, but got {str(out)!r}.")
    write_file(path, state)
    write_json(path.with_suffix(".json"), card)
    return path


@dataclass(frozen=True)
class _Row:
    """One labelled sample of one campaign of the run."""

    campaign: str
    query: QueryState
    sample: Sample
    label: Label
    walk: dict[str, np.ndarray]
    told: dict[str, Any]


def export_dataset(run: RunFolder, out: Path, part: Part = "all", *, twins: bool = False) -> int:
    """Write the labelled samples as one npz file; returns how many.

    Beside samples and labels: ``campaign``, ``purpose`` (initial, acquire, validation, test, reference), ``round``,
    ``slot``, ``synthesised``, ``cost``, and of the queries' provenance ``parent``, ``step``, ``score``, ``model`` (the
    digest of the model that asked) and ``latent`` ``(n, l)``, NaN where there is none. ``twins``: theirs too; a sample
    that several labelled is written once. Raises NotFoundError when nothing is labelled.
    """
    states = run.states()
    chosen = states if twins else states[:1]
    rows = _unique(row for state in chosen for row in _rows(state, run.blobs, part))
    if not rows:
        raise NotFoundError(f"the run must have labelled samples ({part}), but got none in {str(run.folder)!r}.")
    spec, target = _forms(states[0], run.blobs)
    samples = [row.sample for row in rows]
    arrays = sample_arrays(_shared(spec, samples), samples)
    if target.name in arrays:
        raise DataError(f"samples and labels must differ in name, but got {target.name!r} for both.")
    write_arrays(out, arrays | label_arrays(target, [as_declared(row.label, target) for row in rows]) | _about(rows))
    return len(rows)


def _rows(state: State, blobs: Blobs, part: Part) -> Iterator[_Row]:
    wanted = [p for p in PURPOSES if part == "all" or (account_of(p) == "queries") == (part == "training")]
    for purpose in wanted:
        for query in state.labelled(purpose):
            assert query.label is not None
            sample = unpack_request(blobs.get(Ref(query.request)), "").sample
            walk, told = unpack(blobs.get(Ref(query.provenance))) if query.provenance else ({}, {})
            yield _Row(state.id, query, sample, unpack_label(blobs.get(Ref(query.label))), walk, told)


def _unique(rows: Iterator[_Row]) -> list[_Row]:
    first: dict[str, _Row] = {}
    for row in rows:
        first.setdefault(row.sample.id, row)
    return list(first.values())


def _forms(state: State, blobs: Blobs) -> tuple[SampleSpec, TargetSpec]:
    assert state.pool is not None
    assert state.created is not None
    samples = json.loads(blobs.get(Ref(state.pool.splits)))["samples"]
    return samples_from_json(samples), target_from_json(state.created.target)


def _shared(spec: SampleSpec, samples: Sequence[Sample]) -> SampleSpec:
    """The fields that every sample has: an invented one has the input field alone."""
    fields = {name: form for name, form in spec.fields.items() if all(name in sample.fields for sample in samples)}
    return SampleSpec(fields, spec.input)


def _about(rows: Sequence[_Row]) -> dict[str, np.ndarray]:
    queries, told = [row.query for row in rows], [row.told for row in rows]
    arrays = {
        "campaign": np.array([row.campaign for row in rows]),
        "purpose": np.array([query.purpose for query in queries]),
        "round": np.array([query.round for query in queries], np.int64),
        "slot": np.array([query.slot for query in queries], np.int64),
        "synthesised": np.array([query.synthesised for query in queries]),
        "cost": np.array([query.cost for query in queries], np.int64),
        "parent": np.array([each.get("parent") or "" for each in told]),
        "step": np.array([each.get("step", 0) for each in told], np.int64),
        "score": np.array([each.get("score", np.nan) for each in told], np.float32),
        "model": np.array([each.get("model") or "" for each in told]),
    }
    return arrays | _latents(rows)


def _latents(rows: Sequence[_Row]) -> dict[str, np.ndarray]:
    sizes = {row.walk["latent"].shape for row in rows if "latent" in row.walk}
    if len(sizes) != 1:
        return {}
    none = np.full(sizes.pop(), np.nan, np.float32)
    return {"latent": np.stack([row.walk.get("latent", none) for row in rows])}
