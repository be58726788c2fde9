"""Blocking calls behind an event loop: made in threads, their refusals sent as status codes."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grpc

from services.rpc.status import refusal

T = TypeVar("T")
Context = grpc.aio.ServicerContext


class Calls:
    """Runs blocking calls in threads and turns refusals into status codes."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads

    async def run(self, call: Callable[..., T], *args: Any) -> T:
        """The call's result, made in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *args)

    async def answer(self, context: Context, call: Callable[..., T], *args: Any) -> T:
        """The call's result, or an aborted rpc."""
        try:
            return await self.run(call, *args)
        except Exception as error:
            refused = refusal(error)
        await context.abort(refused.code, refused.text, refused.metadata)
        raise AssertionError  # abort always raises
