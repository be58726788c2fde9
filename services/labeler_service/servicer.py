"""Decode, call the desk in a thread, encode."""

import asyncio
import contextlib
import math
import re
from collections.abc import Sequence

from dataeff_al.errors import RequestError
from dataeff_al.rpc import labeler_messages as messages
from dataeff_al.rpc import limits
from dataeff_al.rpc.v1 import labelers_pb2 as pb
from dataeff_al.rpc.v1 import labelers_pb2_grpc
from services.labeler_service.desk import Desk
from services.rpc import requests
from services.rpc.calls import Calls, Context

LOOK_S = 0.5
_ATTEMPT = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")


class LabelerServicer(labelers_pb2_grpc.LabelerServiceServicer):
    """Implements LabelerService with a desk."""

    def __init__(self, desk: Desk, calls: Calls, closing: asyncio.Event) -> None:
        """Is made in the event loop that serves; ``closing``: nobody waits any longer."""
        self._desk, self._calls, self._closing = desk, calls, closing
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        desk.listen(self._hear)

    async def Describe(  # noqa: N802
        self, request: pb.DescribeLabelerRequest, context: Context
    ) -> pb.DescribeLabelerResponse:
        """Tell what is answered."""
        info = await self._calls.answer(context, self._desk.describe, request.samples)
        return messages.info_message(info)

    async def Start(self, request: pb.StartAttemptsRequest, context: Context) -> pb.StartAttemptsResponse:  # noqa: N802
        """Take on attempts."""
        await self._calls.answer(context, self._start, request)
        return pb.StartAttemptsResponse()

    async def Poll(self, request: pb.PollAttemptsRequest, context: Context) -> pb.PollAttemptsResponse:  # noqa: N802
        """Tell how attempts stand. No thread is held by those who wait."""
        loop = asyncio.get_running_loop()
        attempts = await self._calls.answer(context, _polled, request)
        until = loop.time() + request.wait_s
        while True:
            news = self._news
            found = await self._calls.answer(context, self._desk.poll, attempts)
            left = until - loop.time()
            if left <= 0 or self._closing.is_set() or any(each.state != "running" for each in found):
                return pb.PollAttemptsResponse(attempts=map(messages.progress_message, found))
            # A call that takes too long is found out by whoever looks, not told as news.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), min(left, LOOK_S))

    def _hear(self) -> None:
        """Some attempt has come to an end; called in any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        """All who wait look again."""
        self._news.set()
        self._news = asyncio.Event()

    async def Ack(self, request: pb.AckAttemptsRequest, context: Context) -> pb.AckAttemptsResponse:  # noqa: N802
        """Forget attempts."""
        await self._calls.answer(context, lambda: self._desk.ack(_changed(request)))
        return pb.AckAttemptsResponse()

    async def Cancel(self, request: pb.CancelAttemptsRequest, context: Context) -> pb.CancelAttemptsResponse:  # noqa: N802
        """Drop attempts."""
        await self._calls.answer(context, lambda: self._desk.cancel(_changed(request)))
        return pb.CancelAttemptsResponse()

    def _start(self, request: pb.StartAttemptsRequest) -> None:
        requests.request_id(request.request_id)
        attempts = _attempts([each.attempt for each in request.attempts])
        if len(attempts) != len(request.attempts):
            raise RequestError(f"attempts must differ, but got {len(request.attempts) - len(attempts)} twice.")
        size = sum(len(each.request) for each in request.attempts)
        if size > limits.MAX_ARRAYS_BYTES:
            raise RequestError(f"attempts must have at most {limits.MAX_ARRAYS_BYTES} bytes together, but got {size}.")
        self._desk.start(request.samples, {each.attempt: each.request for each in request.attempts})


def _polled(request: pb.PollAttemptsRequest) -> tuple[str, ...]:
    if not (math.isfinite(request.wait_s) and 0 <= request.wait_s <= limits.MAX_WAIT_S):
        raise RequestError(f"wait_s must be 0 to {limits.MAX_WAIT_S:g}, but got {request.wait_s!r}.")
    return _attempts(request.attempts)


def _changed(request: pb.AckAttemptsRequest | pb.CancelAttemptsRequest) -> tuple[str, ...]:
    requests.request_id(request.request_id)
    return _attempts(request.attempts)


def _attempts(given: Sequence[str]) -> tuple[str, ...]:
    """Different attempts by their form. Raises RequestError."""
    found = requests.attempts(given)
    for attempt in found:
        if not _ATTEMPT.match(attempt):
            raise RequestError(f"an attempt must be letters, digits, '_' and '-', but got {attempt[:80]!r}.")
    return found
