"""Owns where the index lies: in a folder beside the journal, used by one process at a time; without one in memory."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock

from errors import StopRunError
from search.index import Index

if TYPE_CHECKING:
    from collections.abc import Callable

    from journal import CaptionJournal

_T = TypeVar("_T")

_INDEX = "words.sqlite"
_SIDES = ("", "-journal", "-wal", "-shm")


def folder_of(journal: CaptionJournal) -> Path:
    """Return the folder of what is kept for the search in a journal's captions. All of it can be deleted."""
    return Path(f"{journal.path}.find")


def check_sqlite() -> None:
    """Raise StopRunError where Python's SQLite cannot search texts."""
    with closing(sqlite3.connect(":memory:")) as database:
        try:
            database.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
        except sqlite3.Error:
            raise StopRunError(
                "The SQLite of this Python cannot search texts (it was built without FTS5): use another Python, such as "
                "`uv python install 3.12` brings."
            ) from None


def with_index(
    journal: CaptionJournal, use: Callable[[Index, Path | None], _T], warn: Callable[[str], object]
) -> _T:
    """Return what `use` makes of the index and of the folder that it may keep things in.

    `use` is called again with a new index where the kept one is damaged or another journal's, and with one in memory, without a
    folder, where nothing can be kept: `warn` gets a sentence then. It must raise what SQLite raises.

    Raises:
        StopRunError: SQLite cannot search texts, or `use` raised it.
    """
    check_sqlite()
    folder = folder_of(journal)
    trouble: Exception
    with ExitStack() as stack:
        try:
            folder.mkdir(exist_ok=True)
            stack.enter_context(FileLock(folder / "lock", fallback_to_soft=False))
        except OSError as error:
            trouble = error
        else:
            try:
                return _used(folder, use)
            except StopRunError:
                raise
            except Exception:  # noqa: BLE001 - of what is damaged anything may come; from a new index it is raised
                _remove(folder)
            try:
                return _used(folder, use)
            except (sqlite3.Error, OSError) as error:
                trouble = error
    why = getattr(trouble, "strerror", None) or str(trouble)
    warn(
        f"The index cannot be kept in {folder} ({why}), so it is made in memory each time: make room there, or give "
        "--captions-jsonl a copy of the journal in a folder that can be written to."
    )
    return _used(None, use)


def _used(folder: Path | None, use: Callable[[Index, Path | None], _T]) -> _T:
    index = Index(folder and folder / _INDEX)
    try:
        return use(index, folder)
    finally:
        index.close()


def _remove(folder: Path) -> None:
    for side in _SIDES:
        with suppress(OSError):
            os.unlink(folder / f"{_INDEX}{side}")
