"""Projected tables in memory: what the memory store keeps, and what ``fsck`` holds stored tables against."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from dataeff_al import events as ev
from dataeff_al.errors import RecordError
from dataeff_al.stores.projections import KEYS, Change, Insert, QueryFacts, Row, Update, changes
from dataeff_al.stores.protocol import StoredEvent

Key = tuple[Any, ...]


class Tables:
    """Rows by table and key. :meth:`add` is all or nothing: a refused event leaves no trace."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[Key, dict[str, Any]]] = {table: {} for table in KEYS}

    def add(self, events: Iterable[StoredEvent]) -> None:
        """Make the changes of events. Raises RecordError when a key is taken or a query unknown."""
        undo: list[tuple[str, Key, dict[str, Any] | None]] = []
        try:
            for stored in events:
                for change in changes(stored, partial(self._facts, stored.campaign)):
                    self._make(change, undo)
        except RecordError:
            for table, key, row in reversed(undo):
                self._put_back(table, key, row)
            raise

    def rows(self, table: str, campaign: str) -> list[Row]:
        """Rows of a campaign, ordered by key."""
        found = {key: row for key, row in self._rows[table].items() if key[0] == campaign}
        return [found[key] for key in sorted(found)]

    def _facts(self, campaign: str, query: str) -> QueryFacts:
        row = self._rows["queries"].get((campaign, query))
        if row is None:
            raise RecordError(unknown_query(campaign, query))
        return QueryFacts(row["max_cost"], ev.account_of(row["purpose"]))

    def _make(self, change: Change, undo: list[tuple[str, Key, dict[str, Any] | None]]) -> None:
        rows = self._rows[change.table]
        if isinstance(change, Insert):
            for row in change.rows:
                key = tuple(row[column] for column in KEYS[change.table])
                if key in rows:
                    raise RecordError(taken(change.table, key))
                rows[key] = dict(row)
                undo.append((change.table, key, None))
            return
        for key in list(self._matching(change)):
            undo.append((change.table, key, dict(rows[key])))
            rows[key].update(change.values)

    def _matching(self, change: Update) -> Iterator[Key]:
        """Keys of the rows to change: every update names its row's whole key, and at times more conditions."""
        rows = self._rows[change.table]
        key = tuple(change.where[column] for column in KEYS[change.table])
        row = rows.get(key)
        if row is not None and all(_meets(row[column], wanted) for column, wanted in change.where.items()):
            yield key

    def _put_back(self, table: str, key: Key, row: dict[str, Any] | None) -> None:
        if row is None:
            del self._rows[table][key]
        else:
            self._rows[table][key] = row


def taken(table: str, key: Sequence[Any]) -> str:
    """The sentence of a second row under one key."""
    names = ", ".join(KEYS[table])
    return f"a row of {table} must be the only one for its {names}, but got a second one for {tuple(key)!r}."


def unknown_query(campaign: str, query: str) -> str:
    """The sentence of an event about a query that was never proposed."""
    return f"a query must have been proposed in campaign {campaign!r}, but got {query!r}."


def _meets(value: Any, wanted: Any) -> bool:
    return value in wanted if isinstance(wanted, tuple) else value == wanted
