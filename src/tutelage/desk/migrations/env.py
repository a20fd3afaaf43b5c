"""How Alembic runs the migrations: on the connection, and in the transaction, that `connection.migrate` opened."""

from alembic import context

from tutelage.desk.tables import Table

context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata)
context.run_migrations()
