"""The replicas that a labeler has, and their calls that have not been answered yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.actors.answers import named, names
from services.actors.duty import Duty
from services.actors.hired import REPORT_S, Hired
from services.actors.placement import PLACE_S, told

GRACE_S = 30.0


@dataclass(frozen=True)
class Silence:
    """A replica that ought to have reported. ``late``: it was at work, else there never was room for it."""

    hired: Hired
    reason: str
    late: bool


class Roster:
    """Who is hired. Not safe for several threads by itself: its staff holds a lock around it.

    Args:
        duty: what the replicas are for.
    """

    def __init__(self, duty: Duty) -> None:
        self._duty = duty
        self._hired: list[Hired] = []
        self._calls: dict[Any, Hired] = {}

    @property
    def all(self) -> Sequence[Hired]:
        """Every replica."""
        return tuple(self._hired)

    @property
    def ready(self) -> list[Hired]:
        """Those whose labeler is made."""
        return [hired for hired in self._hired if hired.ready]

    @property
    def settling(self) -> bool:
        """Whether one of an earlier driver's has not said yet what it is at."""
        return any(hired.found and not hired.ready for hired in self._hired)

    @property
    def calls(self) -> list[Any]:
        """What may be answered next."""
        return list(self._calls)

    def find(self) -> None:
        """Take over replicas that a killed driver left at work."""
        for name in names(self._duty.prefix):
            actor = named(name)
            if actor is not None:
                self._welcome(Hired(actor, found=True))

    def fill(self) -> None:
        """Make up their number."""
        while len(self._hired) < self._duty.runtime.replicas:
            taken = [hired.node for hired in self._hired]
            self._welcome(Hired.new(self._duty.prefix, self._duty.post, self._duty.runtime, taken))

    def listen_to(self, hired: Hired) -> None:
        """Ask for its next report."""
        self._calls[hired.ask_report()] = hired

    def expect(self, call: Any, hired: Hired) -> None:
        """A call whose failure would tell that the replica is lost."""
        self._calls[call] = hired

    def answered(self, call: Any) -> Hired | None:
        """Whose call it was; None when that one is no longer here."""
        return self._calls.pop(call, None)

    def dismiss(self, hired: Hired) -> None:
        """End one, and hear of it no more."""
        hired.end()
        self._hired = [other for other in self._hired if other is not hired]
        self._calls = {call: other for call, other in self._calls.items() if other is not hired}

    def dissolve(self) -> Sequence[Hired]:
        """Forget all of them; returns who is to be ended."""
        gone, self._hired = self._hired, []
        self._calls.clear()
        return gone

    def silent(self) -> Silence | None:
        """One that no longer reports: its process hangs, or there never was room for it."""
        limit = REPORT_S + self._duty.timeout_s * self._duty.batch + GRACE_S
        for hired in self._hired:
            if hired.ready and hired.silent_for() > limit:
                return Silence(hired, f"no answer within {limit:g} s", late=True)
            if not hired.ready and hired.silent_for() > PLACE_S:
                room = f"the cluster must have room for it ({told(self._duty.runtime)}), but got none in time."
                return Silence(hired, room, late=False)
        return None

    def holding(self, attempts: Sequence[str]) -> Mapping[Hired, list[str]]:
        """Who has which of these attempts."""
        held = {hired: [key for key in attempts if key in hired.assigned] for hired in self._hired}
        return {hired: keys for hired, keys in held.items() if keys}

    def _welcome(self, hired: Hired) -> None:
        self._hired.append(hired)
        self.listen_to(hired)
