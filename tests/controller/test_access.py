import hashlib
import subprocess
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from dataeff_al.addresses import is_loopback
from dataeff_al.errors import AccessError, RequestError
from dataeff_al.rpc import Client
from dataeff_al.rpc.v1 import campaigns_pb2, campaigns_pb2_grpc, labeling_pb2, models_pb2
from services.rpc.access import Binding, lets_in, read_tokens

TOKEN = "correct horse battery staple"
HASH = hashlib.sha256(TOKEN.encode()).hexdigest()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_needs_no_token(host):
    Binding(host).check()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
@pytest.mark.parametrize("tokens", [None, (), (b"x" * 32,)])
def test_anything_else_needs_tls_and_tokens(host, tokens):
    assert not is_loopback(host)
    with pytest.raises(AccessError, match="TLS and tokens"):
        Binding(host, tokens=tokens).check()
    with pytest.raises(AccessError):
        Binding(host, certificate=Path("c"), key=Path("k")).check()


def test_with_both_it_may_be_reached():
    Binding("0.0.0.0", certificate=Path("c"), key=Path("k"), tokens=(b"x" * 32,)).check()


def test_half_of_tls_is_refused():
    with pytest.raises(RequestError):
        Binding(certificate=Path("c")).check()


def test_a_token_file_holds_hashes(tmp_path):
    path = tmp_path / "tokens"
    path.write_text(f"# who may\n{HASH}  anna\n\n{'0' * 64}\n")
    tokens = read_tokens(path)
    assert lets_in(tokens, TOKEN)
    assert not lets_in(tokens, TOKEN + "x")
    assert not lets_in(tokens, "")
    assert not lets_in(tokens, HASH)


@pytest.mark.parametrize("text", ["", "# only words\n", TOKEN, HASH[:-1], HASH.upper()])
def test_a_token_file_without_hashes_is_refused_and_not_shown(tmp_path, text):
    path = tmp_path / "tokens"
    path.write_text(text)
    with pytest.raises(RequestError) as caught:
        read_tokens(path)
    assert "battery" not in str(caught.value)


def test_a_token_file_must_be_there(tmp_path):
    with pytest.raises(RequestError):
        read_tokens(tmp_path / "none")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server over TLS that wants a token: its target, its certificate."""
    from services.controller.assembly import controller_at, inline_hosts
    from services.controller.confined import Admission

    folder = tmp_path_factory.mktemp("guarded")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    with controller_at(folder / "store", None, Admission(folder), inline_hosts, most=1) as controller:
        binding = Binding(port=0, certificate=certificate, key=key, tokens=(bytes.fromhex(HASH),))
        from services.local import Background

        with Background(controller, binding) as served:
            yield served.target, certificate


def test_a_holder_of_a_token_is_let_in_over_tls(guarded):
    target, certificate = guarded
    with Client(target, token=TOKEN, ca=certificate) as client:
        assert list(client.list()) == []


@pytest.mark.parametrize("token", [None, "wrong", HASH])
def test_anybody_else_is_not(guarded, token):
    target, certificate = guarded
    with Client(target, token=token, ca=certificate) as client:
        with pytest.raises(AccessError):
            client.get("x")
        with pytest.raises(AccessError):
            list(client.watch("x"))


def test_nothing_but_health_is_open(guarded):
    target, certificate = guarded
    channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(certificate.read_bytes()))
    with channel:
        assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status == 1
        for method in [*own_methods(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"]:
            assert code_of(channel.unary_stream(method)) is grpc.StatusCode.UNAUTHENTICATED, method


def code_of(call):
    """How a call with an empty request ends."""
    try:
        list(call(b"", timeout=10))
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def own_methods():
    files = (campaigns_pb2.DESCRIPTOR, labeling_pb2.DESCRIPTOR, models_pb2.DESCRIPTOR)
    services = [service for file in files for service in file.services_by_name.values()]
    return [f"/{service.full_name}/{method.name}" for service in services for method in service.methods]


def test_reflection_names_every_service_and_every_method_is_served(target):
    wrong = (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)
    with grpc.insecure_channel(target) as channel:
        known = set(ProtoReflectionDescriptorDatabase(channel).get_services())
        assert {method.split("/")[1] for method in own_methods()} <= known
        assert known - {method.split("/")[1] for method in own_methods()} == {
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        }
        for method in own_methods():
            assert code_of(channel.unary_stream(method)) not in wrong, method


def test_a_method_that_does_not_exist_is_unimplemented(target):
    with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/dataeff_al.rpc.v1.CampaignService/Destroy")(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_healthy_server_says_so(target):
    with grpc.insecure_channel(target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", "dataeff_al.rpc.v1.CampaignService"):
            assert stub.Check(health_pb2.HealthCheckRequest(service=name)).status == 1


def test_bytes_that_are_no_message_are_refused_and_the_server_lives(target):
    with grpc.insecure_channel(target) as channel:
        call = channel.unary_unary("/dataeff_al.rpc.v1.CampaignService/Create")
        with pytest.raises(grpc.RpcError):
            call(b"\xff" * 100)
        stub = campaigns_pb2_grpc.CampaignServiceStub(channel)
        assert stub.List(campaigns_pb2.ListRequest()) is not None
