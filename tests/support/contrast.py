"""Contrast of two colours as WCAG 2.2 defines it."""

from __future__ import annotations

import re


def ratio(first: str, second: str) -> float:
    """Contrast of two CSS colours "rgb(r, g, b)", 1 to 21."""
    lights = sorted((_light(colour) for colour in (first, second)), reverse=True)
    return (lights[0] + 0.05) / (lights[1] + 0.05)


def _light(colour: str) -> float:
    parts = [int(float(part)) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
