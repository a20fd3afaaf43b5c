"""Drafting: the clause library, search in it, and the model's draft beside its hits."""

__all__ = ["compose", "library", "make", "search", "settings"]
