"""What several rooms must know of text, in Chinese and English."""

__all__: list[str] = []
