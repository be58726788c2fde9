"""Snapshots of campaigns as rows: a manifest that seals the blocks and the log's digest at the snapshot's place."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from dataeff_al.digests import digest_bytes, digest_json
from dataeff_al.errors import ConflictError
from dataeff_al.stores import statements
from dataeff_al.stores.protocol import Snapshot
from dataeff_al.stores.schema import snapshot_blocks, snapshots

log = logging.getLogger(__name__)


def keep(connection: Connection, campaign: str, snapshot: Snapshot, epoch: int, onto: int) -> None:
    """Write a snapshot in the place of the one before it; see :class:`~dataeff_al.stores.protocol.Store`."""
    digests = _digests_of(connection, campaign, onto)
    fresh = {name: digest_bytes(body.encode()) for name, body in snapshot.blocks.items()}
    mine = snapshot_blocks.c.campaign == campaign
    gone = mine & snapshot_blocks.c.block.in_(list(fresh)) if onto else mine
    connection.execute(delete(snapshot_blocks).where(gone))
    rows = [{"campaign": campaign, "block": name, "body": body} for name, body in snapshot.blocks.items()]
    if rows:
        connection.execute(insert(snapshot_blocks), rows)
    place = {"campaign": campaign, "n": snapshot.n, "epoch": epoch, "head": snapshot.head}
    place |= {"log": _digest_of_log(connection, campaign, snapshot.n), "blocks": json.dumps(digests | fresh)}
    connection.execute(delete(snapshots).where(snapshots.c.campaign == campaign))
    connection.execute(insert(snapshots), place | {"digest": _seal(place)})


def recalled(connection: Connection, campaign: str, *, whole: bool) -> Snapshot | None:
    """The campaign's snapshot, without its blocks unless it is to be ``whole``; None when there is none, or none that
    is sealed and fits the log.
    """
    found = connection.execute(select(snapshots).where(snapshots.c.campaign == campaign)).mappings().one_or_none()
    if found is None:
        return None
    row = dict(found)
    if row.pop("digest") != _seal(row) or row["log"] != statements.digest_at(connection, campaign, row["n"]):
        log.warning("the snapshot of campaign %r is damaged and is not used", campaign)
        return None
    if not whole:
        return Snapshot(row["n"], row["head"])
    blocks = _blocks(connection, campaign, json.loads(row["blocks"]))
    if blocks is None:
        log.warning("the snapshot of campaign %r is damaged in its blocks and is not used", campaign)
        return None
    return Snapshot(row["n"], row["head"], blocks)


def _digests_of(connection: Connection, campaign: str, onto: int) -> dict[str, str]:
    """Digests of the blocks that go on to hold. Raises ConflictError when another snapshot stands there."""
    if not onto:
        return {}
    place = select(snapshots.c.n, snapshots.c.blocks).where(snapshots.c.campaign == campaign)
    row = connection.execute(place).one_or_none()
    if row is None or row.n != onto:
        standing = row.n if row else None
        raise ConflictError(f"the snapshot of campaign {campaign!r} must stand at {onto}, but got {standing!r}.")
    found: dict[str, str] = json.loads(row.blocks)
    return found


def _digest_of_log(connection: Connection, campaign: str, n: int) -> str:
    found = statements.digest_at(connection, campaign, n)
    if not found:
        raise ConflictError(f"a snapshot of campaign {campaign!r} must stand at one of its events, but got {n!r}.")
    return found


def _blocks(connection: Connection, campaign: str, digests: Mapping[str, str]) -> dict[str, str] | None:
    """The blocks that the manifest names, or None when one is missing, strange or damaged."""
    wanted = select(snapshot_blocks.c.block, snapshot_blocks.c.body).where(snapshot_blocks.c.campaign == campaign)
    blocks: dict[str, str] = {name: body for name, body in connection.execute(wanted)}  # noqa: C416 - rows are no pairs
    whole = blocks.keys() == digests.keys()
    return blocks if whole and all(digest_bytes(blocks[name].encode()) == digests[name] for name in digests) else None


def _seal(place: Mapping[str, Any]) -> str:
    """The digest of a manifest, by which that of every block and of the log is fixed, too."""
    return digest_json(dict(place))
