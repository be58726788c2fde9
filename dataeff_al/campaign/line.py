"""Those who wait, in the order in which they came; anyone may step out in between. An immutable value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from immutables import Map


@dataclass(frozen=True, slots=True)
class Line:
    """A queue of names. Joining, leaving and looking at the first few cost the same however many wait.

    Example::

        line = Line().join("a").join("b").join("c").leave("a")
        line.first(2)    # ("b", "c")
    """

    _places: Map[int, str] = field(default_factory=Map)
    _tickets: Map[str, int] = field(default_factory=Map)
    _head: int = 0
    _tail: int = 0

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._tickets

    @classmethod
    def restored(cls, tickets: Mapping[str, int], end: int) -> "Line":
        """The line in which names hold these tickets, and the next to join gets ticket ``end``."""
        places = {ticket: name for name, ticket in tickets.items()}
        return cls(Map(places), Map(tickets), min(places, default=end), end)

    @property
    def end(self) -> int:
        """The ticket of the next one to join."""
        return self._tail

    def ticket(self, name: str) -> int | None:
        """The ticket of one who waits, by which they stand in order; None of anybody else."""
        return self._tickets.get(name)

    def join(self, name: str) -> "Line":
        """The line with ``name`` at its end; one who waits already keeps their place."""
        if name in self._tickets:
            return self
        places, tickets = self._places.set(self._tail, name), self._tickets.set(name, self._tail)
        return Line(places, tickets, self._head, self._tail + 1)

    def join_all(self, names: Sequence[str]) -> "Line":
        """The line with all of ``names`` at its end, in their order."""
        new = [name for name in dict.fromkeys(names) if name not in self._tickets]
        places = self._places.update({self._tail + k: name for k, name in enumerate(new)})
        tickets = self._tickets.update({name: self._tail + k for k, name in enumerate(new)})
        return Line(places, tickets, self._head, self._tail + len(new))

    def leave(self, name: str) -> "Line":
        """The line without ``name``."""
        ticket = self._tickets.get(name)
        if ticket is None:
            return self
        places, head = self._places.delete(ticket), self._head
        while head < self._tail and head not in places:
            head += 1
        return Line(places, self._tickets.delete(name), head, self._tail)

    def first(self, n: int) -> tuple[str, ...]:
        """The first ``n``, or all when fewer wait."""
        taken = (self._places[place] for place in range(self._head, self._tail) if place in self._places)
        return tuple(islice(taken, n))
