import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dataeff_al.errors import DataError
from dataeff_al.labeling.packing import (
    pack_outcome,
    pack_request,
    pack_sample,
    unpack_label,
    unpack_outcome,
    unpack_request,
    unpack_sample,
)
from dataeff_al.labeling.types import Deferred, Label, LabelFailure, Request, Times
from dataeff_al.samples.types import Sample, SampleId
from dataeff_al.stores.arrays import pack

TEXT = st.text(max_size=8)
ARRAYS = arrays.arrays(
    st.sampled_from([np.float32, np.uint8, np.int64]), arrays.array_shapes(min_dims=0, max_dims=3, max_side=3)
)
FIELDS = st.dictionaries(TEXT, ARRAYS, max_size=3)
SAMPLES = st.builds(Sample, TEXT.map(SampleId), FIELDS, TEXT)
LABELS = st.builds(
    Label,
    target=FIELDS,
    valid=st.none() | arrays.arrays(np.bool_, (2, 2)),
    cost=st.integers(0, 10**15),
    confidence=st.none() | st.floats(0, 1),
    notes=st.dictionaries(TEXT, TEXT, max_size=2),
)
FAILURES = st.builds(
    LabelFailure, TEXT, st.sampled_from(["infra", "timeout", "bad_label", "refused"]), st.integers(0, 9)
)
OUTCOMES = LABELS | FAILURES | st.builds(Deferred, LABELS, st.floats(0, 1), TEXT)


def _same_arrays(one, other):
    assert set(one) == set(other)
    for name in one:
        assert one[name].dtype == other[name].dtype
        assert np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f")


def _same_label(one, other):
    _same_arrays(one.target, other.target)
    assert (one.valid is None) == (other.valid is None)
    assert one.valid is None or np.array_equal(one.valid, other.valid)
    assert (one.cost, one.confidence, dict(one.notes)) == (other.cost, other.confidence, dict(other.notes))


@given(SAMPLES)
def test_a_sample_comes_back_as_it_was(sample):
    found = unpack_sample(pack_sample(sample))
    assert (found.id, found.group) == (sample.id, sample.group)
    _same_arrays(found.fields, sample.fields)


@given(OUTCOMES)
def test_an_outcome_comes_back_as_it_was(outcome):
    found = unpack_outcome(pack_outcome(outcome))
    assert type(found) is type(outcome)
    if isinstance(outcome, LabelFailure):
        assert found == outcome
        return
    if isinstance(outcome, Deferred):
        assert (found.confidence, found.reason) == (outcome.confidence, outcome.reason)
        found, outcome = found.draft, outcome.draft
    _same_label(found, outcome)


@given(SAMPLES, st.none() | LABELS, st.integers(0, 2**63 - 1))
def test_a_request_comes_back_under_the_key_that_it_is_given(sample, draft, seed):
    found = unpack_request(pack_request(Request("left out", sample, "coarse", seed, draft)), "key")
    assert (found.key, found.fidelity, found.seed) == ("key", "coarse", seed)
    _same_arrays(found.sample.fields, sample.fields)
    assert (found.draft is None) == (draft is None)
    if draft is not None:
        _same_label(found.draft, draft)


def test_the_same_answer_has_the_same_bytes_however_long_it_took():
    quick, slow = (Label({"label": np.int64(1)}, times=Times(work_s=s)) for s in (0.1, 9.0))
    assert pack_outcome(quick) == pack_outcome(slow)


@pytest.mark.parametrize("unpack", [unpack_outcome, unpack_sample, lambda content: unpack_request(content, "k")])
@pytest.mark.parametrize(
    "content", [b"", b"no blob", pack({}), pack({}, {"outcome": "label"}), pack({}, {"draft": {}})]
)
def test_what_is_none_is_refused(unpack, content):
    with pytest.raises(DataError):
        unpack(content)


@pytest.mark.parametrize("other", [LabelFailure("no"), Deferred(Label({}), 0.5)])
def test_a_labelled_query_needs_a_label(other):
    with pytest.raises(DataError, match="must refer to a label"):
        unpack_label(pack_outcome(other))
