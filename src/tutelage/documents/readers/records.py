"""Rows of data files: their format is recognised by the first of them, then each becomes a row or a problem of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from tutelage.core.files import short_hash
from tutelage.documents.decode import Sniffed
from tutelage.documents.readers.formats import EXPECTED, FORMATS, Shaped, format_of
from tutelage.documents.readers.opened import Opened, failed, labels, title_of
from tutelage.documents.readers.pictures import Album
from tutelage.documents.readers.wrong import WrongField
from tutelage.documents.rows import ReadOptions, Row, Unreadable
from tutelage.documents.settings import RowFormat

# Rows that are looked at before the format of a file is settled.
FIRST_ROWS = 20
SHOWN_FIELDS = 12


@dataclass(frozen=True)
class Record:
    """The fields of one row of a data file, or why there are none; `number` is its line or its place in the file, from 1 on."""

    number: int
    fields: dict[str, object] | Unreadable


def rows_from(opened: Opened, sniffed: Sniffed, records: Iterator[Record], options: ReadOptions, *,
              is_table: bool = False) -> Iterator[Row]:
    """The rows that the records stand for. A table has the same fields in all rows: if they suit no format, that is one problem."""
    first = list(islice(records, FIRST_ROWS))
    if not first:
        yield failed(opened.file, Unreadable("empty", "There is no row in it."), sha256=sniffed.sha256)
        return
    row_format = opened.file.format if opened.file.format != "auto" else _format_of_most(first)
    album = Album(opened, options)
    for record in chain(first, records):
        name = f"{opened.file.name}:{record.number}"
        try:
            yield _row(opened, sniffed, name, _shaped(record, row_format, album, options))
        except WrongField as wrong:
            if is_table and isinstance(record.fields, dict) and wrong.is_of_all and wrong.problem.field not in record.fields:
                yield failed(opened.file, wrong.problem, sha256=sniffed.sha256)
                return
            yield failed(opened.file, wrong.problem, sha256=sniffed.sha256, name=name)


def _format_of_most(first: list[Record]) -> RowFormat:
    formats = Counter(format_of(record.fields) for record in first if isinstance(record.fields, dict))
    del formats["auto"]
    return formats.most_common(1)[0][0] if formats else "auto"


def _shaped(record: Record, row_format: RowFormat, album: Album, options: ReadOptions) -> tuple[Shaped, dict[str, object]]:
    fields = record.fields
    if isinstance(fields, Unreadable):
        raise WrongField(fields)
    if row_format == "auto":
        raise WrongField(Unreadable("unknown row format", f"It has {_shown(fields)}. Rename the fields, or state the format of this source "
                                    "(documents.sources: path and format).", expected="; ".join(dict.fromkeys(EXPECTED.values()))),
                         is_of_all=True)
    try:
        return FORMATS[row_format](fields, album), fields
    except WrongField as wrong:
        if wrong.is_of_all:
            raise WrongField(Unreadable(wrong.problem.reason, f"It has {_shown(fields)}. {wrong.problem.suggestion}", wrong.problem.field,
                                        EXPECTED[row_format]), is_of_all=True) from None
        raise


def _shown(fields: dict[str, object]) -> str:
    names = [str(name)[:40] for name in list(fields)[:SHOWN_FIELDS]]
    more = f" and {len(fields) - SHOWN_FIELDS} more" if len(fields) > SHOWN_FIELDS else ""
    return f"the fields {', '.join(names)}{more}" if names else "no field"


def _row(opened: Opened, sniffed: Sniffed, name: str, made: tuple[Shaped, dict[str, object]]) -> Row:
    shaped, fields = made
    said = shaped.text or short_hash(*(f"{message.role}:{message.content}" for message in shaped.messages), shaped.rejected, shaped.label)
    first = shaped.messages[0].content if shaped.messages else shaped.text
    title = fields.get("title")
    others = {key: value for key, value in fields.items() if key not in shaped.used}
    return Row(id=short_hash(name, said), name=name, source=opened.file.source, source_sha256=sniffed.sha256, text=shaped.text,
               title=title_of(title if isinstance(title, str) and title.strip() else first), metadata=labels(others),
               encoding=sniffed.encoding, is_guess=sniffed.is_guess, kind=shaped.kind, messages=shaped.messages, rejected=shaped.rejected,
               label=shaped.label, tools=shaped.tools, images=shaped.images, permission=opened.file.permission)
