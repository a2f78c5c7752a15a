"""Owns what a line of a journal may be that is no record: the beginning of one, or what another program made of the file."""

from __future__ import annotations

import json
import re
import shlex
from codecs import BOM_UTF8
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# `{` and `"` with the zero bytes of UTF-16 or UTF-32 between them; a disk that lost power leaves many more of them.
_WIDE = re.compile(rb'(?:\xff\xfe(?:\0\0)?|(?:\0\0)?\xfe\xff)?[\0\s]*\{(\0{3}|\0)(?:[ \t\r]\0{1,3}){0,16}"')
_GZIP = b"\x1f\x8b"
_BETWEEN = re.compile(r"[ \t\r]*(?=\{)")
_FIELDS = {"rel_path", "caption", "status"}
_decoder = json.JSONDecoder()


@dataclass(slots=True)
class OtherLines:
    """What the lines of one file that are no records say of it; each is shown to `see`, in the file's order.

    A line that a kill or the disk has spoiled costs that line. A file that another program saved in its own way holds
    records that nobody would find again: all of those photos would be captioned and paid once more.
    """

    foreign: int = 0
    wide: str = ""
    old_encoding: int = 0
    together: str = ""
    half_together: str = ""
    gzip: bool = False
    order: str = "LE"

    def see(self, number: int, line: bytes) -> None:
        """Look at the line; `number` counts from 1."""
        if number == 1:
            self.gzip = line.startswith(_GZIP)
            self.order = "BE" if line.startswith((b"\xfe\xff", b"\0")) else "LE"
        if match := _WIDE.match(line):
            self.wide = self.wide or f"UTF-{8 + 8 * len(match[1])}{self.order}"
            self.foreign += 1
            return
        rest = line.removeprefix(BOM_UTF8).strip(b"\0\r\n\t ")
        text = rest.decode("utf-8", "surrogateescape")
        first, end = _object(text, 0)
        if first is None:
            self.foreign += not _may_be_torn(rest)
        elif end == len(text):
            self.old_encoding += not _is_utf8(rest)
            # A record before zero bytes lacks only the end of its line: the power failed just there.
            self.foreign += not line.rstrip().endswith(b"\0")
        else:
            self.foreign += 1
            between = _BETWEEN.match(text, end)
            if between and first.keys() >= _FIELDS:
                second, _ = _object(text, between.end())
                kind = "\r" if "\r" in between[0] else "{}"
                if second is None:
                    self.half_together = self.half_together or kind
                elif second.keys() >= _FIELDS:
                    self.together = self.together or kind

    def refusal(self, path: Path, *, good: int, beyond_ascii: bool) -> str | None:
        """Return the sentence about a file that is not to be read or written; None if it is a journal.

        `good` lines were records; `beyond_ascii` says that some of these hold more than ASCII, so that UTF-8 is right.
        """
        old, new = (
            shlex.quote(str(each)) for each in (path, path.with_name(f"{path.stem}.mended{path.suffix}"))
        )
        make = "it is left as it is; give --captions-jsonl the file that this makes"
        if self.wide and good:
            return (
                f"{path} is partly in UTF-8, as a journal is, and partly in {self.wide[:6]}, as another program writes: it is "
                "left as it is; mend a copy of it in an editor and give --captions-jsonl that."
            )
        if self.wide:
            return f"{path} is in {self.wide[:6]}, and a journal is in UTF-8: {make}: iconv -f {self.wide} -t UTF-8 {old} > {new}"
        together = self.together or (self.half_together if not good else "")
        if together == "\r":
            return f"{path} has lines that end as on an old Mac (CR alone): {make}: tr '\\r' '\\n' < {old} > {new}"
        if together:
            split = r"""awk '{gsub(/\}[ \t\r]*\{"/, "}\n{\"")} 1'"""
            return f"{path} holds several captions on one line: {make}: {split} {old} > {new}"
        if self.old_encoding and not beyond_ascii and (not good or self.old_encoding > 1):
            return (
                f"{path} is in an old encoding, and a journal is in UTF-8: {make}, with the encoding it was saved in: "
                f"iconv -f WINDOWS-1252 -t UTF-8 {old} > {new}"
            )
        if self.foreign and not good and self.gzip:
            return f"{path} is packed with gzip: {make}: gunzip -c < {old} > {new}"
        if self.foreign and not good:
            return f"{path} holds no captions but something else: it is left as it is; give --captions-jsonl another file."
        return None


def _may_be_torn(rest: bytes) -> bool:
    """Tell the beginning of a record, cut off by a kill, from text that never was one.

    After a power loss a file's tail, or a part of a line, may also be zero bytes.
    """
    return not rest or re.match(rb'\{\s*(?:["\0]|\Z)', rest) is not None


def _object(text: str, start: int) -> tuple[dict[str, object] | None, int]:
    """Return the JSON object that begins at `start`, and where it ends; None if there is no whole one."""
    try:
        value, end = _decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, start
    return (value, end) if isinstance(value, dict) else (None, start)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
