"""The door of the readers: which reader a file gets, and what becomes of a file that none can read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tutelage.documents.readers.docx import read_docx
from tutelage.documents.readers.html import read_html
from tutelage.documents.readers.json_rows import read_json, read_json_lines, read_lines
from tutelage.documents.readers.opened import Opened, failed, opening
from tutelage.documents.readers.pdf import read_pdf
from tutelage.documents.readers.tables import read_csv, read_parquet
from tutelage.documents.readers.text import read_text
from tutelage.documents.readers.zips import members_of
from tutelage.documents.rows import ReadOptions, Row, Unreadable
from tutelage.documents.sources import SourceFile

DEFAULT = ReadOptions()


def _read_txt(opened: Opened, options: ReadOptions) -> Iterator[Row]:
    return (read_lines if opened.file.format == "lines" else read_text)(opened, options)


READERS: dict[str, Callable[[Opened, ReadOptions], Iterator[Row]]] = {
    ".txt": _read_txt, ".md": read_text, ".license": read_text, ".html": read_html, ".htm": read_html, ".docx": read_docx,
    ".pdf": read_pdf,
    ".jsonl": read_json_lines, ".json": read_json,
    ".csv": read_csv, ".parquet": read_parquet}
ZIP = ".zip"
ENDINGS = (*READERS, ZIP)


def read(file: SourceFile, options: ReadOptions = DEFAULT) -> Iterator[Row]:
    """The rows of a file, one after the other as they are read: one of a text, one for each row of a data file.

    Nothing is dropped in silence and nothing is raised: what cannot be read is a row with a `problem`.
    """
    try:
        with opening(file) as opened:
            if opened.ending == ZIP:
                for member in members_of(opened, options):
                    if isinstance(member, Row):
                        yield member
                    else:
                        yield from rows_of(member, options)
            else:
                yield from rows_of(opened, options)
    except OSError as error:
        yield failed(file, Unreadable("unreadable", f"{error.strerror or error}. Check that the file exists and may be read."))


def rows_of(opened: Opened, options: ReadOptions) -> Iterator[Row]:
    """The rows of an open file."""
    reader = READERS.get(opened.ending)
    if reader is None:
        yield failed(opened.file, _no_reader(opened.ending))
    elif opened.size == 0 and reader not in (read_text, _read_txt):
        yield failed(opened.file, Unreadable("empty", "There is no text in it."))
    else:
        try:
            yield from reader(opened, options)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - one file, however it was made, does not end a run over thousands
            yield failed(opened.file, Unreadable("reader failed", f"{type(error).__name__}: {str(error)[:200]}. This is a fault of the "
                                                 f"reader for {opened.ending} files: please report it. Leave it out, or save it anew."))


def _no_reader(ending: str) -> Unreadable:
    if ending in (".doc", ".rtf", ".odt", ".wps"):
        return Unreadable("no reader", f"Files ending in {ending} are not read. Open it in Word or LibreOffice and save it as .docx.")
    if ending in (".xlsx", ".xls", ".ods", ".et"):
        return Unreadable("no reader", f"Files ending in {ending} are not read. Save each sheet as .csv, in UTF-8.")
    return Unreadable("no reader", f"Files ending in {ending or 'nothing'} are not read, only {', '.join(ENDINGS)}. Save it as .txt, or "
                      "leave it out of documents.sources.")
