"""Tables to rows: CSV line by line, Parquet batch by batch; the first line or the schema names the fields."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from tutelage.documents.decode import Sniffed, sniff
from tutelage.documents.readers.lines import lines, too_long
from tutelage.documents.readers.opened import Opened, failed
from tutelage.documents.readers.records import Record, rows_from
from tutelage.documents.rows import ReadOptions, Row, Unreadable

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

DELIMITERS = ",;\t|"
BATCH_ROWS = 64
# Of the description of a Parquet file; what is longer is no table but an attack or an accident.
MAX_THRIFT = 100_000_000


class _BadLine(Exception):
    """A line below the CSV reader cannot be read."""

    def __init__(self, number: int, problem: Unreadable) -> None:
        super().__init__(problem.reason)
        self.number, self.problem = number, problem


def read_csv(opened: Opened, options: ReadOptions) -> Iterator[Row]:
    """One row for each record; the first line names the fields. Commas, semicolons, tabs or bars divide them."""
    sniffed = sniff(opened.stream)
    if isinstance(sniffed, Unreadable):
        yield failed(opened.file, sniffed)
        return
    yield from rows_from(opened, sniffed, _of_csv(opened, sniffed, options), options, is_table=True)


def read_parquet(opened: Opened, options: ReadOptions) -> Iterator[Row]:
    """One row for each row of the table. Needs the extra `data`."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        yield failed(opened.file, Unreadable("package missing", "Parquet files need the package pyarrow. "
                                             "Run `pip install tutelage[data]`."))
        return
    sniffed = Sniffed("utf-8", False, 0, opened.sha256())
    try:
        table = parquet.ParquetFile(opened.stream, thrift_string_size_limit=MAX_THRIFT, thrift_container_size_limit=MAX_THRIFT)
        yield from rows_from(opened, sniffed, _of_parquet(table, options), options, is_table=True)
    except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
        said = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        yield failed(opened.file, Unreadable("broken Parquet file", f"It cannot be read, or no further ({said}). Write it anew."),
                     sha256=sniffed.sha256)


def _of_csv(opened: Opened, sniffed: Sniffed, options: ReadOptions) -> Iterator[Record]:
    # The limit of the standard library is one for the whole process; 131,072 characters are less than a contract has.
    csv.field_size_limit(min(options.max_characters_a_row, sys.maxsize))
    source = _Lines(opened, sniffed, options)
    header: list[str] = []
    records: Iterator[list[str]] = iter(())
    while True:
        try:
            if not header:
                first = next(source)
                records = csv.reader(chain((first,), source), delimiter=_delimiter(first), strict=True)
                header = next(records)
                problem = _bad_header(header)
                if problem:
                    yield Record(1, problem)
                    return
            start, source.characters = source.number + 1, 0
            cells = next(records)
        except StopIteration:
            return
        except _BadLine as error:
            yield Record(error.number, error.problem)
            if not header:
                return
        except csv.Error as error:
            yield Record(start if header else 1, _bad_csv(error))
            if not header or "unexpected end" in str(error) or "limit" in str(error):
                return
        else:
            if cells:
                yield Record(start, dict(zip(header, cells, strict=True)) if len(cells) == len(header) else _uneven(cells, header))


class _Lines:
    """The lines of the file for the CSV reader; `number` of the last one, `characters` since the record began."""

    def __init__(self, opened: Opened, sniffed: Sniffed, options: ReadOptions) -> None:
        self._limit = options.max_characters_a_row
        self._lines = lines(opened.stream, sniffed, self._limit)
        self.number = self.characters = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number = line.number
        if isinstance(line.content, Unreadable):
            raise _BadLine(line.number, line.content)
        self.characters += len(line.content)
        if self.characters > self._limit:
            raise _BadLine(line.number, too_long(self._limit))
        return line.content


def _delimiter(first: str) -> str:
    """The character that most often divides the names of the fields."""
    counts = Counter(character for position, part in enumerate(first.split('"')) if position % 2 == 0 for character in part)
    return max(DELIMITERS, key=lambda delimiter: counts[delimiter])


def _bad_header(header: list[str]) -> Unreadable | None:
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        return Unreadable("repeated key", "The first line names a field twice, and nobody knows which is meant. Rename one.",
                          field=twice[0][:80], expected="each field once")
    return None


def _uneven(cells: list[str], header: list[str]) -> Unreadable:
    return Unreadable("wrong number of fields", f"It has {len(cells)} fields. Is a quotation mark missing around a text with the "
                      "delimiter in it?", expected=f"{len(header)} fields, as the first line names")


def _bad_csv(error: csv.Error) -> Unreadable:
    said = str(error)
    if "unexpected end" in said or "limit" in said:
        return Unreadable("unclosed quote", "A quotation mark is opened here and never closed, so that the rest of the file is one field. "
                          "Close it; nothing after it is read.", expected='a closing "')
    return Unreadable("bad CSV", f"{said}. Double the quotation marks inside a text.", expected='"a ""word"" in quotes"')


def _of_parquet(table: ParquetFile, options: ReadOptions) -> Iterator[Record]:
    names = table.schema_arrow.names
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        yield Record(1, Unreadable("repeated key", "Two columns have the same name. Rename one.", field=twice[0][:80],
                                    expected="each field once"))
        return
    number = 0
    for batch in table.iter_batches(batch_size=BATCH_ROWS):
        for fields in batch.to_pylist():
            number += 1
            length = sum(len(value) for value in fields.values() if isinstance(value, str))
            yield Record(number, fields if length <= options.max_characters_a_row else too_long(options.max_characters_a_row))
