"""Alembic's entry: runs on the connection, and in the transaction, that `voiceworker.records.migrate` opened."""

from alembic import context

from voiceworker.records.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
