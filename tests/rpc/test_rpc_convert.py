from dataclasses import fields

import numpy as np
import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st

from dataeff_al.campaign.state import Account
from dataeff_al.errors import Problem
from dataeff_al.events import Paused, Resumed
from dataeff_al.labeling.packing import pack_request
from dataeff_al.labeling.types import Request
from dataeff_al.rpc import convert
from dataeff_al.rpc.types import CampaignInfo, Form, Lease, ModelCard, Page, Receipt, Renewed, UnknownAttempt
from dataeff_al.rpc.v1 import campaigns_pb2, labelers_pb2, labeling_pb2, models_pb2
from dataeff_al.samples.types import FieldSpec, Sample, SampleSpec, TargetSpec
from dataeff_al.stores.protocol import StoredEvent

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
number = st.integers(0, 2**62)
seconds = st.floats(0, 1e12)
accounts = st.builds(Account, number, number, number, number)
unknowns = st.builds(UnknownAttempt, text, text, text, text, text)
infos = st.builds(
    CampaignInfo,
    id=text,
    name=text,
    parent=text,
    status=st.sampled_from(["running", "paused", "cancelling", "cancelled", "finished"]),
    activity=st.sampled_from(["queued", "driven", "idle"]),
    reason=text,
    outcome=text,
    problem=text,
    events=number,
    created_at=seconds,
    round=st.integers(-1, 2**31 - 1),
    labels=number,
    unit=text,
    queries=accounts,
    evaluation=accounts,
    extra=number,
    metric=text,
    target=st.none() | seconds,
    validation=st.none() | seconds,
    reached=st.none() | st.booleans(),
    members=st.lists(text, max_size=3).map(tuple),
    unknown=st.lists(unknowns, max_size=3).map(tuple),
    spec_yaml=text,
)


def sent(message):
    """The message as it arrives."""
    return type(message).FromString(message.SerializeToString())


@given(infos)
def test_a_campaign_survives_the_wire(info):
    assert convert.campaign(sent(convert.campaign_message(info))) == info


@given(st.lists(infos, max_size=3).map(tuple), text)
def test_a_page_survives_the_wire(rows, token):
    assert convert.page(sent(convert.page_message(Page(rows, token)))) == Page(rows, token)


def test_every_field_of_a_campaign_travels():
    names = {field.name for field in campaigns_pb2.Campaign.DESCRIPTOR.fields}
    assert names == {field.name for field in fields(CampaignInfo)}


@given(text, number, seconds, text)
def test_an_event_survives_the_wire(campaign, n, at, reason):
    event = Paused(cause="user", reason=reason)
    found = convert.event(sent(convert.event_message(StoredEvent(campaign, n, 1, at, event))))
    assert (found.campaign, found.n, found.at, found.kind, found.event) == (campaign, n, at, "paused", event)
    assert found.data == {"kind": "paused", "cause": "user", "reason": reason}


def test_an_event_of_a_kind_that_is_not_known_here_can_still_be_read_as_data():
    message = campaigns_pb2.Event(campaign="c", n=1, kind="moved", body='{"kind": "moved", "to": "there"}')
    found = convert.event(sent(message))
    assert found.data["to"] == "there"
    with pytest.raises(ValueError, match="moved"):
        _ = found.event


@given(text, st.integers(0, 2**31 - 1), text)
def test_a_problem_survives_the_wire(path, line, message):
    problem = Problem(path, line, message)
    assert convert.problem(sent(convert.problem_message(problem))) == problem


@pytest.mark.parametrize("verdict", ["lost", "wasted"])
def test_a_verdict_survives_the_wire(verdict):
    message = campaigns_pb2.SettleRequest(verdict=convert.verdict_number(verdict))
    assert convert.verdict(sent(message).verdict) == verdict


def test_no_verdict_is_none():
    assert convert.verdict(campaigns_pb2.SettleRequest().verdict) is None
    assert convert.verdict(17) is None


@given(text, text, text, seconds, st.binary(max_size=40))
def test_a_lease_survives_the_wire(attempt, campaign, query, deadline, packed):
    lease = Lease(attempt, campaign, query, deadline, packed)
    assert convert.lease(sent(convert.lease_message(lease))) == lease


def test_a_lease_holds_the_question_with_its_arrays():
    sample = Sample("s", {"x": np.arange(6, dtype=np.float32).reshape(1, 2, 3)}, "g")
    lease = Lease("a", "c", "q", 1.0, pack_request(Request("", sample, seed=3)))
    found = convert.lease(sent(convert.lease_message(lease))).request
    assert (found.key, found.seed, found.sample.id, found.sample.group) == ("a", 3, "s", "g")
    np.testing.assert_array_equal(found.sample.fields["x"], sample.fields["x"])


@given(seconds, st.lists(text, max_size=3).map(tuple))
def test_renewed_leases_survive_the_wire(deadline, attempts):
    assert convert.renewed(sent(convert.renewed_message(Renewed(deadline, attempts)))) == Renewed(deadline, attempts)


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("booking", ["posted", "extra"])
def test_a_receipt_survives_the_wire(booking, repeated):
    receipt = Receipt(booking, "ab", repeated)
    assert convert.receipt(sent(convert.receipt_message(receipt))) == receipt


@given(text, st.integers(0, 2**31), st.lists(text, min_size=2, max_size=3).map(tuple))
def test_the_form_of_samples_and_labels_survives_the_wire(instructions, cost, classes):
    image = FieldSpec((1, 8, 8), "float32", "intensity", range=(0.0, 1.0), pixel_size_mm=0.5)
    target = TargetSpec(name="label", kind="class", shape=(), classes=classes)
    form = Form(SampleSpec({"x": image}, "x"), target, instructions, cost)
    assert convert.form(sent(convert.form_message(form))) == form


@given(text, number, st.dictionaries(text, text | number, max_size=3))
def test_a_model_card_survives_the_wire(digest, size, card):
    found = ModelCard(digest, size, card)
    assert convert.card(sent(convert.card_message(found))) == found


def test_enums_say_nothing_when_nothing_was_said():
    for file in (campaigns_pb2, labeling_pb2, models_pb2):
        for name, enum in file.DESCRIPTOR.enum_types_by_name.items():
            assert enum.values_by_number[0].name.endswith("_UNSPECIFIED"), name


def test_every_call_that_changes_something_carries_a_request_id():
    reads = {"ValidateRequest", "GetRequest", "ListRequest", "WatchRequest", "DownloadRequest"}
    reads |= {"DescribeRequest", "ListLeasedRequest", "PredictRequest", "DescribeLabelerRequest", "PollAttemptsRequest"}
    for file in (campaigns_pb2, labelers_pb2, labeling_pb2, models_pb2):
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                wanted = method.input_type.name not in reads
                field = method.input_type.fields_by_name.get("request_id")
                assert (field is not None) == wanted, method.full_name
                assert field is None or field.type == FieldDescriptor.TYPE_STRING


def test_an_event_of_every_kind_is_sent_under_its_own_name():
    assert convert.event_message(StoredEvent("c", 1, 1, 0.0, Resumed())).kind == "resumed"
