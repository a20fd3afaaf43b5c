"""Alembic migrations of the desk, shipped with the package and run by `open_desk`."""
