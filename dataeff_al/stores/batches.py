"""Changes of projected tables put together, so that many events cost few statements. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from dataeff_al.stores.projections import Change, Insert, Row, Update

IDS = ("query", "attempt", "subject")
"""Columns that say whom a row is about."""

Batch = Sequence[Change]


def batched(changes: Iterable[Change]) -> Iterator[Batch]:
    """Changes of one shape (table and columns) together, to be made in the order given.

    Those about the same query or attempt keep their order; others change different rows, so that theirs is free.
    """
    batches: list[list[Change]] = []
    shapes: dict[Any, int] = {}
    newest: dict[str, int] = {}
    for change in changes:
        shape, about = _shape(change), _about(change)
        place = shapes.get(shape, -1)
        if place < 0 or place < max((newest.get(each, -1) for each in about), default=-1):
            place = shapes[shape] = len(batches)
            batches.append([])
        batches[place].append(change)
        newest.update(dict.fromkeys(about, place))
    return iter(batches)


def _shape(change: Change) -> Any:
    """What changes must share to be made by one statement; an update of several rows at once stays by itself."""
    if isinstance(change, Insert):
        return "insert", change.table, tuple(change.rows[0])
    alone = id(change) if any(isinstance(wanted, tuple) for wanted in change.where.values()) else 0
    return "update", change.table, tuple(change.where), tuple(change.values), alone


def _about(change: Change) -> set[str]:
    """Names of everything that a change is about; a row of a campaign as a whole is about the campaign."""
    rows: Iterable[Row] = change.rows if isinstance(change, Insert) else (change.where,)
    found: set[str] = set()
    for row in rows:
        names = [row[column] for column in IDS if column in row] or [row["campaign"]]
        for name in names:
            found.update(name if isinstance(name, tuple) else (name,))
    return found


def merged_rows(batch: Iterable[Change]) -> list[Row]:
    """The rows of all inserts of a batch."""
    return [row for change in batch if isinstance(change, Insert) for row in change.rows]


def updates(batch: Iterable[Change]) -> list[Update]:
    """The updates of a batch."""
    return [change for change in batch if isinstance(change, Update)]
