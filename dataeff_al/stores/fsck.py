"""``fsck``: is the record what it promises to be?

Every event of every campaign is read once and shown to every check; then the stored tables are held against a replay.
I10 and I11 need a labeler's own count and a clock, and are checked by tests.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from dataeff_al.blobs import Blobs
from dataeff_al.errors import CorruptError, RecordError
from dataeff_al.stores.checks.content import AcknowledgedCheck, BlobCheck, HoldoutCheck
from dataeff_al.stores.checks.money import MoneyCheck
from dataeff_al.stores.checks.order import LeaseCheck, LifeCheck, NumberCheck
from dataeff_al.stores.checks.protocol import Check, Violation, violation
from dataeff_al.stores.checks.rows import differing_rows, unbalanced
from dataeff_al.stores.projections import Row
from dataeff_al.stores.protocol import Store, StoredEvent
from dataeff_al.stores.tables import Tables


class Inspected(Store, Protocol):
    """A store whose projected tables can be looked at and remade."""

    def rows(self, table: str, campaign: str) -> list[Row]:
        """Rows of a projected table, ordered by key."""

    def rebuild_projections(self) -> None:
        """Make the projected tables anew from the events."""


@dataclass(frozen=True)
class FsckReport:
    """What was looked at and what was found; ``ok`` when nothing is wrong."""

    campaigns: int
    events: int
    blobs: int
    violations: tuple[Violation, ...]

    @property
    def ok(self) -> bool:
        """Whether every invariant holds."""
        return not self.violations

    def __str__(self) -> str:
        seen = f"{self.campaigns} campaigns, {self.events} events, {self.blobs} blobs"
        return "\n".join([f"{seen}: {len(self.violations)} violations", *map(str, self.violations)])


def fsck(store: Inspected, blobs: Blobs, acknowledged: Mapping[str, Collection[str]] | None = None) -> FsckReport:
    """Check the invariants of every campaign.

    ``acknowledged`` names, by campaign, attempts whose label a client saw accepted (I4).
    """
    blob_check = BlobCheck(blobs)
    events = 0
    found: list[Violation] = []
    campaigns = store.campaigns()
    for campaign in campaigns:
        inspection = _Inspection(campaign, blob_check, set((acknowledged or {}).get(campaign, ())))
        found.extend(inspection.run(store))
        events += inspection.n
    return FsckReport(len(campaigns), events, len(blob_check.seen), tuple(found))


@dataclass
class _Inspection:
    """One campaign's checks over one pass of its log."""

    campaign: str
    blob_check: BlobCheck
    acknowledged: set[str]
    n: int = 0
    money: MoneyCheck = field(default_factory=MoneyCheck)
    replayed: Tables = field(default_factory=Tables)

    def run(self, store: Inspected) -> Iterator[Violation]:
        acknowledged = AcknowledgedCheck(self.acknowledged)
        checks: list[Check] = [NumberCheck(), LeaseCheck(), LifeCheck(), HoldoutCheck(), self.money, self.blob_check]
        checks.append(acknowledged)
        try:
            for stored in store.read(self.campaign):
                self.n += 1
                yield from self._show(stored, checks)
        except CorruptError as error:
            yield Violation("I9", self.campaign, self.n + 1, str(error))
            return
        for attempt in sorted(acknowledged.missing):
            sentence = f"an acknowledged label must be in the record, but got none for attempt {attempt!r}."
            yield Violation("I4", self.campaign, self.n, sentence)
        yield from differing_rows(self.campaign, self.n, lambda table: store.rows(table, self.campaign), self.replayed)
        yield from unbalanced(self.campaign, self.n, store.rows("entries", self.campaign), self.money.purses)

    def _show(self, stored: StoredEvent, checks: list[Check]) -> Iterator[Violation]:
        for check in checks:
            yield from check.see(stored)
        try:
            self.replayed.add([stored])
        except RecordError as error:
            yield violation("I9", stored, str(error))
