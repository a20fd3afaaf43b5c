"""Sources that are URLs: s3://, oss://, https://, memory:// and whatever else fsspec speaks; nothing is loaded before one is used."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

from tutelage.core.errors import ExtraMissing, InputError, ServiceUnavailable

if TYPE_CHECKING:
    from fsspec.spec import AbstractFileSystem

_SECRET = re.compile(r"://[^/@]*:[^/@]*@")
_GLOB = re.compile(r"[*?\[]")
# What a service says of the content of a file, so that it need not be fetched to know whether it changed.
_CHECKSUMS = ("ETag", "etag", "md5Hash", "content_md5", "checksum")


def is_url(source: str) -> bool:
    """Whether the source is reached through fsspec."""
    return "://" in source


def files_of(source: str) -> list[str]:
    """The URLs of the files that a URL stands for: itself, all below it, or what matches; by name, without hidden ones.

    Raises InputError if there is none, ExtraMissing if a package is needed for it, ServiceUnavailable if nobody answers.
    """
    filesystem, path = _filesystem(source)
    try:
        if _GLOB.search(path):
            paths = [found for found in filesystem.glob(path)
                     if not filesystem.isdir(found) and (_is_hidden(path) or not _is_hidden(found))]
        elif filesystem.isdir(path):
            paths = [found for found in filesystem.find(path) if not _is_hidden(found.removeprefix(path))]
        else:
            paths = [path] if filesystem.exists(path) else []
    except Exception as error:
        raise _silent(source, error) from error
    if not paths:
        raise InputError(f"documents.sources: {source!r} matches no file. Correct the URL; folders and patterns such as "
                         "s3://bucket/contracts/*.docx are allowed.")
    return sorted(filesystem.unstrip_protocol(found) for found in paths)


def fingerprint_of(url: str) -> str:
    """The checksum that the service states, else the SHA-256 of the content.

    Raises FileNotFoundError or PermissionError for this file, ServiceUnavailable if nobody answers.
    """
    filesystem, path = _filesystem(url)
    try:
        info = filesystem.info(path)
        stated = next((str(info[key]) for key in _CHECKSUMS if info.get(key)), "")
        if stated:
            return f"{stated} {info.get('size')}"
        with filesystem.open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:
        raise _silent(url, error) from error


@contextmanager
def opened(url: str) -> Iterator[BinaryIO]:
    """The content of a URL, to be read from its beginning to its end."""
    filesystem, path = _filesystem(url)
    with filesystem.open(path, "rb") as file:
        yield cast(BinaryIO, file)


def _filesystem(source: str) -> tuple[AbstractFileSystem, str]:
    if _SECRET.search(source):
        raise InputError("documents.sources: a URL contains a password. It would be written into every manifest: take it out, and give it "
                         "in the environment or in fsspec's configuration file.")
    if "::" in source:
        raise InputError(f"documents.sources: {source!r} chains two URLs by '::', which is not supported. Name the file itself.")
    from fsspec.core import url_to_fs

    protocol = source.partition("://")[0]
    try:
        filesystem, path = url_to_fs(source)
    except ImportError as error:
        raise ExtraMissing(f"documents.sources: {source!r} needs a package that is not installed: {error}. "
                           "Install it with pip, then try again.") from None
    except ValueError as error:
        raise InputError(f"documents.sources: {source!r}: {protocol}:// cannot be used ({error}). Write it as for fsspec: "
                         "s3://, oss://, gs://, abfs://, https://, sftp://, file://.") from None
    return filesystem, path


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(path).parts)


def _silent(source: str, error: Exception) -> ServiceUnavailable:
    said = str(error).split("\n")[0][:200] or type(error).__name__
    return ServiceUnavailable(f"documents.sources: {source!r} cannot be read ({said}). Check the address, the network and the rights "
                              "of the account that your environment names, then try again.")
