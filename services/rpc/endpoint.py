"""A gRPC server with health, reflection and the token check; what it serves beside them is given."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import _async as aio_health
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.rpc.access import Binding, TokenCheck
from services.rpc.calls import Calls
from services.rpc.listening import OPTIONS, listen

GOODBYE_S = 1.0
THREADS = 32
MAX_CALLS = 4096
AddServices = Callable[[grpc.aio.Server, Calls], None]


def service_names(files: Sequence[FileDescriptor]) -> tuple[str, ...]:
    """Full names of the services that protos declare."""
    return tuple(service.full_name for file in files for service in file.services_by_name.values())


class Endpoint:
    """Where clients call.

    Args:
        binding: where, and to whom; checked before anything is opened.
        files: the protos of what is served.
    """

    def __init__(self, binding: Binding, files: Sequence[FileDescriptor]) -> None:
        binding.check()
        self._binding, self._names = binding, service_names(files)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="call")
        self._health = aio_health.HealthServicer()
        self.port = 0

    async def open(self, add_services: AddServices) -> None:
        """Listen. Raises RequestError when the port is taken."""
        checks = [TokenCheck(self._binding.tokens)] if self._binding.tokens is not None else []
        self._server = grpc.aio.server(interceptors=checks, options=OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
        add_services(self._server, Calls(self._threads))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        self.port = listen(self._server, self._binding)
        await self._server.start()
        await self._say(health_pb2.HealthCheckResponse.SERVING)

    async def take_no_more(self) -> None:
        """Say to those who ask for health that nothing more is taken on."""
        await self._say(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def close(self, *, wait: bool) -> None:
        """End the calls, and ``wait`` for those that threads still work on."""
        await self._server.stop(GOODBYE_S)
        self._threads.shutdown(wait=wait)

    async def _say(self, status: Any) -> None:
        for name in ("", *self._names):
            await self._health.set(name, status)
