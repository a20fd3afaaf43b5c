"""Personal data found and hidden before a text is stored or sent."""

__all__: list[str] = []
