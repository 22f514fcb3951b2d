"""Runs the migrations on the connection that ``relais.ledger.migrating`` hands over."""

from alembic import context

from relais.ledger.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    # the caller holds the lock and the transaction
    transactional_ddl=False,
    render_as_batch=False,
)
context.run_migrations()
