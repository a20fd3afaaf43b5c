"""The endpoint room: a copy that passed its gate is put behind the door; an ungated one is refused."""

__all__ = ["make", "serving", "settings"]
