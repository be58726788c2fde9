"""The history of the record's schema, run by Alembic when a store is opened for writing."""
