"""Zip files: their members, one open after the other, within limits that no archive can talk its way around."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, BinaryIO

from tutelage.documents.readers.opened import COPY_BYTES, Opened, failed, member_file, temporary
from tutelage.documents.rows import ReadOptions, Row, Unreadable

# A small member may be as empty as it likes.
RATIO_FROM_BYTES = 1 << 20
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, struct.error, OverflowError)
_ENCRYPTED, _UTF8 = 0x1, 0x800
_RESERVED = ("__MACOSX",)


def open_zip(stream: BinaryIO) -> zipfile.ZipFile | Unreadable:
    """The archive, or why it is none."""
    try:
        return zipfile.ZipFile(stream)
    except BROKEN as error:
        return Unreadable("broken zip file", f"It is no zip file, or cut off ({str(error)[:80]}). Pack or download it anew.")


def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, into: IO[bytes]) -> int:
    """Writes the member; gives its size, which is never more than the stated one: a header that lies is a broken member.

    Raises one of BROKEN.
    """
    size = 0
    with archive.open(info) as member:
        while piece := member.read(COPY_BYTES):
            size += len(piece)
            into.write(piece)
    return size


def members_of(opened: Opened, options: ReadOptions) -> Iterator[Opened | Row]:
    """The members, each open until the next one is asked for; a row with a problem for one that is not read."""
    archive = open_zip(opened.stream)
    if isinstance(archive, Unreadable):
        yield failed(opened.file, archive, sha256=opened.sha256())
        return
    with archive:
        infos = [info for info in archive.infolist() if not _is_passed_over(info)]
        if len(infos) > options.max_members:
            yield failed(opened.file, Unreadable("too many members", f"It has {len(infos):,} members; {options.max_members:,} are allowed. "
                                                 "Divide it."))
            return
        if not infos:
            yield failed(opened.file, Unreadable("empty", "There is no file in it."))
        left = options.max_bytes_unpacked
        seen: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            name = _name(info)
            file = member_file(opened.file, name.replace("\\", "/").lstrip("/") or "unnamed")
            problem = _refused(info, name, seen, left, options)
            if problem:
                yield failed(file, problem, name=file.name if name not in seen else f"{file.name} (again)")
                continue
            seen[name] = info
            with temporary() as copy:
                try:
                    size = unpack(archive, info, copy)
                except BROKEN as error:
                    yield failed(file, Unreadable("broken zip member", f"It cannot be unpacked ({str(error)[:80]}). Pack it anew."))
                    continue
                left -= size
                copy.seek(0)
                yield Opened(file, copy, size, _Beside(archive, name, options))


class _Beside:
    """Other members of the archive by their path relative to one of them; raises KeyError or OSError."""

    def __init__(self, archive: zipfile.ZipFile, name: str, options: ReadOptions) -> None:
        self._archive, self._folder, self._limit = archive, PurePosixPath(name).parent, options.max_bytes_a_document

    def __call__(self, path: str) -> bytes:
        info = self._archive.getinfo((self._folder / path).as_posix())
        if info.file_size > self._limit:
            raise OSError("too large")
        with temporary() as copy:
            try:
                size = unpack(self._archive, info, copy)
            except BROKEN as error:
                raise OSError(str(error)) from None
            copy.seek(0)
            return copy.read(size)


def _is_passed_over(info: zipfile.ZipInfo) -> bool:
    """Folders, hidden files and what macOS adds, as in a folder on the disk."""
    parts = PurePosixPath(info.filename.replace("\\", "/")).parts
    return info.is_dir() or any((part.startswith(".") and part != "..") or part in _RESERVED for part in parts)


def _name(info: zipfile.ZipInfo) -> str:
    """Old Chinese Windows writes names in its own encoding and does not say so."""
    if info.flag_bits & _UTF8 or info.filename.isascii():
        return info.filename
    raw = info.filename.encode("cp437", "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return info.filename


def _refused(info: zipfile.ZipInfo, name: str, seen: dict[str, zipfile.ZipInfo], left: int, options: ReadOptions) -> Unreadable | None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or name[1:2] == ":" or "\0" in name:
        return Unreadable("dangerous name", "Its name leads out of the archive. Pack the archive anew, from inside the folder.",
                          expected="a name inside the archive, without ..")
    if name in seen:
        return Unreadable("member twice", "The archive has two members of this name. Pack it anew.")
    if stat.S_ISLNK(info.external_attr >> 16):
        return Unreadable("link", "It is a link to another file, which is not followed. Pack the file itself.")
    if info.flag_bits & _ENCRYPTED:
        return Unreadable("encrypted", "It is locked by a password. Unpack the archive and name the folder.")
    if path.suffix.lower() == ".zip":
        return Unreadable("zip in a zip", "A zip file inside a zip file is not read. Unpack it beside the outer one.")
    if info.file_size > max(RATIO_FROM_BYTES, info.compress_size * options.max_ratio):
        return Unreadable("zip bomb", f"It unpacks to more than {options.max_ratio} times its size. If that is meant, unpack the archive "
                          "and name the folder.", expected=f"at most {options.max_ratio} times the packed size")
    if info.file_size > left:
        return Unreadable("too large", f"The members of the archive together unpack to more than {options.max_bytes_unpacked / 1e6:,.0f} "
                          "MB. Divide it, or unpack it and name the folder.", expected=f"at most {options.max_bytes_unpacked:,} bytes")
    return None
