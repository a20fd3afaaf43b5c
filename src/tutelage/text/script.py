"""Traditional Chinese characters to simplified ones."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opencc import OpenCC


_SURROGATE = re.compile("([\ud800-\udfff])")


def to_simplified(text: str) -> str:
    """The text with traditional Chinese words and characters in simplified ones; everything else stays as it is.

    The words of Taiwan and Hong Kong are not exchanged for those of the mainland (軟體 becomes 软体, not 软件).
    """
    if text.isascii():
        return text
    # OpenCC refuses halves of surrogate pairs, which broken files may hold.
    return "".join(piece if _SURROGATE.match(piece) else _converter().convert(piece) for piece in _SURROGATE.split(text))


@lru_cache(maxsize=1)
def _converter() -> OpenCC:
    import opencc

    return opencc.OpenCC("t2s")
