"""I1, I2, I3 and I5: the money, counted again from the events alone."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dataeff_al import events as ev
from dataeff_al.stores.checks.protocol import Violation, violation
from dataeff_al.stores.protocol import StoredEvent


@dataclass
class Purse:
    """Running sums of one account, in the budget's unit. ``inherited`` is the part of ``spent`` never reserved."""

    total: int = 0
    reserved: int = 0
    spent: int = 0
    wasted: int = 0
    inherited: int = 0
    extra: int = 0

    @property
    def used(self) -> int:
        """What the budget must cover."""
        return self.reserved + self.spent + self.wasted


@dataclass
class _Bought:
    max_cost: int
    account: ev.AccountName
    live: bool
    labels: int = 0


@dataclass
class MoneyCheck:
    """Budget, reservations and posts of one campaign."""

    purses: dict[str, Purse] = field(default_factory=lambda: {"queries": Purse(), "evaluation": Purse()})
    _queries: dict[str, _Bought] = field(default_factory=dict)
    _answered: set[str] = field(default_factory=set)

    def see(self, stored: StoredEvent) -> Iterator[Violation]:
        """Book the event, then hold both accounts against their totals."""
        before = {name: purse.used for name, purse in self.purses.items()}
        yield from self._book(stored)
        for name, purse in self.purses.items():
            if purse.used > purse.total and purse.used > before[name]:
                yield violation(
                    "I3",
                    stored,
                    f"reserved + spent + wasted of account {name} must stay within {purse.total}, but got "
                    f"{purse.reserved} + {purse.spent} + {purse.wasted}.",
                )

    def _book(self, stored: StoredEvent) -> Iterator[Violation]:
        event = stored.event
        match event:
            case ev.Created() | ev.PoolPrepared() | ev.Extended():
                yield from self._fund(stored, event)
            case ev.Proposed():
                yield from self._reserve(stored, event)
            case ev.Inherited():
                yield from self._inherit(stored, event)
            case ev.Told() | ev.ExtraTold():
                yield from self._post(stored, event)
            case ev.AttemptFailed() | ev.Settled():
                yield from self._waste(stored, event.query, event.cost)
            case ev.ExtraFailed():
                yield from self._lose(stored, event.query, event.cost)
            case ev.DeadLettered() | ev.QueryCancelled():
                yield from self._release(stored, event.query)
            case ev.Cancelled():
                yield from self._nothing_reserved(stored)

    def _fund(self, stored: StoredEvent, event: ev.Created | ev.PoolPrepared | ev.Extended) -> Iterator[Violation]:
        if isinstance(event, ev.PoolPrepared):
            self.purses["evaluation"].total = event.evaluation_budget
        elif isinstance(event, ev.Extended):
            self.purses["queries"].total += event.amount
        else:
            budget = event.spec.get("budget")
            total = budget.get("total") if isinstance(budget, dict) else None
            if isinstance(total, int):
                self.purses["queries"].total = total
            else:
                yield violation("I3", stored, f"a campaign must state its budget's total, but got {total!r}.")

    def _reserve(self, stored: StoredEvent, event: ev.Proposed) -> Iterator[Violation]:
        account = ev.account_of(event.purpose)
        for query in event.queries:
            if query.id in self._queries:
                yield violation("I2", stored, f"a query must be proposed once, but got {query.id!r} again.")
                continue
            self._queries[query.id] = _Bought(event.max_cost, account, live=True)
            self.purses[account].reserved += event.max_cost
        if event.max_cost < 0:
            yield violation("I1", stored, f"money must not be negative, but got a max_cost of {event.max_cost}.")

    def _inherit(self, stored: StoredEvent, event: ev.Inherited) -> Iterator[Violation]:
        for item in event.labels:
            account = ev.account_of(item.purpose)
            if item.query.id in self._queries:
                yield violation("I2", stored, f"a query must be inherited once, but got {item.query.id!r} again.")
                continue
            self._queries[item.query.id] = _Bought(item.label.cost, account, live=False, labels=1)
            self.purses[account].spent += item.label.cost
            self.purses[account].inherited += item.label.cost
            yield from _not_negative(stored, item.label.cost)

    def _post(self, stored: StoredEvent, event: ev.Told | ev.ExtraTold) -> Iterator[Violation]:
        query = self._queries.get(event.query)
        if query is None:
            yield violation("I2", stored, f"a label must answer a proposed query, but got one for {event.query!r}.")
            return
        yield from _not_negative(stored, event.label.cost)
        if event.attempt in self._answered:
            yield violation("I5", stored, f"an attempt must be posted at most once, but got {event.attempt!r} again.")
        self._answered.add(event.attempt)
        if isinstance(event, ev.ExtraTold):
            yield from self._post_extra(stored, query, event)
        else:
            yield from self._post_within(stored, query, event)

    def _post_extra(self, stored: StoredEvent, query: _Bought, event: ev.ExtraTold) -> Iterator[Violation]:
        self.purses[query.account].extra += event.label.cost
        if query.live:
            yield violation(
                "I2", stored, f"a label must be booked as extra only without a reservation, but got {event.query!r}."
            )

    def _post_within(self, stored: StoredEvent, query: _Bought, event: ev.Told) -> Iterator[Violation]:
        purse = self.purses[query.account]
        within = min(event.label.cost, query.max_cost)
        purse.spent += within
        purse.extra += event.label.cost - within
        query.labels += 1
        if query.labels > 1:
            yield violation("I5", stored, f"a query must have at most one label, but got another for {event.query!r}.")
        if query.live:
            query.live = False
            purse.reserved -= query.max_cost
        else:
            yield violation("I2", stored, f"a label must be paid from a reservation, but got none for {event.query!r}.")

    def _waste(self, stored: StoredEvent, query_id: str, cost: int) -> Iterator[Violation]:
        query = self._queries.get(query_id)
        if query is None:
            yield violation("I2", stored, f"an attempt must be at a proposed query, but got one at {query_id!r}.")
            return
        yield from _not_negative(stored, cost)
        within = min(cost, query.max_cost)
        self.purses[query.account].wasted += within
        self.purses[query.account].extra += cost - within

    def _lose(self, stored: StoredEvent, query_id: str, cost: int) -> Iterator[Violation]:
        query = self._queries.get(query_id)
        if query is None:
            yield violation("I2", stored, f"an attempt must be at a proposed query, but got one at {query_id!r}.")
            return
        yield from _not_negative(stored, cost)
        self.purses[query.account].extra += cost

    def _release(self, stored: StoredEvent, query_id: str) -> Iterator[Violation]:
        query = self._queries.get(query_id)
        if query is None or not query.live:
            yield violation("I2", stored, f"a reservation must stand to be released, but got none for {query_id!r}.")
            return
        query.live = False
        self.purses[query.account].reserved -= query.max_cost

    def _nothing_reserved(self, stored: StoredEvent) -> Iterator[Violation]:
        reserved = sum(purse.reserved for purse in self.purses.values())
        if reserved:
            yield violation("I2", stored, f"a cancelled campaign must have nothing reserved, but got {reserved}.")


def _not_negative(stored: StoredEvent, cost: int) -> Iterator[Violation]:
    if cost < 0:
        yield violation("I1", stored, f"money must not be negative, but got a cost of {cost}.")
