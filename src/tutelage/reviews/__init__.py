"""Reviews: a second person approves or returns a draft, and what was approved becomes a file for the next dataset."""

__all__ = ["flow", "make", "settings"]
