"""Personal data found and hidden before a text is stored or sent; and which kinds of harm a text holds."""

__all__: list[str] = []
