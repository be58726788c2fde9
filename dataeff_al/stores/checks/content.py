"""I6 and I7: what models learnt from, and the blobs that events speak of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dataeff_al import events as ev
from dataeff_al.blobs import Blobs
from dataeff_al.digests import Ref
from dataeff_al.errors import CorruptError, NotFoundError
from dataeff_al.stores.checks.protocol import Violation, violation
from dataeff_al.stores.projections import blob_refs
from dataeff_al.stores.protocol import StoredEvent

_HELD_OUT = ("validation", "test")


@dataclass
class HoldoutCheck:
    """I6: no sample both trains and measures, by content and by pool id; no model learns from labels nobody bought."""

    _trained: dict[str, str] = field(default_factory=dict)
    _held_out: dict[str, str] = field(default_factory=dict)
    _purposes: dict[str, ev.Purpose] = field(default_factory=dict)
    _labelled: dict[str, int] = field(default_factory=lambda: {"main": 0, "reference": 0})

    def see(self, stored: StoredEvent) -> Iterator[Violation]:
        """Sort the event's samples into what trains and what measures."""
        event = stored.event
        match event:
            case ev.Proposed():
                yield from self._sort(stored, event.queries, event.purpose)
            case ev.Inherited():
                for item in event.labels:
                    yield from self._sort(stored, [item.query], item.purpose)
                    self._count(item.query.id)
            case ev.Told():
                self._count(event.query)
            case ev.Trained() if event.labels > self._labelled[event.role]:
                known = self._labelled[event.role]
                yield violation(
                    "I6",
                    stored,
                    f"a model must learn from at most {known} labels, but got {event.labels}.",
                )

    def _sort(self, stored: StoredEvent, queries: Sequence[ev.QueryRecord], purpose: ev.Purpose) -> Iterator[Violation]:
        mine, other = self._trained, self._held_out
        if purpose in _HELD_OUT:
            mine, other = other, mine
        for query in queries:
            self._purposes[query.id] = purpose
            for name in (f"content {query.content}", f"payload {query.payload}"):
                if not name.endswith(" "):
                    mine[name] = query.id
                if name in other:
                    yield violation(
                        "I6",
                        stored,
                        f"{name} of {purpose} query {query.id!r} must not both train and measure, but got it in "
                        f"query {other[name]!r} too.",
                    )

    def _count(self, query: str) -> None:
        purpose = self._purposes.get(query)
        if purpose in ("initial", "acquire"):
            self._labelled["main"] += 1
        elif purpose == "reference":
            self._labelled["reference"] += 1


@dataclass
class BlobCheck:
    """I7: every blob that an event names is there and whole. Each is read once, over all campaigns."""

    blobs: Blobs
    seen: dict[str, str] = field(default_factory=dict)

    def see(self, stored: StoredEvent) -> Iterator[Violation]:
        """Read what the event refers to."""
        for ref in dict.fromkeys(blob_refs(stored.event)):
            if ref not in self.seen:
                self.seen[ref] = self._wrong(ref)
                if self.seen[ref]:
                    yield violation("I7", stored, self.seen[ref])

    def _wrong(self, ref: str) -> str:
        try:
            self.blobs.get(Ref(ref))
        except (NotFoundError, CorruptError) as error:
            return str(error)
        return ""


@dataclass
class AcknowledgedCheck:
    """I4: what a client saw acknowledged is in the record. ``missing`` holds the attempts not yet met."""

    missing: set[str]

    def see(self, stored: StoredEvent) -> Iterator[Violation]:
        """Cross off the event's attempt."""
        match stored.event:
            case ev.Told() | ev.ExtraTold():
                self.missing.discard(stored.event.attempt)
        yield from ()
