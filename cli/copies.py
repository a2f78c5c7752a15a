"""Owns conflict copies: files that a sync service leaves beside a journal when two machines wrote it."""

from __future__ import annotations

import os
import re
import shlex
from codecs import BOM_UTF8
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

# What services put between the journal's name and its extension. Words in brackets are in the user's language.
_MARKS = re.compile(
    r"""
      \ \([^()]+\)                        # Dropbox, Nextcloud, Google Drive: " (Anna's conflicted copy 2026-11-01)", " (1)"
    | .*(?i:conflict).*                   # Syncthing, Synology: ".sync-conflict-20261101-120000-ABCDEF", "_Conflict"
    | \ (?:[2-9]|[1-9][0-9])              # iCloud: " 2"
    | -[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+      # OneDrive, the name of the computer: "-DESKTOP-1", "-Annas-MacBook-Pro"
    | -[\w-]*(?:MacBook|iMac|Mac-mini)[\w-]*
    """,
    re.VERBOSE,
)
_HEAD = 64
"""How many bytes show that a file is a journal."""


def conflict_copies(journal: Path, known: Collection[Path] = ()) -> list[Path]:
    """Return the journal's conflict copies, sorted by name; `known` journals are left out."""
    others = {os.path.realpath(path) for path in known}
    found = []
    with suppress(OSError), os.scandir(journal.parent) as entries:
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)
            if suffix != journal.suffix or not stem.startswith(journal.stem):
                continue
            if not _MARKS.fullmatch(stem[len(journal.stem) :]) or os.path.realpath(entry.path) in others:
                continue
            with suppress(OSError):
                if entry.is_file() and _begins_like_a_journal(entry.path):
                    found.append(journal.with_name(entry.name))
    return sorted(found)


def copies_warning(journal: Path, known: Collection[Path] = ()) -> str | None:
    """Return the sentence about the journal's conflict copies, with the command that joins them; None if there are none."""
    copies = conflict_copies(journal, known)
    if not copies:
        return None
    names = ", ".join(repr(copy.name) for copy in copies)
    # The journal is last, since the last record of a photo counts. `awk 1` ends every file's last line.
    files = [*copies, *([journal] if journal.exists() else [])]
    joined = journal.with_name(f"{journal.stem}.joined{journal.suffix}")
    one = len(copies) == 1
    return (
        f"A sync service made {'a copy' if one else f'{len(copies)} copies'} of {journal} ({names}): captions in "
        f"{'it' if one else 'them'} do not count. To join them, stop what writes them and give --captions-jsonl the file "
        f"that this makes: awk 1 {shlex.join(map(str, files))} > {shlex.quote(str(joined))}"
    )


def _begins_like_a_journal(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(_HEAD).removeprefix(BOM_UTF8).lstrip().startswith(b"{")
