"""Listening on an address: the bounds that every server keeps, and an error that says what is wrong with a port."""

import socket

import grpc

from dataeff_al.errors import RequestError
from dataeff_al.rpc.limits import MAX_MESSAGE_BYTES
from services.rpc.access import Binding

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Two controllers on one port would each get half of the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


def listen(server: grpc.aio.Server, binding: Binding) -> int:
    """Add the port of a binding to a server, and return its number. Raises RequestError when it is taken."""
    check_free(binding)
    try:
        if binding.certificate is None or binding.key is None:
            return server.add_insecure_port(binding.address)
        pair = (binding.key.read_bytes(), binding.certificate.read_bytes())
        return server.add_secure_port(binding.address, grpc.ssl_server_credentials([pair]))
    except (RuntimeError, OSError) as error:
        raise RequestError(f"{binding.address} must be free to listen on, but got {error}.") from error


def check_free(binding: Binding) -> None:
    """Raises RequestError when the port is taken or the host is not this machine's: before gRPC says so at length."""
    family = socket.AF_INET6 if ":" in binding.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((binding.host, binding.port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise RequestError(f"{binding.address} must be free to listen on, but got {reason}.") from error
