"""Tutelage: your documents become a private language model that is served only after it passed its scores."""

__version__ = "0.1.0"
