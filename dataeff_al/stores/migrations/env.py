"""Run by Alembic: migrate over the connection that the store holds, inside its transaction."""

from alembic import context

from dataeff_al.stores.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
