"""The journal's files: compacting, backups, links, and shards that are joined."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import subprocess
import tempfile
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.base import StopRunError
from journal import CaptionJournal
from tests.helpers.journals import (
    REPEATED,
    captions,
    line,
    names,
    opened,
)

if TYPE_CHECKING:
    pass


# --- links, backups, compact -----------------------------------------------------------------------------------------

BACKUP = re.compile(r"captions\.jsonl\.\d{8}T\d{6}Z(-\d+)?\.bak")
COMPACTED = line("b.jpg", stars=5) + line("a.jpg", "new", model="mock", odd={"x": [1.50]})


def test_compact_keeps_the_last_lines_as_they_are(path: Path) -> None:
    path.write_bytes(REPEATED)
    path.chmod(0o640)
    with opened(path) as journal:
        outcome = journal.compact()
        assert outcome is not None
        before, after, backup = outcome
    assert (before, after) == (4, 2)
    assert path.read_bytes() == COMPACTED
    assert backup.read_bytes() == REPEATED
    assert BACKUP.fullmatch(backup.name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert names(path.parent) == ["captions.jsonl", backup.name, "captions.jsonl.lock"]
    assert path.stat().st_ino != backup.stat().st_ino, "what is appended now must not go into the backup"
    with opened(path) as journal:
        assert journal.compact() is None, "nothing is left to do"
        journal.write("c.jpg", "a dog", "success")
    assert path.read_bytes().startswith(COMPACTED)
    assert backup.read_bytes() == REPEATED


def test_a_compacted_journal_can_be_written_on_at_once(path: Path) -> None:
    path.write_bytes(REPEATED)
    with opened(path) as journal:
        journal.write("c.jpg", "a dog", "success")
        journal.compact()
        journal.write("d.jpg", "a horse", "success")
    assert list(captions(path)) == ["b.jpg", "a.jpg", "c.jpg", "d.jpg"]


some_lines = st.lists(
    st.sampled_from(
        [
            line("a"),
            line("a", "b", stars=1),
            line("é", at="x"),
            line("e\u0301", None, "error_api"),
            line("c")[:-1] + b"\r\n",
            line("a")[:-2] + line("c"),
            b"\n",
            b"{torn\n",
            b"[]\n",
            b"\0\0\n",
        ]
    ),
    max_size=8,
)


@settings(deadline=None, database=None, max_examples=120)
@given(lines=some_lines, unterminated=st.booleans())
def test_compact_loses_nothing_and_is_idempotent(lines: list[bytes], unterminated: bool) -> None:
    last: dict[str, bytes] = {}
    for each in [line("z"), *lines]:
        try:
            name = unicodedata.normalize("NFC", json.loads(each)["rel_path"])
        except (ValueError, TypeError):
            continue
        last.pop(name, None)
        last[name] = each
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "captions.jsonl")
        old = line("z") + b"".join(lines)
        old = old[:-1] if unterminated else old
        path.write_bytes(old)
        before = captions(path)
        with opened(path) as journal:
            outcome = journal.compact()
        assert captions(path) == before
        if outcome is None:
            assert path.read_bytes() == old
            assert [each.strip() for each in old.split(b"\n") if each.strip()] == [
                each.strip() for each in last.values()
            ]
        else:
            assert path.read_bytes() in {b"".join(last.values()), b"".join(last.values()) + b"\n"}
            assert path.read_bytes().endswith(b"\n")
            assert outcome[2].read_bytes() == old
            with opened(path) as journal:
                assert journal.compact() is None
        assert not Path(folder, "captions.jsonl.compact.tmp").exists()


def test_compact_without_hard_links(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    path.write_bytes(REPEATED)
    with opened(path) as journal:
        outcome = journal.compact()
    assert outcome is not None
    assert (path.read_bytes(), outcome[2].read_bytes()) == (COMPACTED, REPEATED)


def test_a_journal_may_be_a_link_to_another_disk(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    path, real = here / "captions.jsonl", there / "real.jsonl"
    path.symlink_to(real)
    with opened(path) as journal:
        journal.write("a.jpg", "old", "success")
        with pytest.raises(StopRunError, match="Another run"), CaptionJournal(real).lock():
            pass
        journal.write("a.jpg", "new", "success")
        assert journal.compact() is not None
    assert path.is_symlink()
    assert captions(real) == captions(path) == {"a.jpg": "new"}
    assert real.read_bytes().count(b"\n") == 1
    with opened(path) as journal:
        backup = journal.set_aside()
        assert backup is not None
        assert backup.parent == there
        journal.write("c.jpg", "a horse", "success")
    assert path.is_symlink()
    assert captions(real) == {"c.jpg": "a horse"}
    assert names(here) == ["captions.jsonl"]


def test_set_aside_begins_anew_and_keeps_every_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("library.line_file.now", lambda: datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC))
    with opened(path) as journal:
        assert journal.set_aside() is None
        backups = []
        for number in range(3):
            journal.write("a.jpg", str(number), "success")
            backup = journal.set_aside()
            assert backup is not None
            assert not path.exists()
            assert (journal.records, journal.known) == ({}, 0)
            backups.append(backup)
        journal.write("a.jpg", "3", "success")
    assert [backup.name for backup in backups] == [
        "captions.jsonl.20260203T040506Z.bak",
        "captions.jsonl.20260203T040506Z-2.bak",
        "captions.jsonl.20260203T040506Z-3.bak",
    ]
    assert [captions(file) for file in (*backups, path)] == [{"a.jpg": str(number)} for number in range(4)]


def test_clear_forgets_everything(path: Path) -> None:
    with opened(path) as journal:
        journal.write("a.jpg", "a cat", "success")
        journal.clear()
        assert (path.exists(), journal.known) == (False, 0)
        journal.write("b.jpg", "a dog", "success")
    assert list(captions(path)) == ["b.jpg"]


def test_shards_are_merged_with_awk(tmp_path: Path) -> None:
    a, b, c = (tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.jsonl"))
    a.write_bytes((line("1.jpg", "old") + line("2.jpg", "né 🐈"))[:-1])
    b.write_bytes(line("1.jpg", "new") + line("3.jpg")[:-9])
    c.write_bytes(line("4.jpg", "U+2028 \u2028"))
    merged = tmp_path / "captions.jsonl"
    with merged.open("wb") as out:
        subprocess.run(["awk", "1", a, b, c], stdout=out, check=True)
    with opened(merged) as journal:
        assert journal.malformed == [4]
        assert (journal.repeated, journal.known) == (1, 3)
        assert journal.compact() is not None
    assert captions(merged) == {"2.jpg": "né 🐈", "1.jpg": "new", "4.jpg": "U+2028 \u2028"}
