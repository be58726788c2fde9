"""The gRPC server in front of a controller, and its orderly end."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc

from dataeff_al.rpc.v1 import campaigns_pb2, labeling_pb2, models_pb2
from dataeff_al.rpc.v1.campaigns_pb2_grpc import add_CampaignServiceServicer_to_server
from dataeff_al.rpc.v1.labeling_pb2_grpc import add_LabelingServiceServicer_to_server
from dataeff_al.rpc.v1.models_pb2_grpc import add_ModelServiceServicer_to_server
from services.controller.controller import Controller
from services.controller.leases import Leases
from services.controller.models import Models
from services.controller.servicers import CampaignServicer, LabelingServicer, ModelServicer
from services.rpc.access import Binding
from services.rpc.calls import Calls
from services.rpc.endpoint import Endpoint
from services.rpc.listening import check_free

DRAIN_S = 28.0
FILES = (campaigns_pb2.DESCRIPTOR, labeling_pb2.DESCRIPTOR, models_pb2.DESCRIPTOR)


class Server:
    """Serves a controller from within an event loop.

    Args:
        controller: what is served.
        binding: where, and to whom; checked before anything is opened.
    """

    def __init__(self, controller: Controller, binding: Binding) -> None:
        self._endpoint = Endpoint(binding, FILES)
        self._controller = controller
        self._closing = asyncio.Event()

    @property
    def port(self) -> int:
        """Where it listens; 0 before it does."""
        return self._endpoint.port

    async def start(self) -> None:
        """Listen. Raises RequestError when the port is taken."""
        await self._endpoint.open(self._add_services)

    async def stop(self, drain_s: float = DRAIN_S, **how: Any) -> bool:
        """Say that no more is taken on, wait for what is in flight, then close; whether all came to rest in time."""
        await self._endpoint.take_no_more()
        loop = asyncio.get_running_loop()
        rested = await loop.run_in_executor(None, lambda: self._controller.drain(drain_s, **how))
        self._closing.set()
        await self._endpoint.close(wait=rested)
        return rested

    def _add_services(self, server: grpc.aio.Server, calls: Calls) -> None:
        controller = self._controller
        add_CampaignServiceServicer_to_server(CampaignServicer(controller, calls, self._closing), server)
        add_LabelingServiceServicer_to_server(LabelingServicer(Leases(controller), calls), server)
        add_ModelServiceServicer_to_server(ModelServicer(Models(controller.families), calls), server)


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
