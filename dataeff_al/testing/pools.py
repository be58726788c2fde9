"""Contract suites for pools and codecs: call them on yours; they raise AssertionError with a sentence."""

import re
from collections.abc import Sequence

import numpy as np
import torch

from dataeff_al.errors import DataError
from dataeff_al.samples.content import content_digest
from dataeff_al.samples.protocol import AnsweredPool, Codec, Pool
from dataeff_al.samples.targets import check_target
from dataeff_al.samples.types import Invalid, Sample, SampleId, SampleSpec

NOBODY = SampleId("no sample has this id")


def check_pool(pool: Pool, rebuilt: Pool | None = None, most: int = 24) -> None:
    """Check a pool on at most ``most`` of its samples, spread over its ids.

    ``rebuilt``: the same pool built again, which must have the same digest, ids and content.
    """
    ids = list(pool.ids())
    assert ids, "a pool must have at least one id"
    assert len(set(ids)) == len(ids), "ids must be unique"
    assert list(pool.ids()) == ids, "ids must come in the same order every time"
    assert re.fullmatch("[0-9a-f]{64}", pool.digest), "digest must be a sha256"
    some = spread(ids, most)
    _check_reading(pool, some)
    _check_groups(pool, ids, some)
    _check_unknown(pool)
    if isinstance(pool, AnsweredPool):
        _check_answers(pool, some)
    if rebuilt is not None:
        _check_rebuilt(pool, rebuilt, some)
    check_codec(pool.codec(), pool.read(some))


def check_codec(codec: Codec, samples: Sequence[Sample], codes_differ: float = 0.0, tolerance: float = 1e-4) -> None:
    """Check a codec on real samples.

    ``codes_differ``: the share of class codes that may change on the way there and back; ``tolerance``: how far
    numbers may, in units of the codec's tensor.
    """
    before = [content_digest(sample) for sample in samples]
    x = codec.soften(samples)
    assert [content_digest(sample) for sample in samples] == before, "soften must not change its samples"
    assert x.shape == (len(samples), *codec.tensor.shape), f"soften must give {codec.tensor.shape} a sample"
    assert x.dtype == torch.float32, f"soften must give float32, but got {x.dtype}"
    assert bool(torch.isfinite(x).all()), "soften must give finite numbers"
    _check_kind(codec, x)
    single = torch.cat([codec.soften([sample]) for sample in samples])
    assert torch.equal(single, x), "soften must not depend on how samples are batched"
    _check_hardening(codec, x, codes_differ, tolerance)
    _check_not_finite(codec, x)


def spread(ids: Sequence[SampleId], most: int) -> list[SampleId]:
    """At most ``most`` ids, evenly spread, the first and the last among them."""
    rows = np.unique(np.linspace(0, len(ids) - 1, min(most, len(ids))).astype(int))
    return [ids[row] for row in rows]


def _check_reading(pool: Pool, some: list[SampleId]) -> None:
    samples = list(pool.read(some))
    assert [sample.id for sample in samples] == some, "read must give the samples in the order asked for"
    for sample in samples:
        _check_form(pool.spec, sample)
    contents = {sample.id: content_digest(sample) for sample in samples}
    backwards = {sample.id: content_digest(sample) for sample in pool.read(some[::-1])}
    assert backwards == contents, "a sample must not depend on what is read beside it"
    for array in samples[0].fields.values():
        if array.flags.writeable:
            array[...] = 0
    assert content_digest(pool.read(some[:1])[0]) == contents[some[0]], (
        "changing what was read must not change the pool"
    )
    assert list(pool.read([])) == [], "reading nothing must give nothing"


def _check_form(spec: SampleSpec, sample: Sample) -> None:
    assert set(sample.fields) == set(spec.fields), f"{sample.id!r} must hold the fields {sorted(spec.fields)}"
    for name, form in spec.fields.items():
        array = sample.fields[name]
        assert array.shape == form.shape, f"{name!r} must be {form.shape}, but got {array.shape} in {sample.id!r}"
        assert array.dtype == np.dtype(form.dtype), f"{name!r} must be {form.dtype}, but got {array.dtype}"
        assert bool(np.isfinite(array).all()), f"{name!r} must be finite in {sample.id!r}"
        if form.kind == "codes":
            assert int(array.max()) < len(form.classes), f"{name!r} must hold declared codes in {sample.id!r}"
        if form.range is not None:
            low, high = form.range
            assert ((low <= array) & (array <= high)).all(), f"{name!r} must lie in {form.range} in {sample.id!r}"


def _check_groups(pool: Pool, ids: list[SampleId], some: list[SampleId]) -> None:
    for sample in pool.read(some):
        assert sample.group, "a group must have a name"
        assert sample.group == pool.group(sample.id), "a sample must carry its pool's group"
        parts = pool.parts(sample.id)
        assert parts, "a sample must have at least one part, itself if nothing else"
        assert {pool.group(part) for part in parts} == {sample.group}, "a part must be in the group of its whole"
        assert [part.id for part in pool.read(parts)] == list(parts), "parts must be readable"
    held_out = set(pool.held_out())
    assert held_out <= set(ids), "held-out ids must be among the ids"
    apart = {pool.group(sample_id) for sample_id in held_out}
    free = {pool.group(sample_id) for sample_id in ids if sample_id not in held_out}
    assert not apart & free, "no group may have both held-out and other samples"


def _check_unknown(pool: Pool) -> None:
    try:
        pool.read([NOBODY])
    except DataError:
        return
    raise AssertionError("reading an unknown id must raise DataError")


def _check_answers(pool: AnsweredPool, some: list[SampleId]) -> None:
    answers = list(pool.answers(some))
    assert len(answers) == len(some), "there must be one answer an id"
    for answer in answers:
        check_target(pool.target, answer)
    for answer, again in zip(answers, list(pool.answers(some[::-1]))[::-1], strict=True):
        assert np.array_equal(
            answer[pool.target.name], again[pool.target.name], equal_nan=pool.target.kind == "field"
        ), "an answer must not depend on what is asked beside it"


def _check_rebuilt(pool: Pool, rebuilt: Pool, some: list[SampleId]) -> None:
    assert rebuilt.digest == pool.digest, "a pool built again must have the same digest"
    assert list(rebuilt.ids()) == list(pool.ids()), "a pool built again must have the same ids"
    for first, second in zip(pool.read(some), rebuilt.read(some), strict=True):
        assert content_digest(first) == content_digest(second), f"{first.id!r} must be the same when built again"


def _check_kind(codec: Codec, x: torch.Tensor) -> None:
    if codec.tensor.kind == "intensity":
        assert bool(((x >= 0) & (x <= 1)).all()), "intensities must be softened into [0, 1]"
    if codec.tensor.kind == "codes":
        total = x.sum(dim=1)
        assert float(x.min()) >= 0, "class probabilities must not be negative"
        assert float((total - 1).abs().max()) <= 1e-4, "class probabilities must sum to one over channel 0"


def _check_hardening(codec: Codec, x: torch.Tensor, codes_differ: float, tolerance: float) -> None:
    kept = x.clone()
    hard = codec.harden(x)
    assert torch.equal(x, kept), "harden must not change its tensor"
    assert len(hard) == len(x), "harden must give one result a row"
    valid = [sample for sample in hard if isinstance(sample, Sample)]
    assert len(valid) == len(hard), f"real samples must pass the gate, but got {_reasons(hard)}"
    again = [sample.id for sample in codec.harden(x) if isinstance(sample, Sample)]
    assert again == [sample.id for sample in valid], "a hardened sample's id must come from its content"
    for sample in valid:
        assert sample.group == sample.id, "a hardened sample's group must be its own id"
    contents = {sample.id: content_digest(sample) for sample in valid}
    assert len(set(contents.values())) == len(contents), "different content must have different ids"
    _check_return(codec, x, codec.soften(valid), codes_differ, tolerance)


def _check_return(codec: Codec, x: torch.Tensor, back: torch.Tensor, codes_differ: float, tolerance: float) -> None:
    if codec.tensor.kind == "codes":
        share = float((back.argmax(dim=1) != x.argmax(dim=1)).float().mean())
        assert share <= codes_differ, f"codes must survive the way there and back, but {share:.1%} changed"
        return
    error = float((back - x).abs().max())
    assert error <= tolerance, f"numbers must survive the way there and back within {tolerance}, but got {error}"


def _check_not_finite(codec: Codec, x: torch.Tensor) -> None:
    broken = x[:2].clone()
    broken[0, ...] = torch.nan
    hard = codec.harden(broken)
    assert isinstance(hard[0], Invalid), "a tensor that is not finite must be Invalid"
    assert hard[0].reason, "an Invalid must have a reason"
    assert len(hard) < 2 or isinstance(hard[1], Sample), "a bad row must not spoil the next one"
    assert len(codec.harden(x[:0])) == 0, "hardening nothing must give nothing"


def _reasons(hard: Sequence[Sample | Invalid]) -> list[str]:
    return sorted({item.reason for item in hard if isinstance(item, Invalid)})
