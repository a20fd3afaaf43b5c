"""Files become documents: read, tidied, without near-duplicates and e-mail addresses; every dropped row with its reason."""

__all__: list[str] = []
