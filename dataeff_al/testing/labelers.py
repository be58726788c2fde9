"""Contract suite for labelers: call it on yours with a few real samples; it raises AssertionError with a sentence."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.labeling.types import Deferred, Label, Labeler, LabelFailure, Outcome, Request
from dataeff_al.samples.content import content_digest
from dataeff_al.samples.targets import check_target
from dataeff_al.samples.types import Sample, SampleId, TargetSpec

UNKNOWN_CODE = 255


def check_labeler(labeler: Labeler, samples: Sequence[Sample], tolerance: float = 0.0) -> None:
    """Check a labeler on at least two real samples; every check may cost labels.

    ``tolerance``: how far the numbers of a repeated answer may differ, relative to the largest; it is for labelers
    that declare ``deterministic`` up to rounding, and codes must always agree.
    """
    assert len(samples) >= 2, "a labeler must be checked on at least two samples"
    _check_info(labeler)
    assert list(labeler.label([])) == [], "an empty batch must give no outcome"
    batch = [Request(key=f"check-{row}", sample=sample, seed=row) for row, sample in enumerate(samples)]
    before = [content_digest(sample) for sample in samples]
    outcomes = answered(labeler, batch)
    assert [content_digest(sample) for sample in samples] == before, "a labeler must not change its samples"
    assert any(isinstance(outcome, Label | Deferred) for outcome in outcomes), "a real sample must get an answer"
    for outcome in outcomes:
        _check_outcome(labeler, outcome)
    if labeler.info.deterministic:
        _check_same(answered(labeler, batch), outcomes, tolerance, "the same batch asked again")
        _check_same(answered(labeler, batch[::-1])[::-1], outcomes, tolerance, "a batch in another order")
        single = [answered(labeler, [request])[0] for request in batch]
        _check_same(single, outcomes, tolerance, "samples asked one by one")
    _check_hostile(labeler, batch, outcomes, tolerance)


def answered(labeler: Labeler, batch: Sequence[Request]) -> list[Outcome]:
    """The outcomes of a batch. Raises AssertionError when the labeler raises or their number is wrong."""
    try:
        outcomes = list(labeler.label(batch))
    except Exception as error:
        raise AssertionError(f"a labeler must answer with a LabelFailure, but raised {error!r}") from error
    assert len(outcomes) == len(batch), f"there must be one outcome a request, but got {len(outcomes)} for {len(batch)}"
    return outcomes


def _check_info(labeler: Labeler) -> None:
    info = labeler.info
    assert all((info.name, info.version)), "a labeler must have a name and a version"
    assert 0 <= info.cost <= info.max_cost, f"cost must be 0 to max_cost, but got {info.cost} and {info.max_cost}"
    assert min(info.preferred_batch, info.timeout_s) > 0, "batch and timeout must be positive"


def _check_outcome(labeler: Labeler, outcome: Outcome) -> None:
    info = labeler.info
    label = outcome.draft if isinstance(outcome, Deferred) else outcome
    assert label.cost in range(info.max_cost + 1), f"an outcome must cost 0 to {info.max_cost}, but got {label.cost!r}"
    if isinstance(label, LabelFailure):
        assert label.reason, "a failure must have a reason"
        return
    check_label(info.target, label)


def check_label(target: TargetSpec, label: Label) -> None:
    """Raise AssertionError unless a label keeps its target spec and is finite wherever it is valid."""
    try:
        check_target(target, label.target)
    except DataError as error:
        raise AssertionError(str(error)) from error
    assert label.confidence is None or 0 <= label.confidence <= 1, f"confidence must be 0 to 1: {label.confidence!r}"
    if label.valid is not None:
        grid = target.shape[1:] if target.kind == "field" else target.shape
        assert (label.valid.dtype.kind, label.valid.shape) == ("b", grid), f"valid must be {grid} bool"
    if target.kind == "field":
        value = label.target[target.name]
        valid = np.ones(value.shape[1:], bool) if label.valid is None else label.valid
        assert bool(np.isfinite(value[:, valid]).all()), "a field must be finite wherever it is valid"


def _check_same(found: list[Outcome], expected: list[Outcome], tolerance: float, what: str) -> None:
    for one, other in zip(found, expected, strict=True):
        assert type(one) is type(other), f"{what} must give the same kind of outcome"
        first, second = (item.draft if isinstance(item, Deferred) else item for item in (one, other))
        if isinstance(first, Label) and isinstance(second, Label):
            assert _agree(first, second, tolerance), f"{what} must give the same labels"


def _agree(one: Label, other: Label, tolerance: float) -> bool:
    if set(one.target) != set(other.target) or one.cost != other.cost:
        return False
    if not np.array_equal(_grid(one.valid), _grid(other.valid)):
        return False
    return all(_close(one.target[name], other.target[name], tolerance) for name in one.target)


def _close(one: np.ndarray, other: np.ndarray, tolerance: float) -> bool:
    if one.dtype.kind != "f":
        return np.array_equal(one, other)
    scale = float(np.nanmax(np.abs(other), initial=0.0))
    return np.allclose(one, other, rtol=0, atol=tolerance * scale, equal_nan=True)


def _grid(valid: np.ndarray | None) -> np.ndarray:
    return np.array(True) if valid is None else valid


def _check_hostile(labeler: Labeler, batch: list[Request], outcomes: list[Outcome], tolerance: float) -> None:
    bad = Request(key="check-bad", sample=spoilt(batch[0].sample))
    found = answered(labeler, [batch[0], bad, batch[1]])
    assert isinstance(found[1], LabelFailure), (
        f"a NaN or unknown-code input must be a LabelFailure, but got {found[1]!r}"
    )
    if labeler.info.deterministic:
        _check_same([found[0], found[2]], outcomes[:2], tolerance, "neighbours of a bad sample")


def spoilt(sample: Sample) -> Sample:
    """The sample with nothing but NaN in its numbers and nothing but the unknown code 255 in its masks."""
    fields = {name: np.full_like(array, _spoil(array)) for name, array in sample.fields.items()}
    return replace(sample, id=SampleId(f"{sample.id}-spoilt"), fields=fields)


def _spoil(array: np.ndarray) -> float | int:
    return np.nan if array.dtype.kind == "f" else UNKNOWN_CODE
