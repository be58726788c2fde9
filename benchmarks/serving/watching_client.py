"""Readers of Watch, many in one process, each with a connection of its own; prints what each saw as JSON.

``python -m benchmarks.serving.watching_client TARGET CAMPAIGN READERS STOPPED`` reads until a line on stdin says how
many events there are; the first STOPPED readers take one message and then stand still until then.
"""

import asyncio
import json
import sys
import threading
import time
from dataclasses import dataclass, field

import grpc

from dataeff_al.rpc.v1 import campaigns_pb2 as pb
from dataeff_al.rpc.v1.campaigns_pb2_grpc import CampaignServiceStub

# Small windows, so that a reader that stands still is felt at the other end at once.
_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 65_536),
)
PATIENCE_S = 60.0


@dataclass
class _Reader:
    """What one reader saw: events, those out of place, and how long messages of new ones were under way [s]."""

    seen: int = 0
    misplaced: int = 0
    delays_s: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.time)

    def take(self, events: list[pb.Event]) -> None:
        now = time.time()
        for event in events:
            self.misplaced += event.n != self.seen + 1
            self.seen = event.n
        if events[0].at > self.began:
            self.delays_s.append(now - events[0].at)


class _Total:
    """How many events there are in the end; known once stdin says so."""

    def __init__(self) -> None:
        self.known = asyncio.Event()
        self.events = 0
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop,), daemon=True).start()

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        self.events = int(sys.stdin.readline() or 0)
        loop.call_soon_threadsafe(self.known.set)


async def _read(target: str, campaign: str, reader: _Reader, total: _Total, *, stops: bool) -> None:
    async with grpc.aio.insecure_channel(target, options=_OPTIONS) as channel:
        call = CampaignServiceStub(channel).Watch(pb.WatchRequest(campaign=campaign))
        async for answer in call:
            reader.take(list(answer.events))
            if stops:
                await total.known.wait()
            if total.known.is_set() and reader.seen >= total.events:
                return


async def _all(target: str, campaign: str, count: int, stopped: int) -> list[_Reader]:
    total, readers = _Total(), [_Reader() for _ in range(count)]
    reading = [
        asyncio.create_task(_read(target, campaign, reader, total, stops=k < stopped))
        for k, reader in enumerate(readers)
    ]
    print("reading", flush=True)
    await total.known.wait()
    # A reader that has everything waits for more; whatever is still missing after a while is lost.
    ends = time.monotonic() + PATIENCE_S
    while any(reader.seen < total.events for reader in readers) and time.monotonic() < ends:
        await asyncio.sleep(0.05)
    for task in reading:
        task.cancel()
    return readers


def main() -> None:
    """Read the command line and watch."""
    target, campaign, count, stopped = sys.argv[1:]
    cpu = time.process_time()
    readers = asyncio.run(_all(target, campaign, int(count), int(stopped)))
    rows = [{**vars(reader), "stopped": k < int(stopped)} for k, reader in enumerate(readers)]
    print(json.dumps({"readers": rows, "cpu_s": time.process_time() - cpu}))


if __name__ == "__main__":
    main()
