"""One reader of events: what it has, what it lacks, when it is done."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from dataeff_al.rpc import limits
from dataeff_al.rpc.v1 import campaigns_pb2 as pb
from services.controller.controller import Controller
from services.controller.feed import root_of
from services.rpc import requests

BREATH_S = 0.1
LOOK_S = 5.0
"""A reader that nobody wakes looks by itself from time to time."""

Batch = list[pb.Event]


class Watching:
    """Follows a campaign's family for one reader.

    Args:
        controller: whose campaigns they are.
        run: runs a blocking call in a thread.
        campaign: what is followed.
        until_idle: whether it is over when nothing can happen without somebody outside.
    """

    def __init__(
        self, controller: Controller, run: Callable[..., Awaitable[Any]], campaign: str, *, until_idle: bool
    ) -> None:
        self._controller, self._run, self._campaign, self._until_idle = controller, run, campaign, until_idle
        self._feed = controller.families.feed
        self._news = asyncio.Event()

    async def events(self, after: Mapping[str, int], closing: asyncio.Event) -> AsyncGenerator[Batch]:
        """Batches of events, each campaign's in order. Raises NotFoundError, RequestError."""
        await self._run(self._controller.families.members, requests.campaign_id(self._campaign))
        place: dict[str, int] = await self._run(self._feed.start, self._campaign, after)
        loop = asyncio.get_running_loop()
        leave = self._feed.subscribe(root_of(self._campaign), self._waker(loop))
        try:
            over = False
            while not closing.is_set():
                self._news.clear()
                sent = False
                for campaign in self._feed.members(self._campaign):
                    async for batch in self._new(campaign, place):
                        sent = True
                        yield batch
                if over and not sent:
                    return
                # What came between the last look and the end is still to be sent.
                over = not sent and await self._over()
                if not over:
                    await self._rest(closing, sent=sent)
        finally:
            leave()

    def _waker(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        def wake() -> None:
            # Woken once is woken: a burst of events must not become a burst of callbacks.
            if not self._news.is_set():
                loop.call_soon_threadsafe(self._news.set)

        return wake

    async def _over(self) -> bool:
        if self._controller.activity(self._campaign) != "idle":
            return False
        return self._until_idle or await self._run(self._controller.ended, self._campaign)

    async def _new(self, campaign: str, place: dict[str, int]) -> AsyncIterator[Batch]:
        while True:
            n = place.get(campaign, 0)
            found = self._feed.at_hand(campaign, n, limits.MAX_EVENTS)
            if found is None:
                found = await self._run(self._feed.read, campaign, n, limits.MAX_EVENTS)
            if not found:
                return
            batch = _fitting(found)
            place[campaign] = batch[-1].n
            yield batch
            if len(found) < limits.MAX_EVENTS and len(batch) == len(found):
                return

    async def _rest(self, closing: asyncio.Event, *, sent: bool) -> None:
        if sent:
            await asyncio.sleep(BREATH_S)
            return
        waits = [asyncio.ensure_future(event.wait()) for event in (self._news, closing)]
        try:
            await asyncio.wait(waits, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


def _fitting(events: Batch) -> Batch:
    """The first events, as many as make a message of reasonable size, but at least one."""
    size, kept = 0, Batch()
    for event in events:
        size += len(event.body)
        if kept and size > limits.MAX_EVENTS_BYTES:
            break
        kept.append(event)
    return kept
