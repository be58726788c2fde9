"""Bring a database to the newest schema with Alembic, inside the caller's transaction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

import dataeff_al.stores.migrations as history
from dataeff_al.errors import RecordError
from dataeff_al.stores.schema import HEAD, READABLE

if TYPE_CHECKING:
    from alembic.config import Config

_VERSION = "alembic_version"


def current(connection: Connection) -> str | None:
    """Revision of the database's schema; None for an empty database.

    Raises RecordError for a database that holds tables of somebody else.
    """
    tables = inspect(connection).get_table_names()
    if _VERSION in tables:
        return connection.execute(text(f"SELECT version_num FROM {_VERSION}")).scalar_one_or_none()
    if tables:
        raise RecordError(f"a record must be in a database of its own, but got one with tables {sorted(tables)}.")
    return None


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing. Raises RecordError for a schema of a later version of this package."""
    found = current(connection)
    if found == HEAD:
        return
    from alembic import command  # takes as long as all of the rest, and most records are of the newest schema
    from alembic.script import ScriptDirectory

    config = _config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise RecordError(_too_new(found))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def check(connection: Connection) -> str:
    """The revision, for whoever only reads. Raises RecordError for one that this version cannot read."""
    found = current(connection)
    if found in READABLE:
        return found
    raise RecordError(_too_new(found) if found and found > HEAD else _too_old(found))


def heads() -> Sequence[str]:
    """The newest revisions that the migrations define."""
    from alembic.script import ScriptDirectory

    return list(ScriptDirectory.from_config(_config()).get_heads())


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", history.__path__[0].replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _too_new(found: str) -> str:
    return f"the record's schema must be known to this version of dataeff-al (newest {HEAD}), but got {found!r}."


def _too_old(found: str | None) -> str:
    return f"the record's schema must be {HEAD}, which opening it for writing brings about, but got {found!r}."
