"""Requests and outcomes as blobs, so that they can cross a process and outlive it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.labeling.types import Deferred, Label, LabelFailure, Outcome, Request
from dataeff_al.samples.types import Sample, SampleId
from dataeff_al.stores.arrays import pack, unpack

_SAMPLE = "sample/"
_TARGET = "target/"
_VALID = "valid"


def _prefixed(prefix: str, fields: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {prefix + name: np.asarray(array) for name, array in fields.items()}


def _under(prefix: str, fields: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in fields.items() if name.startswith(prefix)}


def pack_sample(sample: Sample) -> bytes:
    """A sample as a blob."""
    return pack(_prefixed(_SAMPLE, sample.fields), {"id": sample.id, "group": sample.group})


def unpack_sample(content: bytes) -> Sample:
    """The sample that :func:`pack_sample` wrote. Raises DataError when it is none."""
    fields, meta = unpack(content)
    return _sample(fields, meta)


def _sample(fields: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> Sample:
    try:
        return Sample(SampleId(meta["id"]), _under(_SAMPLE, fields), meta["group"])
    except KeyError as error:
        raise DataError(f"a packed sample must state its id and group, but got no {error}.") from error


def _label_fields(label: Label) -> dict[str, np.ndarray]:
    fields = _prefixed(_TARGET, label.target)
    if label.valid is not None:
        fields[_VALID] = np.asarray(label.valid, dtype=bool)
    return fields


def _label_meta(label: Label) -> dict[str, Any]:
    return {"cost": label.cost, "confidence": label.confidence, "notes": dict(label.notes)}


def _label(fields: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> Label:
    return Label(
        target=_under(_TARGET, fields),
        valid=fields.get(_VALID),
        cost=int(meta["cost"]),
        confidence=meta["confidence"],
        notes=meta["notes"],
    )


@contextmanager
def _stated(what: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"a packed {what} must state everything that belongs to one, but got {error!r}.") from error


def pack_request(request: Request) -> bytes:
    """A request as a blob, without its key: the same question has the same digest at every attempt."""
    fields = _prefixed(_SAMPLE, request.sample.fields)
    meta: dict[str, Any] = {
        "id": request.sample.id,
        "group": request.sample.group,
        "fidelity": request.fidelity,
        "seed": request.seed,
        "draft": None,
    }
    if request.measures:
        meta["measures"] = True
    if request.draft is not None:
        fields |= _label_fields(request.draft)
        meta["draft"] = _label_meta(request.draft)
    return pack(fields, meta)


def unpack_request(content: bytes, key: str) -> Request:
    """The request that :func:`pack_request` wrote, under an attempt's key. Raises DataError when it is none."""
    fields, meta = unpack(content)
    with _stated("request"):
        draft = None if meta["draft"] is None else _label(fields, meta["draft"])
        measures = bool(meta.get("measures", False))
        return Request(key, _sample(fields, meta), meta["fidelity"], meta["seed"], draft, measures)


def pack_outcome(outcome: Outcome) -> bytes:
    """An outcome as a blob, without a label's times: the same answer has the same digest."""
    if isinstance(outcome, LabelFailure):
        meta = {"outcome": "failure", "reason": outcome.reason, "kind": outcome.kind, "cost": outcome.cost}
        return pack({}, meta)
    if isinstance(outcome, Deferred):
        meta = {"outcome": "deferred", "confidence_in_draft": outcome.confidence, "reason": outcome.reason}
        return pack(_label_fields(outcome.draft), {**_label_meta(outcome.draft), **meta})
    return pack(_label_fields(outcome), {**_label_meta(outcome), "outcome": "label"})


def packed(outcome: Outcome) -> bytes:
    """An outcome as a blob; when it cannot be one, the failure that says so and costs as much."""
    try:
        return pack_outcome(outcome)
    except DataError as error:
        return pack_outcome(LabelFailure(f"the answer cannot be kept: {error}", "bad_label", outcome.cost))


def unpack_outcome(content: bytes) -> Outcome:
    """The outcome that :func:`pack_outcome` wrote. Raises DataError when it is none."""
    fields, meta = unpack(content)
    with _stated("outcome"):
        if meta["outcome"] == "failure":
            return LabelFailure(meta["reason"], meta["kind"], meta["cost"])
        if meta["outcome"] == "deferred":
            return Deferred(_label(fields, meta), meta["confidence_in_draft"], meta["reason"])
        return _label(fields, meta)


def unpack_label(content: bytes) -> Label:
    """The label among outcomes. Raises DataError when the outcome is another."""
    outcome = unpack_outcome(content)
    if not isinstance(outcome, Label):
        raise DataError(f"a labelled query must refer to a label, but got a {type(outcome).__name__}.")
    return outcome
