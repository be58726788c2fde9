"""Clients that ask and tell, many in one process; prints what they found as JSON.

``python -m benchmarks.serving.asking_client TARGET CAMPAIGN CLIENTS SECONDS WORK_S SEED``
"""

import asyncio
import json
import random
import sys
import time
import uuid
from dataclasses import dataclass, field

import grpc
import numpy as np

from dataeff_al.labeling.packing import pack_outcome
from dataeff_al.labeling.types import Label
from dataeff_al.rpc.v1 import labeling_pb2 as pb
from dataeff_al.rpc.v1.labeling_pb2_grpc import LabelingServiceStub

TIMEOUT_S = 60.0
# A connection of its own for each client, as if each were a program of its own.
_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)


@dataclass
class _Found:
    """Seconds of every call, and how many failed."""

    ask_s: list[float] = field(default_factory=list)
    tell_s: list[float] = field(default_factory=list)
    pair_s: list[float] = field(default_factory=list)
    errors: int = 0


async def _one(target: str, campaign: str, work_s: float, until: float, chance: random.Random, found: _Found) -> None:
    async with grpc.aio.insecure_channel(target, options=_OPTIONS) as channel:
        stub = LabelingServiceStub(channel)
        # Everybody begins at another moment, as people do.
        await asyncio.sleep(chance.random() * work_s)
        while time.monotonic() < until:
            try:
                await _asked_and_told(stub, campaign, work_s, chance, found)
            except grpc.RpcError as error:
                found.errors += 1
                print(error, file=sys.stderr)


async def _asked_and_told(
    stub: LabelingServiceStub, campaign: str, work_s: float, chance: random.Random, found: _Found
) -> None:
    label = pack_outcome(Label({"label": np.asarray(chance.randrange(4))}, cost=1, notes={"by": str(chance.random())}))
    began = time.perf_counter()
    request = pb.AskRequest(request_id=uuid.uuid4().hex, campaign=campaign, count=1)
    (lease,) = (await stub.Ask(request, timeout=TIMEOUT_S)).leases
    asked = time.perf_counter() - began
    await asyncio.sleep(work_s * (0.5 + chance.random()))
    began = time.perf_counter()
    tell = pb.TellRequest(request_id=uuid.uuid4().hex, campaign=campaign, attempt=lease.attempt, label=label)
    await stub.Tell(tell, timeout=TIMEOUT_S)
    told = time.perf_counter() - began
    found.ask_s.append(asked)
    found.tell_s.append(told)
    found.pair_s.append(asked + told)


async def _all(target: str, campaign: str, clients: int, seconds: float, work_s: float, seed: int) -> _Found:
    found, until = _Found(), time.monotonic() + seconds
    chances = [random.Random(1000 * seed + k) for k in range(clients)]
    await asyncio.gather(*(_one(target, campaign, work_s, until, chance, found) for chance in chances))
    return found


def main() -> None:
    """Read the command line and ask."""
    target, campaign, clients, seconds, work_s, seed = sys.argv[1:]
    began, cpu = time.monotonic(), time.process_time()
    found = asyncio.run(_all(target, campaign, int(clients), float(seconds), float(work_s), int(seed)))
    spent = {"seconds": time.monotonic() - began, "cpu_s": time.process_time() - cpu}
    print(json.dumps({**vars(found), **spent}))


if __name__ == "__main__":
    main()
