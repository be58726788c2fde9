"""A controller that serves while a thread beside it writes events: ``python -m benchmarks.serving.stirring FOLDER``.

Everything between the record and the reader is what ``dataeff-al serve`` has. A line on stdin, ``RATE SECONDS``, starts
the writing; a line on stdout says what came of it: events, and seconds from the first to the last.
"""

import asyncio
import sys
import threading
import time
from pathlib import Path

from dataeff_al import events as ev
from services.controller.assembly import controller_at, inline_hosts
from services.controller.confined import Admission
from services.controller.controller import Controller
from services.controller.server import serve
from services.rpc.access import Binding

BATCHES_PER_S = 50
CAMPAIGN = "stirred"


def _write(controller: Controller, rate: float, seconds: float) -> str:
    """Paced: what falls behind is caught up with by larger transactions, as when labels wait to be written."""
    store = controller.families.feed.store
    first = controller.families.standing.state(CAMPAIGN).n
    n, began = first, time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        due = int(rate * now) - (n - first)
        events = [_event(n + k) for k in range(due)]
        if events:
            n = store.append(CAMPAIGN, events, n, store.epoch).n
        time.sleep(1 / BATCHES_PER_S)
    return f"wrote {n - first} {time.monotonic() - began} {n}"


def _event(n: int) -> ev.Event:
    """Events of the size that a told label has."""
    return ev.Resumed() if n % 2 else ev.Paused(cause="user", reason=f"{n:06d}" * 40)


def _obey(controller: Controller) -> None:
    for line in sys.stdin:
        rate, seconds = map(float, line.split())
        print(_write(controller, rate, seconds), flush=True)


async def _serve(controller: Controller, folder: Path) -> None:
    def ready(port: int) -> None:
        threading.Thread(target=_obey, args=(controller,), daemon=True).start()
        print(f"Serving {folder} on 127.0.0.1:{port}", flush=True)

    await serve(controller, Binding(port=0), asyncio.Event(), ready)


def main() -> None:
    """Serve the folder until the process is ended."""
    folder = Path(sys.argv[1])
    with controller_at(folder, None, Admission(folder / "inputs"), inline_hosts, most=2) as controller:
        asyncio.run(_serve(controller, folder))


if __name__ == "__main__":
    main()
