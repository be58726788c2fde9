"""What a stranger may send to a labeler service is refused with the rule, and nothing of it is begun."""

import json

import grpc
import pytest

from dataeff_al.errors import ConflictError, DataError, LabelingError, RequestError
from dataeff_al.labeling.packing import pack_request
from dataeff_al.rpc import labeler_messages as messages
from dataeff_al.rpc import limits
from dataeff_al.rpc.v1 import labelers_pb2 as pb
from dataeff_al.samples.declared import samples_to_json


@pytest.fixture
def packed(batch):
    return {request.key: pack_request(request) for request in batch}


def test_a_stranger_in_any_language_needs_only_the_messages(client, pool, packed):
    stub = client(effect="blind")._stub
    form = json.dumps(samples_to_json(pool.spec))
    described = stub.Describe(pb.DescribeLabelerRequest(samples=form))
    assert (described.name, described.effect, described.batch) == ("billing", pb.EFFECT_QUERYABLE, 4)
    attempts = [pb.AttemptRequest(attempt=key, request=content) for key, content in packed.items()]
    stub.Start(pb.StartAttemptsRequest(request_id="a", samples=form, attempts=attempts))
    states = set()
    while states != {pb.ATTEMPT_STATE_DONE}:
        answer = stub.Poll(pb.PollAttemptsRequest(attempts=list(packed), wait_s=5))
        states = {each.state for each in answer.attempts}
    assert [each.attempt for each in answer.attempts] == list(packed)
    assert all(each.outcome and each.work_s > 0 for each in answer.attempts)
    stub.Ack(pb.AckAttemptsRequest(request_id="b", attempts=list(packed)))
    stub.Cancel(pb.CancelAttemptsRequest(request_id="c", attempts=list(packed)))
    answer = stub.Poll(pb.PollAttemptsRequest(attempts=list(packed)))
    assert {each.state for each in answer.attempts} == {pb.ATTEMPT_STATE_UNKNOWN}


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("", "must state the form of samples in JSON"),
        ("[]", "must state the form of samples in JSON"),
        ('{"fields": {"x": {"shape": 3}}, "input": "x"}', "must state the form of samples in JSON"),
        ('{"fields": {}, "input": "x"}', "must state the form of samples in JSON"),
        ("[" * 100_000, "must state the form of samples in JSON"),
        (" " * (limits.MAX_FORM + 1), "must state the form of samples in JSON"),
    ],
)
def test_a_form_that_is_none_is_refused(form, words, client):
    with pytest.raises(RequestError, match=words):
        client()._connection.call(client()._stub.Describe, pb.DescribeLabelerRequest(samples=form))


def test_starting_is_all_or_nothing(client, pool, packed, invoices):
    asking = client()
    with pytest.raises(DataError, match="attempt 'bad'"):
        asking.start(pool.spec, {**packed, "bad": b"dalarr01 and no more"})
    assert {each.state for each in asking.poll([*packed, "bad"])} == {"unknown"}
    assert invoices() == []


@pytest.mark.parametrize(
    ("attempts", "words"),
    [
        ([], "attempts must be 1 to 256, but got 0"),
        ([f"k{row}" for row in range(257)], "attempts must be 1 to 256, but got 257"),
        (["../../etc/passwd"], "must be letters, digits"),
        (["a" * 101], "1 to 100 characters"),
        ([""], "1 to 100 characters"),
    ],
)
def test_attempts_have_names_of_bounded_form(attempts, words, client, pool, packed):
    asking, content = client(), next(iter(packed.values()))
    for call in (
        lambda: asking.start(pool.spec, dict.fromkeys(attempts, content)),
        lambda: asking.poll(attempts),
        lambda: asking.ack(attempts),
        lambda: asking.cancel(attempts),
    ):
        with pytest.raises(RequestError, match=words):
            call()


def test_an_attempt_stands_once_in_a_request(client, pool, packed):
    asking, content = client(), next(iter(packed.values()))
    twice = [pb.AttemptRequest(attempt="k0", request=content)] * 2
    request = pb.StartAttemptsRequest(request_id="a", samples=messages.form_text(pool.spec), attempts=twice)
    with pytest.raises(RequestError, match="attempts must differ"):
        asking._connection.call(asking._stub.Start, request)


def test_calls_that_change_something_have_a_name(client, packed):
    asking, content = client(), next(iter(packed.values()))
    attempt = pb.AttemptRequest(attempt="k0", request=content)
    for method, request in (
        ("Start", pb.StartAttemptsRequest(attempts=[attempt])),
        ("Ack", pb.AckAttemptsRequest(attempts=["k0"])),
        ("Cancel", pb.CancelAttemptsRequest(attempts=["k0"], request_id="a b")),
    ):
        with pytest.raises(RequestError, match="request_id must be"):
            asking._connection.call(getattr(asking._stub, method), request)


def test_more_than_a_message_may_hold_is_refused(client, pool):
    with pytest.raises(RequestError, match="bytes together"):
        client().start(pool.spec, {"a": b"x" * (limits.MAX_ARRAYS_BYTES // 2), "b": b"x" * limits.MAX_ARRAYS_BYTES})


@pytest.mark.parametrize("wait_s", [-1.0, 61.0, float("nan"), float("inf")])
def test_nobody_waits_for_ever(wait_s, client):
    asking, request = client(), pb.PollAttemptsRequest(attempts=["a"], wait_s=wait_s)
    with pytest.raises(RequestError, match="wait_s must be 0 to 60"):
        asking._connection.call(asking._stub.Poll, request)


def test_a_known_attempt_keeps_its_question(client, pool, packed):
    asking = client(effect="blind")
    asking.start(pool.spec, {"k0": packed["k0"]})
    asking.start(pool.spec, {"k0": packed["k0"]})
    with pytest.raises(ConflictError, match="must ask what it asked before"):
        asking.start(pool.spec, {"k0": packed["k1"]})


def test_outcomes_that_exceed_a_message_come_one_after_the_other(client, pool, packed, monkeypatch):
    asking = client()
    asking.start(pool.spec, packed)
    while any(each.state == "running" for each in asking.poll(list(packed), 1)):
        pass
    monkeypatch.setattr(limits, "MAX_ARRAYS_BYTES", 10)
    states = [each.state for each in asking.poll(list(packed), 1)]
    assert states == ["done", "running", "running", "running"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "name ''"),
        ({"version": "v" * 65}, "version"),
        ({"effect": pb.EFFECT_UNSPECIFIED}, "effect 0"),
        ({"cost": 5}, "cost 5 and max_cost 1"),
        ({"cost": -1}, "cost -1"),
        ({"batch": 0}, "batch 0"),
        ({"timeout_s": float("nan")}, "timeout_s nan"),
        ({"timeout_s": 0.0}, r"timeout_s 0\.0"),
        ({"target": "{"}, "must state the form of its labels"),
        ({"target": "[1]"}, "must state the form of its labels"),
        ({"target": '{"name": "label", "kind": "class", "colour": 1}'}, "must state the form of its labels"),
    ],
)
def test_a_declaration_that_breaks_the_contract_is_not_believed(changes, words, desk, pool):
    message = messages.info_message(desk().describe(messages.form_text(pool.spec)))
    for name, value in changes.items():
        setattr(message, name, value)
    with pytest.raises(LabelingError, match=words):
        messages.info(message)


def test_a_state_that_says_nothing_is_not_believed():
    with pytest.raises(LabelingError, match="must say how an attempt stands"):
        messages.progress(pb.AttemptProgress(attempt="a"))


def test_the_service_shows_what_it_serves(served):
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(f"127.0.0.1:{served().port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = health.Check(health_pb2.HealthCheckRequest(service="dataeff_al.rpc.v1.LabelerService"))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
