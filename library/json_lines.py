"""Owns the malformed lines of a journal: tells a torn line from a file that another program saved in its own form."""

from __future__ import annotations

import json
import re
import shlex
from codecs import BOM_UTF8
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# `{` and `"` with the zero bytes of UTF-16 or UTF-32 between them. After a power cut there are many more zero bytes.
_WIDE = re.compile(rb'(?:\xff\xfe(?:\0\0)?|(?:\0\0)?\xfe\xff)?[\0\s]*\{(\0{3}|\0)(?:[ \t\r]\0{1,3}){0,16}"')
_GZIP = b"\x1f\x8b"
_BETWEEN = re.compile(r"[ \t\r]*(?=\{)")
_FIELDS = {"rel_path", "caption", "status"}
_decoder = json.JSONDecoder()


@dataclass(slots=True)
class OtherLines:
    """What a file's malformed lines say about the file; `see` looks at each, in the file's order.

    A line that a kill or the disk has spoiled costs only that line. But if another program saved the file in its own form,
    none of its records would be found, and all photos would be captioned and paid for a second time.
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
            # Zero bytes after a whole record: the power failed while the line's end was written.
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
        """Return the sentence about a file that is not a journal and must not be used; None if it is one.

        `good` is how many lines were records. `beyond_ascii`: some of these hold more than ASCII, so the file is UTF-8.
        """
        if self.wide and good:
            return (
                f"{path} is partly in UTF-8, as a journal is, and partly in {self.wide[:6]}, as another program writes: it "
                "is left as it is; fix a copy of it in an editor and give --captions-jsonl that."
            )
        old, new = (
            shlex.quote(str(each)) for each in (path, path.with_name(f"{path.stem}.fixed{path.suffix}"))
        )
        if found := self._form(good=good, beyond_ascii=beyond_ascii):
            what, hint, command = found
            make = f"it is left as it is; give --captions-jsonl the file that this makes{hint}"
            return f"{path} {what}: {make}: {command.replace('OLD', old)} > {new}"
        if self.foreign and not good:
            return f"{path} holds no captions but something else: it is left as it is; give --captions-jsonl another file."
        return None

    def _form(self, *, good: int, beyond_ascii: bool) -> tuple[str, str, str] | None:
        """Return the form that the file was saved in, a hint, and the command that makes a journal of `OLD`."""
        if self.wide:
            return (
                f"is in {self.wide[:6]}, and a journal is in UTF-8",
                "",
                f"iconv -f {self.wide} -t UTF-8 OLD",
            )
        together = self.together or (self.half_together if not good else "")
        if together == "\r":
            return "has lines that end as on an old Mac (CR alone)", "", "tr '\\r' '\\n' < OLD"
        if together:
            split = r"""awk '{gsub(/\}[ \t\r]*\{"/, "}\n{\"")} 1'"""
            return "holds several captions on one line", "", f"{split} OLD"
        if self.old_encoding and not beyond_ascii and (not good or self.old_encoding > 1):
            what = "is in an old encoding, and a journal is in UTF-8"
            return what, ", with the encoding it was saved in", "iconv -f WINDOWS-1252 -t UTF-8 OLD"
        if self.foreign and not good and self.gzip:
            return "is packed with gzip", "", "gunzip -c < OLD"
        return None


def _may_be_torn(rest: bytes) -> bool:
    """Tell whether this may be the beginning of a record that a kill cut off, or zero bytes, as a power cut leaves."""
    return not rest or re.match(rb'\{\s*(?:["\0]|\Z)', rest) is not None


def _object(text: str, start: int) -> tuple[dict[str, object] | None, int]:
    """Return the JSON object that begins at `start` and where it ends; None if it is not whole."""
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
