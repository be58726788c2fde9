"""``fsck``: is the record what it promises to be?

Every event of every campaign is read once and shown to every check; then the stored tables are held against a replay.

=====  =====================================================================================
I1     :class:`MoneyCheck` from the events, :func:`unbalanced` from the ledger's rows
I2     the same
I3     :class:`MoneyCheck`, after every event
I4     :class:`AcknowledgedCheck`, given what clients saw
I5     :class:`MoneyCheck`, and the key of the ledger's rows
I6     :class:`HoldoutCheck`
I7     :class:`BlobCheck`
I8     :class:`LeaseCheck`, and :class:`NumberCheck` for epochs
I9     the chain of digests on reading, :class:`NumberCheck`, :func:`differing_rows`
I10    :class:`InvoiceCheck`, given the labeler's own invoices
I11    needs a clock: tests check that campaigns come to their end
=====  =====================================================================================

Snapshots are held against the replay by a check of whoever knows their words, among ``more``.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from dataeff_al.blobs import Blobs
from dataeff_al.digests import Ref
from dataeff_al.errors import CorruptError, RecordError
from dataeff_al.stores.checks.content import AcknowledgedCheck, BlobCheck, HoldoutCheck
from dataeff_al.stores.checks.invoices import InvoiceCheck
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


@runtime_checkable
class Listed(Protocol):
    """Blobs that can be listed."""

    def refs(self) -> Iterable[Ref]:
        """Refs of all blobs that are there."""


@dataclass(frozen=True)
class FsckReport:
    """What was looked at and what was found; ``ok`` when nothing is wrong. ``notes``: what is worth knowing."""

    campaigns: int
    events: int
    blobs: int
    violations: tuple[Violation, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every invariant holds."""
        return not self.violations

    def __str__(self) -> str:
        seen = f"{self.campaigns} campaigns, {self.events} events, {self.blobs} blobs"
        return "\n".join([*self.notes, f"{seen}: {len(self.violations)} violations", *map(str, self.violations)])


def no_more(_: str) -> Sequence[Check]:
    """No further checks."""
    return ()


def fsck(
    store: Inspected,
    blobs: Blobs,
    acknowledged: Mapping[str, Collection[str]] | None = None,
    invoices: Mapping[str, int] | None = None,
    more: Callable[[str], Sequence[Check]] = no_more,
) -> FsckReport:
    """Check the invariants of every campaign.

    Args:
        store: the record.
        blobs: its blobs.
        acknowledged: by campaign, attempts whose label a client saw accepted (I4).
        invoices: how often the labeler says that it was paid, by attempt (I10).
        more: further checks for a campaign.
    """
    blob_check, invoice_check = BlobCheck(blobs), InvoiceCheck(invoices or {})
    events = 0
    found: list[Violation] = []
    campaigns = store.campaigns()
    for campaign in campaigns:
        checks: list[Check] = [blob_check, invoice_check, *more(campaign)]
        inspection = _Inspection(campaign, checks, set((acknowledged or {}).get(campaign, ())))
        found.extend(inspection.run(store))
        events += inspection.n
    found.extend(invoice_check.unbooked())
    return FsckReport(len(campaigns), events, len(blob_check.seen), tuple(found), _unnamed(blobs, blob_check))


def _unnamed(blobs: Blobs, seen: BlobCheck) -> tuple[str, ...]:
    """Blobs that no event names are no fault: tasks, results of steps, answers that ended as failures, killed puts."""
    if not isinstance(blobs, Listed):
        return ()
    count = sum(ref not in seen.seen for ref in blobs.refs())
    return (f"{count} blobs are named by no event",) if count else ()


@dataclass
class _Inspection:
    """One campaign's checks over one pass of its log."""

    campaign: str
    more: Sequence[Check]
    acknowledged: set[str]
    n: int = 0
    money: MoneyCheck = field(default_factory=MoneyCheck)
    replayed: Tables = field(default_factory=Tables)

    def run(self, store: Inspected) -> Iterator[Violation]:
        acknowledged = AcknowledgedCheck(self.acknowledged)
        checks: list[Check] = [NumberCheck(), LeaseCheck(), LifeCheck(), HoldoutCheck(), self.money, acknowledged]
        checks.extend(self.more)
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
