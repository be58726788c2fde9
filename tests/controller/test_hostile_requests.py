"""Every field of every request missing, huge or of nonsense: a fitting refusal, and a server that lives on."""

import re

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dataeff_al.rpc.v1 import campaigns_pb2, labeling_pb2, models_pb2

FINE = {grpc.StatusCode.OK}
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
METHODS = [
    method
    for file in (campaigns_pb2, labeling_pb2, models_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
STREAMS = {"Watch", "Download"}
texts = st.one_of(
    st.just(""),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(
        ["ward-h", "../../etc/passwd", "a" * 300, "x" * 100_000, "\0", "'; drop table events; --", "~", "."]
    ),
)
VALUES = {
    FieldDescriptor.TYPE_STRING: texts,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=64) | st.just(b"\0" * 2_000_000),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1) | st.integers(-1, 3),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1) | st.integers(-1, 3),
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_ENUM: st.integers(-1, 5),
}


def message_type(descriptor):
    return next(
        getattr(file, descriptor.name)
        for file in (campaigns_pb2, labeling_pb2, models_pb2)
        if hasattr(file, descriptor.name)
    )


def requests_of(method):
    """Requests with every field present or absent, sane or not."""
    fields = {}
    for field in method.input_type.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            fields[field.name] = st.dictionaries(texts, VALUES[FieldDescriptor.TYPE_INT64], max_size=3)
        elif field.is_repeated:
            fields[field.name] = st.lists(VALUES[field.type], max_size=3)
        else:
            fields[field.name] = VALUES[field.type]
    kind = message_type(method.input_type)
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: kind(**given))


def status_of(channel, method, request):
    path = f"/{method.containing_service.full_name}/{method.name}"
    serialize = type(request).SerializeToString
    try:
        if method.name in STREAMS:
            list(channel.unary_stream(path, serialize)(request, timeout=20))
        else:
            channel.unary_unary(path, serialize)(request, timeout=20)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.fixture(scope="module")
def channel(target, controller, texts):
    assert controller.create(re.sub("name: .*", "name: ward-h", texts.ward()), (), "hostile").id == "ward-h"
    with grpc.insecure_channel(target) as made:
        yield made


@pytest.mark.parametrize("method", METHODS, ids=lambda method: f"{method.containing_service.name}.{method.name}")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nonsense_gets_a_fitting_refusal(channel, method, data):
    request = data.draw(requests_of(method))
    if method.name == "Watch":
        request.until_idle = True
    assert status_of(channel, method, request) in FINE | REFUSALS


@pytest.mark.parametrize("method", METHODS, ids=lambda method: f"{method.containing_service.name}.{method.name}")
def test_an_empty_request_is_refused_or_harmless(channel, method):
    status = status_of(channel, method, message_type(method.input_type)())
    assert status in ({grpc.StatusCode.OK} if method.name in ("List", "Validate") else REFUSALS)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request_id=st.text(st.characters(exclude_categories=["Cs"]), max_size=120))
@example(request_id="")
@example(request_id="with space")
@example(request_id="é")
@example(request_id="a" * 101)
def test_a_request_id_has_a_form(channel, request_id):
    sane = 0 < len(request_id) <= 100 and all("!" <= letter <= "~" for letter in request_id)
    request = campaigns_pb2.ResumeRequest(request_id=request_id, campaign="nobody")
    method = next(method for method in METHODS if method.name == "Resume")
    status = status_of(channel, method, request)
    assert status is grpc.StatusCode.NOT_FOUND
    request.campaign = "ward-h"
    status = status_of(channel, method, request)
    assert (status is not grpc.StatusCode.INVALID_ARGUMENT) == sane


def test_a_message_beyond_the_limit_is_refused(target):
    options = [("grpc.max_send_message_length", 128 * 2**20)]
    with grpc.insecure_channel(target, options=options) as channel:
        method = next(method for method in METHODS if method.name == "Tell")
        request = labeling_pb2.TellRequest(label=b"\0" * (70 * 2**20))
        assert status_of(channel, method, request) is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_the_server_lives_on(client):
    assert next(iter(client.list())).id
