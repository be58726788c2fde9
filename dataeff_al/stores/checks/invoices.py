"""I10: what the labeler says it was paid for, against what the record has booked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dataeff_al import events as ev
from dataeff_al.stores.checks.protocol import Violation
from dataeff_al.stores.protocol import StoredEvent


@dataclass
class InvoiceCheck:
    """Every invoice must be for an attempt that was posted, wasted, booked as extra, is open or of unknown outcome, and
    be the only one for it. ``invoices``: how often the labeler was paid, by attempt. Shared over all campaigns.
    """

    invoices: Mapping[str, int]
    _campaigns: dict[str, str] = field(default_factory=dict)
    _unpaid: set[str] = field(default_factory=set)

    def see(self, stored: StoredEvent) -> Iterator[Violation]:
        """Follow the attempts."""
        event = stored.event
        match event:
            case ev.Leased():
                self._campaigns.update((grant.attempt, stored.campaign) for grant in event.attempts)
            case ev.AttemptFailed() | ev.Settled():
                self._end(event.attempt, paid=event.cost > 0)
            case ev.AttemptExpired():
                self._end(event.attempt, paid=False)
            case ev.Told() | ev.ExtraTold() | ev.ExtraFailed():
                self._end(event.attempt, paid=True)
        yield from ()

    def unbooked(self) -> Iterator[Violation]:
        """Invoices that the record does not account for, once all events were seen."""
        for attempt, count in sorted(self.invoices.items()):
            campaign = self._campaigns.get(attempt, "")
            if not campaign:
                sentence = f"an invoice must be for an attempt in the record, but got one for {attempt!r}."
            elif attempt in self._unpaid:
                sentence = f"attempt {attempt!r} must have been booked, but got nothing for {count} invoices."
            elif count > 1:
                sentence = f"attempt {attempt!r} must be paid once, but got {count} invoices."
            else:
                continue
            yield Violation("I10", campaign, 0, sentence)

    def _end(self, attempt: str, *, paid: bool) -> None:
        if paid:
            self._unpaid.discard(attempt)
        else:
            self._unpaid.add(attempt)
