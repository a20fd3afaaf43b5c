"""Families of texts that resemble each other more or less, for tests of near-duplicates."""

import random


def varied(seed: int, count: int) -> list[str]:
    """Families of texts that differ by a few words, so that J covers 0 to 1."""
    source = random.Random(seed)
    words = [f"w{number}" for number in range(400)]
    texts = []
    for _ in range(count // 6):
        base = source.choices(words, k=source.randint(3, 60))
        for changes in range(6):
            copy = base.copy()
            for _ in range(changes // 2):
                copy[source.randrange(len(copy))] = source.choice(words)
            texts.append(" ".join(copy[:len(copy) - (changes % 3 == 2)]))
    return texts
