"""Files to rows: one module a kind of file, all behind `read`."""

from tutelage.documents.readers.reading import read

__all__ = ["read"]
