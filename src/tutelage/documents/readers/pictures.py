"""The pictures that rows name: looked up beside the data file, opened, decoded once and hashed."""

from __future__ import annotations

import hashlib
import io
from pathlib import PurePosixPath

from tutelage.core.records import Image
from tutelage.documents.readers.opened import Opened
from tutelage.documents.readers.wrong import WrongField
from tutelage.documents.rows import ReadOptions, Unreadable

MAX_PIXELS = 50_000_000
REMEMBERED = 10_000


class Album:
    """Pictures of one data file; each is opened once."""

    def __init__(self, opened: Opened, options: ReadOptions) -> None:
        self._opened, self._limit = opened, options.max_bytes_a_document
        self._known: dict[str, Image | Unreadable] = {}

    def image(self, path: object, field: str) -> Image:
        """The picture at a path relative to the data file. Raises WrongField if it is absent, broken or elsewhere."""
        if not isinstance(path, str) or not path:
            raise WrongField(Unreadable("wrong field", f"{field} is no path.", field, "the path of a picture, relative to this file"))
        if path not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[path] = self._look(path)
        found = self._known[path]
        if isinstance(found, Unreadable):
            raise WrongField(Unreadable(found.reason, found.suggestion, field, found.expected))
        return found

    def _look(self, path: str) -> Image | Unreadable:
        shown = path[:120]
        if "://" in path or path.startswith("data:"):
            return Unreadable("picture elsewhere", f"{shown} is not fetched. Save it beside the data file and name its path.",
                              expected="a path relative to this file")
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\\" in path or "\0" in path or path[1:2] == ":":
            return Unreadable("picture elsewhere", f"{shown} leads out of the folder of the data file. Put the pictures below it.",
                              expected="a path relative to this file, without ..")
        try:
            data = self._opened.beside(path)
        except (OSError, KeyError):
            return Unreadable("picture missing", f"{shown} is not there (looked beside {self._opened.file.name}). Add it, or correct "
                              "the path.", expected="a path relative to this file")
        return self._of(data, path)

    def _of(self, data: bytes, path: str) -> Image | Unreadable:
        from PIL import Image as Pictures
        from PIL import UnidentifiedImageError

        if len(data) > self._limit:
            return Unreadable("picture too large", f"{path[:120]} has {len(data) / 1e6:,.1f} MB. Make it smaller.")
        try:
            with Pictures.open(io.BytesIO(data)) as picture:
                width, height = picture.size
                if width * height > MAX_PIXELS:
                    return Unreadable("picture too large", f"{path[:120]} has {width} x {height} pixels. Make it smaller.",
                                      expected=f"at most {MAX_PIXELS:,} pixels")
                picture.load()
        except Pictures.DecompressionBombError:
            return Unreadable("picture too large", f"{path[:120]} has too many pixels. Make it smaller.",
                              expected=f"at most {MAX_PIXELS:,} pixels")
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as error:
            return Unreadable("picture broken", f"{path[:120]} cannot be opened ({str(error)[:80]}). Save it anew as PNG or JPEG.")
        return Image(path=path, sha256=hashlib.sha256(data).hexdigest(), width=width, height=height)
