"""Outcomes that are being drawn: whoever waits for them is told when that is over, or when it takes too long."""

import time
from collections.abc import Sequence
from dataclasses import replace
from threading import RLock

from dataeff_al.labeling.asking import Raised
from dataeff_al.labeling.picturing import Illustrator
from dataeff_al.labeling.spool import Spool
from dataeff_al.labeling.types import Outcome, Request

DRAWING_S = 120.0


class Drawings:
    """Pictures of a few outcomes of a host.

    They are drawn after all outcomes of their batch are in the spool, for at most ``DRAWING_S`` each; their attempts
    count as running until then.

    Args:
        illustrator: chooses and draws.
        spool: holds the outcomes, to which pictures are added.
        lock: the host's own.
    """

    def __init__(self, illustrator: Illustrator, spool: Spool, lock: RLock) -> None:
        self._illustrator, self._spool, self._lock = illustrator, spool, lock
        self._until: dict[str, float] = {}

    def underway(self, attempt: str) -> bool:
        """Whether the attempt's outcome is still to be drawn."""
        return attempt in self._until

    def chosen(self, requests: Sequence[Request], found: Sequence[Outcome | Raised]) -> list[tuple[Request, Outcome]]:
        """What of a batch is to be drawn. A batch that was never asked has no requests."""
        both = zip(requests, found, strict=False)
        answered = [(request, item) for request, item in both if not isinstance(item, Raised)]
        with self._lock:
            shown = [(request, item) for request, item in answered if self._illustrator.wants(request, item)]
            until = time.monotonic() + DRAWING_S * len(shown)
            self._until.update({request.key: until for request, _ in shown})
        return shown

    def draw(self, request: Request, outcome: Outcome) -> bool:
        """Add a picture to an outcome that is in the spool; False when nobody waits for it any more."""
        with self._lock:
            if request.key not in self._until:
                return False
        picture = self._illustrator.picture(request, outcome)
        with self._lock:
            waited = self._until.pop(request.key, None) is not None
            done = self._spool.outcome(request.key)
            if waited and done is not None and picture is not None:
                self._spool.mark_done(request.key, replace(done, picture=picture))
        return waited

    def overdue(self) -> list[str]:
        """Attempts whose drawing took too long; nobody waits for their pictures from now on."""
        with self._lock:
            late = [attempt for attempt, until in self._until.items() if time.monotonic() > until]
            for attempt in late:
                del self._until[attempt]
        return late
