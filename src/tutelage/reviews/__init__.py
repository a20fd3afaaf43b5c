"""Reviews: a second person approves or returns a draft, two people name doubtful clauses, and both become files for the next dataset."""

__all__ = ["flow", "labels", "make", "settings"]
