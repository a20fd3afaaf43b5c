"""New training rows from old ones: translated there and back, in synonyms, with other values, in other words; and the gate before them."""

__all__ = ["rows", "settings"]
