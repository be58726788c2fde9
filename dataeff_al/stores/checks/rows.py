"""I1, I2 and I9 over the stored tables: they must be what the events make of them."""

from collections import Counter
from collections.abc import Callable, Iterator

from dataeff_al.stores.checks.money import Purse
from dataeff_al.stores.checks.protocol import Violation
from dataeff_al.stores.projections import KEYS, Row
from dataeff_al.stores.tables import Tables

Rows = Callable[[str], list[Row]]
"""Stored rows of a table."""


def differing_rows(campaign: str, n: int, rows: Rows, replayed: Tables) -> Iterator[Violation]:
    """I9: the first row of every table that is not what the events give."""
    for table, key in KEYS.items():
        stored = {tuple(row[column] for column in key): dict(row) for row in rows(table)}
        wanted = {tuple(row[column] for column in key): dict(row) for row in replayed.rows(table, campaign)}
        wrong = [name for name in {**wanted, **stored} if stored.get(name) != wanted.get(name)]
        if wrong:
            first = min(wrong)
            sentence = (
                f"{len(wrong)} rows of {table} must be as their events say, but got {stored.get(first)!r} in the place "
                f"of {wanted.get(first)!r}."
            )
            yield Violation("I9", campaign, n, sentence)


def unbalanced(campaign: str, n: int, entries: list[Row], purses: dict[str, Purse]) -> Iterator[Violation]:
    """I1 and I2: the ledger's sums are the money that the events moved."""
    for account, purse in purses.items():
        sums: Counter[str] = Counter()
        for row in entries:
            if row["account"] == account:
                sums[row["kind"]] += row["amount"]
        standing = sums["RESERVE"] - sums["RELEASE"] - (sums["POST"] - purse.inherited)
        for name, invariant, got, wanted in (
            ("spent", "I1", sums["POST"], purse.spent),
            ("wasted", "I1", sums["WASTE"], purse.wasted),
            ("extra", "I1", sums["EXTRA"] + sums["OVERRUN"], purse.extra),
            ("reserved", "I2", standing, purse.reserved),
        ):
            if got != wanted:
                sentence = f"{name} of account {account} must be {wanted} in the ledger, but got {got}."
                yield Violation(invariant, campaign, n, sentence)
