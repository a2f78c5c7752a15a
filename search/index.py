"""Owns the index of a journal's captions and of a report's table: a SQLite file, brought up to date by what is new. A cache.

    photos     of each photo its caption and tags, the names of its groups and events, the days it may have been taken on, the row of
               its picture's vector
    words      FTS5 over the folded words of these, which `search/words.py` makes; it keeps no text
    pictures   the row of each path that has a vector (search/pictures.py), whether it is among the photos or not
    facts      up to where the journal is read, and which table

Its lock is held while it is used, so that no two processes write or delete it at once.
"""

from __future__ import annotations

import os
import re
import sqlite3
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from errors import StopRunError
from library.disk import reason
from library.records import is_by_person, tags_of
from library.walk import extension
from report.files.table import plain, read_rows
from search.query import Span, span
from search.words import separated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from journal import CaptionJournal

_FORMAT = "2"
"""Another number when the index holds other things: then it is made again."""
_BATCH = 20_000
"""Records between two moments at which what is indexed is kept; a kill costs no more."""
_NAMES = ("group_name", "event_name", "event_label", "trip_name", "trip_label", "place")
"""Columns of the report's table that name what a photo belongs to. A table has only those that its report knew."""
_NOT_OF_EVENTS = tuple(name for name in _NAMES if not name.startswith("event"))
_TAKEN = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?")
_SCHEMA = """
CREATE TABLE facts(name TEXT PRIMARY KEY, value);
CREATE TABLE photos(id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, caption TEXT, tags TEXT NOT NULL DEFAULT '', names TEXT NOT NULL DEFAULT '',
                    first INTEGER, last INTEGER, listed INTEGER NOT NULL, by_person INTEGER NOT NULL, indexed INTEGER NOT NULL, checksum INTEGER NOT NULL, picture INTEGER);
CREATE INDEX unindexed ON photos(id) WHERE indexed = 0;
CREATE INDEX taken ON photos(first, last, picture);
CREATE INDEX pictured ON photos(picture) WHERE picture IS NOT NULL;
CREATE TABLE pictures(path TEXT PRIMARY KEY, row INTEGER NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(caption, tags, path, names, content='', tokenize='ascii');
INSERT INTO words(words, rank) VALUES('rank', 'bm25(4.0, 4.0, 2.0, 0.25)');
"""
"""Captions and tags count most, then names of files and folders, and far less what a photo belongs to: as on the page. The text is folded
already; to the tokenizer `ascii` all that is not ASCII is part of a word."""


class Shown(NamedTuple):
    """What is known of a photo that is found."""

    path: str
    caption: str | None
    tags: str
    names: str
    first: int | None
    last: int | None


class _Said(NamedTuple):
    """What the journal and the report's table say of a photo; `listed` numbers the reading of the table that had it.

    What is `by_person` only a person's caption replaces.
    """

    caption: str | None = None
    tags: str = ""
    names: str = ""
    first: int | None = None
    last: int | None = None
    listed: int = 0
    by_person: int = 0


class Index:
    """The index in `path`, or in memory; what is damaged raises `sqlite3.Error`."""

    def __init__(self, path: Path | None) -> None:
        self.database = sqlite3.connect(path or ":memory:")
        self.database.execute("PRAGMA synchronous = NORMAL")
        self.database.execute("PRAGMA cache_size = -65536")
        tables = self.database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not tables:
            self._make()
        elif self.fact("format") != _FORMAT:
            raise sqlite3.DatabaseError("the index of another version")

    def close(self) -> None:
        self.database.close()

    def _make(self) -> None:
        self.database.executescript(
            f"BEGIN; {_SCHEMA} INSERT INTO facts VALUES('format', '{_FORMAT}'); COMMIT"
        )

    def fact(self, name: str) -> Any:  # noqa: ANN401 - a text, a number or bytes, as it was set
        row = self.database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return row and row[0]

    def set_facts(self, facts: Mapping[str, str | int | bytes]) -> None:
        self.database.executemany("INSERT OR REPLACE INTO facts VALUES(?, ?)", facts.items())

    def catch_up(self, journal: CaptionJournal, table: Path) -> None:
        """Bring the index up to date: read what was added to the journal, and the report's table if it is another one.

        Raises:
            StopRunError: the journal or the table cannot be read, or is none.
            sqlite3.Error: the index is damaged, or another journal has taken the place of the one that was read.
        """
        self._read_journal(journal)
        self._read_table(table)
        self._index_words()

    def _read_journal(self, journal: CaptionJournal) -> None:
        try:
            status = os.stat(journal.path)
            stamp = f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"
            if self.fact("stamp") == stamp:
                return
            end, checksum = int(self.fact("end") or 0), int(self.fact("checksum") or 0)
            if status.st_size < end or journal.file.checksum(0, end) != checksum:
                raise sqlite3.DatabaseError("of another journal, which this one has replaced")
            for number, record in enumerate(journal.news(end), 1):
                # Only what is finished can be found: the last record of a photo counts, and it may be an error.
                caption = record["caption"] if record["status"] == "success" else None
                by_person = int(is_by_person(record))
                tags = _storable("\n".join(tags_of(record))) if caption else ""
                self._put(
                    record["rel_path"],
                    caption=caption and _storable(caption),
                    tags=tags,
                    by_person=by_person,
                )
                if number % _BATCH == 0:
                    checksum = journal.file.checksum(end, journal.file.end, checksum)
                    end = journal.file.end
                    self.set_facts({"end": end, "checksum": checksum})
                    self.database.commit()
            checksum = journal.file.checksum(end, journal.file.end, checksum)
        except OSError as error:
            raise StopRunError(
                f"{journal.path} cannot be read ({reason(error)}): check the disk and the file's permissions."
            ) from None
        self.set_facts({"end": journal.file.end, "checksum": checksum, "stamp": stamp})
        self.database.commit()

    def _read_table(self, path: Path) -> None:
        """Without a table nothing is said of groups and times."""
        try:
            status = os.stat(path)
            stamp = f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"
        except FileNotFoundError:
            stamp = ""
        if (self.fact("table") or "") == stamp:
            return
        listed = int(self.fact("listed") or 0) + 1
        for row in read_rows(path, "--report") if stamp else ():
            # Below zero it says why the photo is in no event.
            named = _NAMES if not (row.get("event_id") or "").startswith("-") else _NOT_OF_EVENTS
            names = "\n".join(dict.fromkeys(plain(name) for one in named if (name := row.get(one))))
            first, last = _days(row) or (None, None)
            self._put(plain(row["rel_path"]), names=_storable(names), first=first, last=last, listed=listed)
        others = "SELECT path FROM photos WHERE listed NOT IN (0, ?)"
        for (gone,) in self.database.execute(others, (listed,)).fetchall():
            self._put(gone, names="", first=None, last=None, listed=0)
        self.set_facts({"table": stamp, "listed": listed})
        self.database.commit()

    def _put(self, path: str, **said: str | int | None) -> None:
        """Keep what is said now of a photo; what is not said stays. Its words come into the index with `_index_words`."""
        run = self.database.execute
        path = _storable(path)
        if path.startswith("/") or ".." in path.split("/"):  # outside the library
            return
        columns = "caption, tags, names, first, last, listed, by_person, id, indexed"
        found = run(f"SELECT {columns} FROM photos WHERE path = ?", (path,)).fetchone()  # noqa: S608 - ours
        before = _Said(*found[:7]) if found else _Said()
        now = before._replace(**said)  # type: ignore[arg-type]
        if now == before or now.by_person < before.by_person:
            return
        is_kept = now.caption is not None or now.listed
        is_same = now[:3] == before[:3]
        number, indexed = found[7:] if found else (None, 0)
        if indexed and not (is_kept and is_same):
            entry = (number, *_words(path, *before[:3]))
            run(
                "INSERT INTO words(words, rowid, caption, tags, path, names) VALUES('delete', ?, ?, ?, ?, ?)",
                entry,
            )
            indexed = 0
        values = (*now, indexed, _checksum(path, *now[:3]))
        if not is_kept:
            run("DELETE FROM photos WHERE id = ?", (number,))
        elif found:
            run(
                "UPDATE photos SET caption=?, tags=?, names=?, first=?, last=?, listed=?, by_person=?, indexed=?, checksum=? WHERE id=?",
                (*values, number),
            )
        else:
            run(
                "INSERT INTO photos(caption, tags, names, first, last, listed, by_person, indexed, checksum, path, picture) "
                "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT row FROM pictures WHERE path = ?))",
                (*values, path, path),
            )

    def _index_words(self) -> None:
        new = self.database.execute("SELECT id, path, caption, tags, names FROM photos WHERE indexed = 0")
        entries = ((number, *_words(*said)) for number, *said in new)
        self.database.executemany(
            "INSERT INTO words(rowid, caption, tags, path, names) VALUES(?, ?, ?, ?, ?)", entries
        )
        self.database.execute("UPDATE photos SET indexed = 1 WHERE indexed = 0")
        self.database.commit()

    @property
    def is_new(self) -> bool:
        """Whether no journal was read to its end yet."""
        return self.fact("stamp") is None

    def has_dates(self) -> bool:
        """Tell whether it is known of any photo when it was taken."""
        return bool(
            self.database.execute("SELECT EXISTS(SELECT 1 FROM photos WHERE first IS NOT NULL)").fetchone()[0]
        )

    def shown(self, numbers: Sequence[int]) -> list[Shown]:
        """Return what is known of photos, by their numbers here."""
        found = []
        for number in numbers:
            *row, checksum = self.database.execute(
                "SELECT path, caption, tags, names, first, last, checksum FROM photos WHERE id = ?", (number,)
            ).fetchone()
            one = Shown(*row)
            if checksum != _checksum(one.path, one.caption, one.tags, one.names):
                raise sqlite3.DatabaseError("a text is not what was written")
            found.append(one)
        return found

    def set_pictures(self, rows: Iterable[tuple[str, int]]) -> None:
        """Keep which row of the vectors is of which path."""
        self.database.execute("DELETE FROM pictures")
        named = ((_storable(path), row) for path, row in rows)
        self.database.executemany("INSERT OR REPLACE INTO pictures VALUES(?, ?)", named)
        of_path = "SELECT row FROM pictures WHERE pictures.path = photos.path"
        self.database.execute(f"UPDATE photos SET picture = ({of_path})")  # noqa: S608 - ours


def _storable(text: str) -> str:
    """Return a text without halves of characters, which SQLite cannot hold."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _words(path: str, caption: str | None, tags: str, names: str) -> tuple[str, str, str, str]:
    """Return what the index holds of a photo; of its path all but the extension."""
    kind = extension(path)
    named = path[: -len(kind) - 1] if kind else path
    return separated(caption or ""), separated(tags), separated(named), _folded(names)


@lru_cache(10_000)
def _folded(names: str) -> str:
    """Many photos have the same names."""
    return separated(names)


def _checksum(path: str, caption: str | None, tags: str, names: str) -> int:
    return crc32(f"{path}\0{caption}\0{tags}\0{names}".encode())


def _days(row: Mapping[str, str]) -> Span | None:
    """Return the days on which a photo may have been taken; the date of its file says nothing of it."""
    taken = _TAKEN.match(row.get("taken_at") or "")
    if not taken or row.get("taken_from") == "file":
        return None
    year, month, day = (int(part or 0) for part in taken.groups())
    return span(year, month or 1, month or 12, day)
