"""Owns how a table is read that a spreadsheet has saved: commas, semicolons or tabs, UTF-8 or UTF-16, with or without a mark."""

from __future__ import annotations

import codecs
import csv
import io
import re
from typing import NamedTuple

from report.files.table import plain

_SEPARATOR = re.compile(r"sep=([,;\t])\s*\Z", re.IGNORECASE)
"""A first line by which Excel is told what separates the cells."""


class Cells(NamedTuple):
    """A table: the cells of its first line, those of each other line with the line's number, and how it was saved."""

    columns: list[str]
    rows: list[tuple[int, list[str]]]
    delimiter: str
    encoding: str

    @property
    def known(self) -> list[str]:
        """The names of the columns, to look for."""
        return [column.strip().casefold() for column in self.columns]

    def records(self) -> list[dict[str, str]]:
        """Return the lines by the names of their columns, without what guards a cell from being a formula."""
        return [
            {column: plain(cell) for column, cell in zip(self.known, row, strict=False)}
            for _, row in self.rows
        ]


def read_cells(content: bytes) -> Cells:
    """Read a table; lines without a cell are left out.

    Raises:
        ValueError: what is wrong with it, and what to do.
    """
    encoding = "utf-8-sig" if content.startswith(codecs.BOM_UTF8) else "utf-8"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        text = content.decode(encoding)
        head = text.lstrip("\r\n").partition("\n")[0]
        told = _SEPARATOR.match(head)
        delimiter = told[1] if told else max(",;\t", key=head.count)
        csv.field_size_limit(1 << 30)
        text = text.replace(head, "", 1) if told else text
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        numbered = [(reader.line_num, row) for row in reader if any(row)] or [(1, [])]
    except UnicodeDecodeError:
        raise ValueError("it is not in UTF-8: save it as \u201cCSV UTF-8\u201d") from None
    except csv.Error as error:
        raise ValueError(f"it is no table ({error}): save it as CSV") from None
    (_, columns), *rows = numbered
    return Cells(columns, rows, delimiter, encoding)
