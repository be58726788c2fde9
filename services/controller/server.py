"""The gRPC server in front of a controller: health, reflection, and an orderly end."""

import asyncio
import logging
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import _async as aio_health
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from dataeff_al.errors import RequestError
from dataeff_al.rpc.limits import MAX_MESSAGE_BYTES
from dataeff_al.rpc.v1 import campaigns_pb2, labeling_pb2, models_pb2
from dataeff_al.rpc.v1.campaigns_pb2_grpc import add_CampaignServiceServicer_to_server
from dataeff_al.rpc.v1.labeling_pb2_grpc import add_LabelingServiceServicer_to_server
from dataeff_al.rpc.v1.models_pb2_grpc import add_ModelServiceServicer_to_server
from services.controller.access import Binding, TokenCheck
from services.controller.controller import Controller
from services.controller.leases import Leases
from services.controller.servicers import Calls, CampaignServicer, LabelingServicer, ModelServicer

log = logging.getLogger(__name__)
DRAIN_S = 28.0
GOODBYE_S = 1.0
THREADS = 32
MAX_CALLS = 4096
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Two controllers on one port would each get half of the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


def service_names() -> tuple[str, ...]:
    """Full names of the services of this project."""
    files = (campaigns_pb2.DESCRIPTOR, labeling_pb2.DESCRIPTOR, models_pb2.DESCRIPTOR)
    return tuple(service.full_name for file in files for service in file.services_by_name.values())


class Server:
    """Serves a controller from within an event loop.

    Args:
        controller: what is served.
        binding: where, and to whom; checked before anything is opened.
    """

    def __init__(self, controller: Controller, binding: Binding) -> None:
        binding.check()
        self._controller, self._binding = controller, binding
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="call")
        self._closing = asyncio.Event()
        self._health = aio_health.HealthServicer()
        self.port = 0

    async def start(self) -> None:
        """Listen. Raises RequestError when the port is taken."""
        checks = [TokenCheck(self._binding.tokens)] if self._binding.tokens is not None else []
        self._server = grpc.aio.server(interceptors=checks, options=_OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
        self._add_services(Calls(self._threads))
        self.port = self._listen()
        await self._server.start()
        await self._say(health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, drain_s: float = DRAIN_S, **how: Any) -> bool:
        """Say that no more is taken on, wait for what is in flight, then close; whether all came to rest in time."""
        await self._say(health_pb2.HealthCheckResponse.NOT_SERVING)
        loop = asyncio.get_running_loop()
        rested = await loop.run_in_executor(None, lambda: self._controller.drain(drain_s, **how))
        self._closing.set()
        await self._server.stop(GOODBYE_S)
        self._threads.shutdown(wait=rested)
        return rested

    def _add_services(self, calls: Calls) -> None:
        controller, server = self._controller, self._server
        add_CampaignServiceServicer_to_server(CampaignServicer(controller, calls, self._closing), server)
        add_LabelingServiceServicer_to_server(LabelingServicer(Leases(controller), calls), server)
        add_ModelServiceServicer_to_server(ModelServicer(controller, calls), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (*service_names(), health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)

    async def _say(self, status: Any) -> None:
        for name in ("", *service_names()):
            await self._health.set(name, status)

    def _listen(self) -> int:
        binding = self._binding
        check_free(binding)
        try:
            if binding.certificate is None or binding.key is None:
                return self._server.add_insecure_port(binding.address)
            pair = (binding.key.read_bytes(), binding.certificate.read_bytes())
            return self._server.add_secure_port(binding.address, grpc.ssl_server_credentials([pair]))
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


async def serve(controller: Controller, binding: Binding, stop: asyncio.Event, ready: Callable[[int], None]) -> bool:
    """Serve until ``stop`` is set, then drain; whether everything came to rest in time.

    ``ready`` is told the port. Campaigns that were at work go on before anybody is served.
    """
    server = Server(controller, binding)
    check_free(binding)
    await asyncio.get_running_loop().run_in_executor(None, controller.start)
    await server.start()
    ready(server.port)
    await stop.wait()
    return await server.stop()
