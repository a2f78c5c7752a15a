"""
Proves what the journal promises: in one process, from several threads and processes, and on disks that are really full.

What a kill or a power loss does to the file is proved in test_kill.py.
"""

from __future__ import annotations

import errno
import gzip
import io
import itertools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import unicodedata
from collections import Counter
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image

import journal as journal_module
from backends.base import StopRunError
from cli.selection import malformed_warning
from journal import STATUSES, CaptionJournal, CaptionRecord, Status, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

ROOT = Path(__file__).resolve().parent.parent
FORMAT = ROOT / "docs" / "journal-format.md"


def line(rel_path: str, caption: str | None = "a cat", status: str = "success", **more: object) -> bytes:
    """Return a line as another program might write it: the order and the spacing are not the journal's own."""
    record = {"status": status, "rel_path": rel_path, **more, "caption": caption}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@contextmanager
def opened(
    path: Path, retry_statuses: Collection[str] = frozenset(), *, redo_mock: bool = False
) -> Iterator[CaptionJournal]:
    with CaptionJournal(path).lock() as journal:
        journal.load(retry_statuses, redo_mock=redo_mock)
        yield journal


def captions(path: Path) -> dict[str, str | None]:
    with opened(path) as journal:
        return {rel_path: entry["caption"] for rel_path, entry in journal.records.items()}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "captions.jsonl"


# --- what is written is what is read ---------------------------------------------------------------------------------

any_text = st.text(st.characters(exclude_categories=()), max_size=40)  # lone surrogates included
rel_paths = st.text(min_size=1, max_size=20).map(lambda text: unicodedata.normalize("NFC", text))
nasty = st.sampled_from(
    [
        "two\nlines",
        "\r\n",
        "U+2028 \u2028 and U+2029 \u2029",
        "NUL \0",
        "\x85\x1c",
        '"\\',
        "👩‍👩‍👧 🇺🇳",
        "half \ud83d",
        "\udc80",
    ]
)


@settings(deadline=None, database=None, max_examples=150)
@given(
    rel_path=rel_paths,
    caption=nasty | any_text.filter(bool),
    error=nasty | any_text,
    status=st.sampled_from(STATUSES),
)
def test_any_text_comes_back(rel_path: str, caption: str, error: str, status: Status) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "captions.jsonl")
        with opened(path) as journal:
            journal.write(rel_path, caption, status, model="mock", error=error)
            journal.write("the next one", "a dog", "success")
        raw = path.read_bytes()
        assert raw.count(b"\n") == 2
        raw.decode("utf-8")
        with opened(path) as journal:
            entry = journal.records[rel_path]
            assert journal.malformed == []
            assert list(journal.records) == [rel_path, "the next one"]
    as_utf8 = caption.encode("utf-8", "replace").decode()
    assert entry == {"caption": as_utf8, "status": status, "model": "mock"} | (
        {"error": error.encode("utf-8", "replace").decode()} if error else {}
    )


def test_a_line_holds_the_documented_fields_and_no_others(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "_now", lambda: datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC))
    with opened(path) as journal:
        journal.write("é.jpg", "a cat", "success", model="openai/gpt-4o-mini")
        journal.write("b.mov", None, "error_corrupt", error="video")
    assert path.read_bytes().decode() == (
        '{"rel_path": "é.jpg", "caption": "a cat", "status": "success", "model": "openai/gpt-4o-mini", "at": "2026-02-03T04:05:06Z"}\n'
        '{"rel_path": "b.mov", "caption": null, "status": "error_corrupt", "at": "2026-02-03T04:05:06Z", "error": "video"}\n'
    )


def test_a_missing_and_an_empty_file_are_empty_journals(path: Path) -> None:
    with opened(path) as journal:
        assert (journal.records, journal.known, journal.malformed, journal.newest) == ({}, 0, [], None)
        assert not path.exists()
        journal.write_many([])
        assert not path.exists()
    path.write_bytes(b"")
    assert captions(path) == {}


def test_three_fields_load_and_unknown_fields_are_ignored(path: Path) -> None:
    path.write_bytes(line("a.jpg") + line("b.jpg", stars=5, tags=[{"x": None}], nan=float("nan")))
    with opened(path) as journal:
        assert journal.records == {
            name: {"caption": "a cat", "status": "success"} for name in ("a.jpg", "b.jpg")
        }


@pytest.mark.parametrize(
    "bad",
    [
        line("bad", None),
        line("bad", ""),
        line("bad", "a cat", "done"),
        line("bad", model=5),
        b'{"rel_path": "bad", "caption": "a cat"}\n',
        b'{"rel_path": "bad", "status": "error_api"}\n',
        b'{"caption": "bad", "status": "success"}\n',
        b'{"rel_path": null, "caption": "bad", "status": "success"}\n',
        b'{"rel_path": "bad", "caption": "\xff\xfe", "status": "success"}\n',
        b'{"rel_path": "bad", "caption": "half an emoji \\ud83d", "status": "success"}\n',
        b"[]\n",
        b"null\n",
        b"\0\0\0\0\n",
        line("bad")[:-2] + line("glued"),
    ],
)
def test_malformed_lines_are_skipped_and_numbered(path: Path, bad: bytes) -> None:
    path.write_bytes(line("a.jpg") + bad + line("b.jpg"))
    count = bad.count(b"\n")
    with opened(path) as journal:
        assert list(journal.records) == ["a.jpg", "b.jpg"]
        assert journal.malformed == list(range(2, 2 + count))


def test_the_malformed_warning(path: Path) -> None:
    path.write_bytes(line("a.jpg"))
    with opened(path) as journal:
        assert malformed_warning(journal) is None
    path.write_bytes(line("a.jpg") + b"{torn\n")
    with opened(path) as journal:
        assert malformed_warning(journal) == "Warning: discarded 1 malformed line from captions.jsonl (line 2)"
    path.write_bytes(line("a.jpg") + b"{torn\n" * 2)
    with opened(path) as journal:
        warning = malformed_warning(journal)
        assert warning == "Warning: discarded 2 malformed lines from captions.jsonl (lines 2, 3)"
    path.write_bytes(line("a.jpg") + b"{torn\n" * 12)
    with opened(path) as journal:
        warning = malformed_warning(journal) or ""
        assert warning.startswith("Warning: discarded 12 malformed lines from captions.jsonl (lines 2, 3, ")
        assert warning.endswith("10, 11, ...)")


def test_names_of_other_programs_are_read_as_nfc(path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Zürich/é.jpg")
    path.write_bytes(line(decomposed, "old") + line("Zürich/é.jpg", "new"))
    assert captions(path) == {"Zürich/é.jpg": "new"}
    assert "Zürich/é.jpg".isascii() is False


def test_blank_lines_and_crlf_are_no_damage(path: Path) -> None:
    path.write_bytes(b"\n  \n" + line("a.jpg")[:-1] + b"\r\n\r\n" + line("b.jpg") + b"\n")
    with opened(path) as journal:
        assert list(journal.records) == ["a.jpg", "b.jpg"]
        assert (journal.malformed, journal.repeated) == ([], 0)


# --- which record counts ---------------------------------------------------------------------------------------------

writes = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "é", "f/g"]),
        st.sampled_from(STATUSES),
        st.sampled_from(["mock", "openai/x", None]),
    ),
    max_size=12,
)


@settings(deadline=None, database=None, max_examples=120)
@given(
    before=writes,
    after=writes,
    retry=st.sets(st.sampled_from(STATUSES)),
    redo_mock=st.booleans(),
    together=st.booleans(),
)
def test_the_last_record_wins(
    before: list[tuple[str, Status, str | None]],
    after: list[tuple[str, Status, str | None]],
    retry: set[str],
    redo_mock: bool,
    together: bool,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "captions.jsonl")
        with opened(path) as journal:
            for number, (name, status, model) in enumerate(before):
                journal.write(name, str(number), status, model=model)
        # The oracle: walk backwards, the first that is met of each photo counts.
        last = {name: (str(i), status, model) for i, (name, status, model) in enumerate(before)}
        order = sorted(last, key=lambda name: int(last[name][0]))
        mocked = [name for name in order if redo_mock and last[name][2] == "mock"]
        redo = [name for name in order if last[name][1] in retry and name not in mocked]
        done = [name for name in order if name not in mocked and name not in redo]
        with opened(path, retry_statuses=retry, redo_mock=redo_mock) as journal:
            assert list(journal.records) == done
            assert list(journal.redo) == redo, "oldest first"
            assert journal.known == len(last)
            assert journal.repeated == len(before) - len(last)
            for name in ("a", "b", "c", "é", "f/g", "stranger"):
                assert journal.is_done(name) == (name in done)
                assert journal.is_known(name) == (name in last)
            records = [
                CaptionRecord(rel_path=name, caption=f"new {i}", status=status, model=model)
                for i, (name, status, model) in enumerate(after)
            ]
            for batch in [records] if together else [[record] for record in records]:
                journal.write_many(batch)
            left = {name for name in redo if name not in {name for name, _, _ in after}}
            assert set(journal.redo) == left
            assert all(journal.is_done(name) for name, _, _ in after)
            in_memory, repeated = dict(journal.records), journal.repeated
        with opened(path) as journal:
            waiting = {name for name in [*redo, *mocked] if name not in {name for name, _, _ in after}}
            on_disk = {name: entry for name, entry in journal.records.items() if name not in waiting}
            assert on_disk == in_memory
            assert journal.repeated == repeated


def test_the_newest_stamp(path: Path) -> None:
    path.write_bytes(
        line("a", at="2026-01-02T00:00:00Z")
        + line("b", at="2026-03-01T00:00:00Z")
        + line("c", at="2026-02-01T00:00:00Z")
        + line("d")
    )
    with opened(path) as journal:
        assert journal.newest == "2026-03-01T00:00:00Z"


# --- the summary -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("videos", "tail"),
    [(0, "(1198 success, 42 errors)"), (12, "(1198 success, 30 errors, 12 videos)")],
)
def test_the_summary(path: Path, videos: int, tail: str) -> None:
    path.write_bytes(
        b"".join(line(f"{i}.jpg") for i in range(1198))
        + b"".join(line(f"{i}.bad", None, "error_api", error="500") for i in range(42 - videos))
        + b"".join(line(f"{i}.mov", None, "error_corrupt", error="video") for i in range(videos))
    )
    with opened(path) as journal:
        assert journal.summary() == f"Skipping 1240 already processed {tail}"
        some = [journal.records[name] for name in ("1.jpg", "2.jpg", "1.bad")]
        assert tally(some).summary() == "Skipping 3 already processed (2 success, 1 errors)"
        counted = tally(journal.records.values())
        assert (counted.total, counted.errors, counted.videos) == (1240, 42 - videos, videos)


def test_the_summary_leaves_out_what_is_retried(path: Path) -> None:
    path.write_bytes(
        line("a") + line("b", None, "error_api") + line("c", None, "error_corrupt", error="video")
    )
    with opened(path, retry_statuses={"error_api"}) as journal:
        assert journal.summary() == "Skipping 2 already processed (1 success, 0 errors, 1 videos)"


# --- torn, cut and spoiled files -------------------------------------------------------------------------------------

WHOLE = (
    line("a.jpg", "一只猫 🐈 on a mat")
    + line("é/ü.jpg", None, "error_model", error="empty caption")
    + line("a.jpg", "again: ñandú")
    + line("b.mov", None, "error_corrupt", error="video")
)


def test_every_beginning_of_a_journal_can_be_opened_and_appended_to(path: Path) -> None:
    lines = WHOLE.splitlines(keepends=True)
    ends = list(itertools.accumulate(map(len, lines), initial=0))
    for cut in range(len(WHOLE) + 1):
        path.write_bytes(WHOLE[:cut])
        start = max(end for end in ends if end <= cut)
        # All of a record but its newline is a whole record.
        whole = [json.loads(each) for each, end in zip(lines, ends[1:], strict=True) if cut >= end - 1]
        torn = bool(WHOLE[start:cut]) and cut + 1 not in ends
        expected = {record["rel_path"]: record["caption"] for record in whole}

        reader = CaptionJournal(path)
        assert {name: entry["caption"] for name, entry in reader.load().items()} == expected, cut
        assert reader.malformed == [], "a writer may be at work on the last line"

        with opened(path) as journal:
            assert len(journal.malformed) == torn, cut
            journal.write("new.jpg", "ein Hund", "success")
            journal.write("newer.jpg", "ein Pferd", "success")
        raw = path.read_bytes()
        assert raw.startswith(WHOLE[:cut]), "nothing is ever taken away"
        assert raw.endswith(b"\n")
        assert raw.count(b"\n") == WHOLE[:cut].count(b"\n") + (cut not in ends) + 2, cut
        with opened(path) as journal:
            assert len(journal.malformed) == torn, cut
            found = {name: entry["caption"] for name, entry in journal.records.items()}
            assert found == expected | {"new.jpg": "ein Hund", "newer.jpg": "ein Pferd"}, cut


# None of it is a whole record.
junk = (
    st.binary(max_size=120)
    | st.sampled_from(
        [
            b"\0" * 5000,
            b"\xef\xbb\xbf",
            b"{",
            b'{"a": ' * 150,
            b"[" * 9000,
            b"9" * 9000,
            b'"' * 99,
            b"\xed\xa0\x80",
        ]
    )
    | st.integers(0, len(WHOLE)).map(lambda cut: WHOLE[:cut].rpartition(b"\n")[2][:-1])
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["rel_path", "x"]), inner, max_size=2)
        ),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode())
)


@settings(deadline=None, database=None, max_examples=200)
@given(pieces=st.lists(junk, min_size=6, max_size=6), tail=junk)
@example(pieces=[b""] * 6, tail=b"\0" * 4096)
def test_junk_between_the_lines_harms_no_line(pieces: list[bytes], tail: bytes) -> None:
    good = [line(f"{i}.jpg", f"caption {i} é") for i in range(5)]
    spoiled = b"".join(piece + b"\n" + each for piece, each in zip(pieces, good, strict=False)) + tail
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "captions.jsonl")
        path.write_bytes(spoiled)
        CaptionJournal(path).load()
        with opened(path) as journal:
            warned = bool(malformed_warning(journal))
            assert warned == any(piece.strip() for each in [*pieces[:5], tail] for piece in each.split(b"\n"))
            journal.write("new.jpg", "a dog", "success")
        assert path.read_bytes().startswith(spoiled)
        assert captions(path) == {f"{i}.jpg": f"caption {i} é" for i in range(5)} | {"new.jpg": "a dog"}


@settings(deadline=None, database=None, max_examples=150)
@given(place=st.integers(0, 5 * len(line("0.jpg"))), piece=junk, overwrite=st.booleans())
def test_junk_inside_a_line_harms_only_what_it_touches(place: int, piece: bytes, overwrite: bool) -> None:
    good = [line(f"{i}.jpg") for i in range(5)]
    size = len(good[0])
    whole = b"".join(good)
    end = min(place + len(piece), len(whole)) if overwrite else place
    touched = set(range(max(place - 1, 0) // size, end // size + 1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "captions.jsonl")
        path.write_bytes(whole[:place] + piece + whole[end:])
        # Where an end of line is gone, two whole records may stand on one line: that is refused, and proved further down.
        assume(not re.search(rb"\}[ \t\r]*\{", path.read_bytes()))
        if len(touched) < 5:
            found = captions(path)
            assert {f"{i}.jpg" for i in range(5) if i not in touched} <= set(found)


@pytest.mark.parametrize("start", [b'{"a":', b'{"rel_path":"a","caption":"b","status":"success","x":['])
def test_deeply_nested_junk_is_only_malformed(path: Path, start: bytes) -> None:
    path.write_bytes(line("a.jpg") + start * 100_000 + b"\n" + line("b.jpg"))
    assert list(captions(path)) == ["a.jpg", "b.jpg"]


def test_a_tail_of_zero_bytes_is_closed_off(path: Path) -> None:
    path.write_bytes(line("a.jpg") + b"\0" * 4096)
    with opened(path) as journal:
        assert journal.malformed == [2]
        journal.write("b.jpg", "a dog", "success")
    assert path.read_bytes().startswith(line("a.jpg") + b"\0" * 4096 + b"\n{")
    assert list(captions(path)) == ["a.jpg", "b.jpg"]


def test_a_first_record_that_is_torn_is_no_foreign_file(path: Path) -> None:
    for torn in (line("a.jpg")[:30], b"\0" * 512, b"{"):
        path.write_bytes(torn)
        with opened(path) as journal:
            assert journal.malformed == [1]
            journal.write("a.jpg", "a cat", "success")
        assert captions(path) == {"a.jpg": "a cat"}


# --- files that are no journals --------------------------------------------------------------------------------------


def a_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(buffer, "JPEG")
    return buffer.getvalue()


FOREIGN = {
    "a JPEG": a_jpeg(),
    "JSON lines": b'{"path": "a.jpg", "text": "a cat"}\n{"path": "b.jpg", "text": "a dog"}\n',
    "other statuses": line("a.jpg", status="ok") + line("b.jpg", status="ok"),
    "CSV": b"path,caption\na.jpg,a cat\n",
    "pretty JSON": json.dumps([{"rel_path": "a", "caption": "b"}], indent=2).encode() + b"\n",
    "a database": b"SQLite format 3\0" + b"\0" * 4000 + b"\n",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_file_is_refused_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for use in (CaptionJournal.load, CaptionJournal.compact):
        with CaptionJournal(path).lock() as journal, pytest.raises(StopRunError) as caught:
            use(journal)
        assert str(caught.value) == (
            f"{path} holds no captions but something else: it is left as it is; give --captions-jsonl another file."
        )
    assert path.read_bytes() == content
    assert names(path.parent) == ["captions.jsonl", "captions.jsonl.lock"]


def test_a_folder_is_refused(path: Path) -> None:
    path.mkdir()
    with (
        pytest.raises(StopRunError, match="is a folder: give --captions-jsonl the name of a file in it"),
        CaptionJournal(path).lock(),
    ):
        pass
    with pytest.raises(StopRunError, match="cannot be read"):
        CaptionJournal(path).load()
    assert names(path) == []


# --- links, backups, compact -----------------------------------------------------------------------------------------

BACKUP = re.compile(r"captions\.jsonl\.\d{8}T\d{6}Z(-\d+)?\.bak")
REPEATED = (
    line("a.jpg", "old")
    + b"{torn\n"
    + line("b.jpg", stars=5)
    + line("a.jpg", "new", model="mock", odd={"x": [1.50]})
)
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
    monkeypatch.setattr(journal_module, "_now", lambda: datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC))
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


# --- threads and processes -------------------------------------------------------------------------------------------


def test_eight_threads_write_whole_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The disk takes few bytes at a time, so that two writers at once would show.
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real_write(descriptor, data[:25]))
    with opened(path) as journal:

        def work(number: int) -> None:
            for turn in range(20):
                journal.write(f"{number}/{turn}.jpg", f"é{'x' * (number * turn)}", "success")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(journal.records) == 160
    with opened(path) as journal:
        assert (len(journal.records), journal.malformed, journal.repeated) == (160, [], 0)


def python(script: str, *arguments: object, before: tuple[str, ...] = ()) -> list[str]:
    return [*before, sys.executable, "-c", script, *map(str, arguments)]


HOLD = """
import sys
from journal import CaptionJournal
with CaptionJournal(sys.argv[1]).lock() as journal:
    journal.load()
    journal.write("a.jpg", "a cat", "success")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_and_a_killed_one_leaves_no_lock(path: Path) -> None:
    with subprocess.Popen(
        python(HOLD, path), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StopRunError) as caught, CaptionJournal(path).lock():
            pass
        assert str(caught.value) == (
            f"Another run is writing {path}: wait until it has ended, or give --captions-jsonl another file."
        )
        assert list(CaptionJournal(path).load()) == ["a.jpg"], "reading needs no lock"
        holder.kill()
        holder.wait()
        with opened(path) as journal:
            journal.write("b.jpg", "a dog", "success")
    assert list(captions(path)) == ["a.jpg", "b.jpg"]


def test_the_lock_ends_with_its_block(path: Path) -> None:
    for _ in range(2):
        with pytest.raises(KeyError), CaptionJournal(path).lock():
            raise KeyError
    reader = CaptionJournal(path)
    with CaptionJournal(path).lock() as journal:
        journal.write("a.jpg", "a cat", "success")
    path.write_bytes(path.read_bytes() + b"{torn")
    reader.load()
    assert reader.malformed == []


# --- disks that fail -------------------------------------------------------------------------------------------------


@cache
def mountable() -> bool:
    """Tell whether a process may have mounts of its own; they vanish with it."""
    if not shutil.which("unshare"):
        return False
    test = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /tmp"]
    return subprocess.run(test, capture_output=True, check=False).returncode == 0


def on_small_disk(folder: Path, script: str, *, size: str = "64k") -> dict[str, Any]:
    """Run the script with a file system of its own at `folder`; return what it printed as JSON."""
    folder.mkdir()
    mount = 'mount -t tmpfs -o "size=$1" none "$2" && shift 2 && exec "$@"'
    before = ("unshare", "-rm", "sh", "-c", mount, "sh", size, str(folder))
    done = subprocess.run(
        python(script, folder / "captions.jsonl", before=before),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


needs_mount = pytest.mark.skipif(
    not mountable(), reason="this machine lets nobody mount a small disk; RLIMIT_FSIZE stands in"
)

FILL = """
import json, os, sys
from pathlib import Path
from backends.base import StopRunError
from cli.selection import malformed_warning
from journal import CaptionJournal

path = Path(sys.argv[1])
filler = path.with_name("filler")
limit = int(sys.argv[2]) if len(sys.argv) > 2 else 0
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
else:
    filler.write_bytes(b"x" * 20_000)
acknowledged, sentences, whole = [], [], []
with CaptionJournal(path).lock() as journal:
    journal.load()
    while len(acknowledged) < 500 and len(sentences) < 3:
        name = f"{len(acknowledged)}.jpg"
        try:
            journal.write(name, "é" * 347, "success")
            acknowledged.append(name)
        except StopRunError as error:
            sentences.append(str(error))
            whole.append(path.read_bytes().endswith(b"}\\n") and path.read_bytes().count(b"\\n") == len(acknowledged))
            assert not journal.is_done(name)
    compacted = None
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    else:
        # Room for one more line but not for a second copy of the file.
        os.truncate(filler, 12_000)
        journal.write("0.jpg", "again", "success")
        before = path.read_bytes()
        try:
            journal.compact()
        except StopRunError as error:
            compacted = str(error)
        assert path.read_bytes() == before
        filler.unlink()
    for number in range(3):
        journal.write(f"after {number}.jpg", "there is room again", "success")
with CaptionJournal(path).lock() as journal:
    found = journal.load()
    print(json.dumps({"acknowledged": acknowledged, "sentences": sentences, "whole": whole, "compacted": compacted,
        "found": sorted(found), "malformed": journal.malformed, "names": sorted(os.listdir(path.parent))}))
"""


def check_full_disk(answer: dict[str, Any], sentence: str) -> None:
    assert len(answer["acknowledged"]) > 5
    assert len(answer["sentences"]) == 3
    assert all(each == sentence for each in answer["sentences"])
    assert answer["whole"] == [True] * 3, "cut back to the last whole line"
    assert answer["malformed"] == []
    assert answer["found"] == sorted(
        [*answer["acknowledged"], *(f"after {number}.jpg" for number in range(3))]
    )


@needs_mount
def test_a_full_disk_stops_the_run_and_harms_nothing(tmp_path: Path) -> None:
    answer = on_small_disk(tmp_path / "disk", FILL)
    sentence = (
        f"{tmp_path}/disk/captions.jsonl cannot be written, the disk is full: free some space and run the same command "
        "again; nothing that was written is lost."
    )
    check_full_disk(answer, sentence)
    assert answer["compacted"] == sentence
    assert answer["names"] == ["captions.jsonl", "captions.jsonl.lock"], "no temporary file is left"


def test_a_file_that_may_not_grow_is_cut_back_to_its_last_line(path: Path) -> None:
    done = subprocess.run(python(FILL, path, 20_000), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    check_full_disk(
        json.loads(done.stdout),
        f"{path} cannot be written, File too large: check the disk and run the same command again; "
        "nothing that was written is lost.",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_the_device_that_is_always_full(path: Path) -> None:
    path.symlink_to("/dev/full")
    journal = CaptionJournal(path)
    with pytest.raises(StopRunError, match="the disk is full: free some space"):
        journal.write("a.jpg", "a cat", "success")
    assert journal.records == {}


READ_ONLY = """
import json, os, subprocess, sys
from pathlib import Path
from backends.base import StopRunError
from cli.selection import malformed_warning
from journal import CaptionJournal

path = Path(sys.argv[1])
how = sys.argv[2] if len(sys.argv) > 2 else "mount"
def write():
    with CaptionJournal(path).lock() as journal:
        journal.load()
        journal.write("b.jpg", "a dog", "success")
def write_without_lock():
    CaptionJournal(path).write("b.jpg", "a dog", "success")
def compact():
    CaptionJournal(path).compact()
def set_aside():
    CaptionJournal(path).set_aside()
with CaptionJournal(path).lock() as journal:
    for caption in ("old", "new"):
        journal.write("a.jpg", caption, "success")
before = path.read_bytes()
if how == "mount":
    subprocess.run(["mount", "-o", "remount,ro", path.parent], check=True)
else:
    path.chmod(0o444)
    path.parent.chmod(0o555)
    if os.geteuid() == 0:
        os.setuid(65534)  # chmod does not bind root
sentences = {}
for work in (write, write_without_lock, compact, set_aside):
    try:
        work()
    except (StopRunError, OSError) as error:
        sentences[work.__name__] = f"{type(error).__name__}: {error}"
assert path.read_bytes() == before
found = CaptionJournal(path).load()
print(json.dumps({"sentences": sentences, "found": found, "names": sorted(os.listdir(path.parent))}))
"""


def check_read_only(answer: dict[str, Any], reason: str) -> None:
    for work in ("write", "write_without_lock", "compact", "set_aside"):
        sentence = answer["sentences"][work]
        assert sentence.startswith("StopRunError: "), sentence
        assert f"cannot be written, {reason}: give --captions-jsonl a file elsewhere" in sentence
    assert answer["found"] == {"a.jpg": {"caption": "new", "status": "success"}}, "reading goes on"
    assert answer["names"] == ["captions.jsonl", "captions.jsonl.lock"]


@needs_mount
def test_a_read_only_disk(tmp_path: Path) -> None:
    check_read_only(on_small_disk(tmp_path / "disk", READ_ONLY), "the folder is read-only")


def test_a_folder_without_the_right_to_write() -> None:
    with tempfile.TemporaryDirectory() as outer:
        os.chmod(outer, 0o755)  # the other user must get as far as the folder
        folder = Path(outer, "folder")
        folder.mkdir()
        done = subprocess.run(
            python(READ_ONLY, folder / "captions.jsonl", "chmod"),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    check_read_only(json.loads(done.stdout), "no permission to write there")


def test_a_journal_that_may_not_be_read() -> None:
    script = """
import os, sys
from backends.base import StopRunError
from cli.selection import malformed_warning
from journal import CaptionJournal
os.chmod(sys.argv[1], 0)
if os.geteuid() == 0:
    os.setuid(65534)
try:
    CaptionJournal(sys.argv[1]).load()
except StopRunError as error:
    print(error)
"""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = Path(folder, "captions.jsonl")
        path.write_bytes(line("a.jpg"))
        done = subprocess.run(python(script, path), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == f"{path} cannot be read (Permission denied): check the disk and the file's permissions.\n", (
        done.stderr
    )


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(StopRunError, match=r"the folder .* does not exist: make it"):
        CaptionJournal(tmp_path / "no" / "captions.jsonl").write("a.jpg", "a cat", "success")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StopRunError, match="is not a folder"):
        CaptionJournal(tmp_path / "file" / "captions.jsonl").write("a.jpg", "a cat", "success")


@pytest.mark.parametrize("torn", [b"", b'{"rel_path": "torn'])
@pytest.mark.parametrize("failing", ["write", "write after 9 bytes", "fsync", "fsync and ftruncate"])
def test_trouble_while_writing_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, torn: bytes
) -> None:
    real_write = os.write

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def short(descriptor: int, data: bytes) -> int:
        if len(data) > 60:
            return real_write(descriptor, data[:9])
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    before = line("a.jpg") + torn
    path.write_bytes(before)
    with opened(path) as journal:
        with monkeypatch.context() as patched:
            if failing.startswith("write"):
                patched.setattr(os, "write", broken if failing == "write" else short)
            if "fsync" in failing:
                patched.setattr(os, "fsync", broken)
            if "ftruncate" in failing:
                patched.setattr(os, "ftruncate", broken)
            with pytest.raises(
                StopRunError, match="Input/output error: check the disk and run the same command again"
            ):
                journal.write("b.jpg", "x" * 80, "success")
        assert not journal.is_done("b.jpg")
        after = path.read_bytes()
        assert after == before if "ftruncate" not in failing else after.startswith(before)
        journal.write("c.jpg", "a dog", "success")
        assert path.read_bytes().startswith(after)
    assert set(captions(path)) - {"b.jpg"} == {"a.jpg", "c.jpg"}


def test_a_disk_that_takes_few_bytes_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    with opened(path) as journal, monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, data: real_write(descriptor, data[:7]))
        journal.write("é.jpg", "一只猫", "success")
        journal.write("b.jpg", "a dog", "success")
    assert captions(path) == {"é.jpg": "一只猫", "b.jpg": "a dog"}


def test_records_that_are_ready_together_cost_one_write_and_one_fsync(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()
    path.write_bytes(line("a.jpg"))

    def counting(name: str, real: Callable[..., int | None]) -> Callable[..., int | None]:
        def counted(*arguments: object) -> int | None:
            calls[name] += 1
            return real(*arguments)

        return counted

    with opened(path) as journal:
        for name in ("write", "fsync"):
            monkeypatch.setattr(os, name, counting(name, getattr(os, name)))
        journal.write_many(
            [CaptionRecord(rel_path=f"{i}", caption="x", status="success") for i in range(100)]
        )
    assert calls == {"write": 1, "fsync": 1}
    assert len(captions(path)) == 101


def test_a_name_that_is_too_long_is_said_in_a_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(StopRunError, match="cannot be written"),
        CaptionJournal(tmp_path / ("x" * 300)).lock(),
    ):
        pass


# --- the page that describes the format -------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", FORMAT.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def spoiled_journal(path: Path) -> dict[str, str | None]:
    path.write_bytes(
        REPEATED + b"\n[]\n7\n\0\0\n\xff\n" + line("é.jpg", None, "error_api") + line("torn")[:-5]
    )
    return {"b.jpg": "a cat", "a.jpg": "new", "é.jpg": None}


def test_the_documented_python_reads_a_spoiled_journal(path: Path) -> None:
    expected = spoiled_journal(path)
    (script,) = blocks("python")
    script += "\nprint(json.dumps({name: record['caption'] for name, record in last.items()}))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=path.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected == captions(path)


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_the_documented_jq_reads_a_spoiled_journal(path: Path) -> None:
    expected = spoiled_journal(path)
    (command,) = [block for block in blocks("sh") if "jq" in block]
    done = subprocess.run(["sh", "-c", command], cwd=path.parent, capture_output=True, text=True, check=True)
    records = [json.loads(each) for each in done.stdout.splitlines()]
    assert {record["rel_path"]: record["caption"] for record in records} == expected


def test_every_field_and_status_is_documented() -> None:
    text = FORMAT.read_text("utf-8")
    for name in (*CaptionRecord.model_fields, *STATUSES):
        assert f"`{name}`" in text


# --- what other programs do to a journal ------------------------------------------------------------------------------


def test_a_byte_order_mark_costs_no_record(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + line("a.jpg") + line("b.jpg"))
    assert list(captions(path)) == ["a.jpg", "b.jpg"]


def test_compact_takes_blank_lines_out(path: Path) -> None:
    path.write_bytes(line("a.jpg") + b"\n\r\n" + line("b.jpg"))
    with opened(path) as journal:
        assert journal.compact() is not None
    assert path.read_bytes() == line("a.jpg") + line("b.jpg")


def test_a_rewritten_photo_moves_to_the_end_of_the_records(path: Path) -> None:
    with opened(path) as journal:
        for name in ("a.jpg", "b.jpg", "a.jpg"):
            journal.write(name, "a cat", "success")
        assert list(journal.records) == ["b.jpg", "a.jpg"]
    assert list(captions(path)) == ["b.jpg", "a.jpg"]


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "UTF-16 with a mark": lambda text: b"\xff\xfe" + text.decode().encode("utf-16-le"),
    "UTF-16 with a mark, larger byte first": lambda text: b"\xfe\xff" + text.decode().encode("utf-16-be"),
    "UTF-16LE": lambda text: text.decode().encode("utf-16-le"),
    "UTF-16BE": lambda text: text.decode().encode("utf-16-be"),
    "UTF-16LE with CRLF": lambda text: text.decode().replace("\n", "\r\n").encode("utf-16-le"),
    "UTF-32 with a mark": lambda text: b"\xff\xfe\0\0" + text.decode().encode("utf-32-le"),
    "UTF-32LE": lambda text: text.decode().encode("utf-32-le"),
    "UTF-32BE": lambda text: text.decode().encode("utf-32-be"),
    "CR alone": lambda text: text.replace(b"\n", b"\r"),
    "a mark and CR alone": lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r"),
    "no ends of lines": lambda text: text.replace(b"\n", b""),
    "spaces for ends of lines": lambda text: text.replace(b"\n", b"  "),
    "gzip": lambda text: gzip.compress(text, mtime=0),
    "Windows-1252": lambda text: text.decode().encode("cp1252"),
}
OLD = line("é/a.jpg", "ein Hund }{ und ü") + line("é/b.jpg", None, "error_api") + line("é/a.jpg", "néw")
OLD_CAPTIONS = {"é/a.jpg": "néw", "é/b.jpg": None}


def refusals(path: Path) -> set[str]:
    """Return what a reader, a writer, and `compact` say of the file; it stays as it is."""
    before = path.read_bytes()
    said = set()
    with pytest.raises(StopRunError) as caught:
        CaptionJournal(path).load()
    said.add(str(caught.value))
    for use in (CaptionJournal.load, CaptionJournal.compact):
        with CaptionJournal(path).lock() as journal, pytest.raises(StopRunError) as caught:
            use(journal)
        said.add(str(caught.value))
    assert path.read_bytes() == before
    return said


@pytest.mark.parametrize("form", FORMS)
def test_another_form_is_refused_with_the_command_that_mends_it(tmp_path: Path, form: str) -> None:
    path = tmp_path / "Anna's captions.jsonl"
    path.write_bytes(FORMS[form](OLD))
    (said,) = refusals(path)
    assert "it is left as it is; give --captions-jsonl the file that this makes" in said
    command = said.rpartition(": ")[2]
    subprocess.run(["sh", "-c", command], check=True)
    assert captions(tmp_path / "Anna's captions.fixed.jsonl") == OLD_CAPTIONS


@settings(deadline=None, database=None, max_examples=400)
@given(
    form=st.sampled_from([*FORMS, "UTF-8"]),
    texts=st.lists(st.text(st.characters(codec="cp1252"), min_size=1, max_size=9), min_size=1, max_size=3),
    data=st.data(),
)
def test_a_torn_line_is_told_from_another_form_at_every_cut(
    form: str, texts: list[str], data: st.DataObject
) -> None:
    whole = b"".join(line(f"é{i}.jpg", text) for i, text in enumerate(texts))
    saved = FORMS[form](whole) if form in FORMS else whole
    cut = saved[: data.draw(st.integers(0, len(saved)) | st.just(len(saved)))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "captions.jsonl")
        path.write_bytes(cut)
        try:
            found = captions(path)
        except StopRunError:
            assert form != "UTF-8"
            assert len(refusals(path)) == 1
            return
        if form == "UTF-8":
            ended = cut.count(b"\n") + (cut != b"" and cut + b"\n" == saved[: len(cut) + 1])
            assert len(found) == ended
            return
        # It was taken for a journal: then no record is in it that was not found.
        if form == "gzip":
            assert cut == b""
            return
        single = [len(FORMS[form](whole[: m.end() - 1])) for m in re.finditer(rb"\n", whole)]
        assert len(found) == sum(end <= len(cut) for end in single)


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize(
    "appended",
    [
        line("c.jpg").decode().encode("utf-16-le"),
        (line("c.jpg") + line("d.jpg")).replace(b"\n", b"\r"),
        line("c.jpg")[:-1] + line("d.jpg"),
    ],
    ids=["UTF-16", "CR", "one line"],
)
def test_a_journal_that_another_program_wrote_on_in_its_own_form_is_refused(
    path: Path, appended: bytes, locked: bool
) -> None:
    before = line("a.jpg") + line("b.jpg") + appended
    path.write_bytes(before)
    with CaptionJournal(path).lock() if locked else nullcontext(CaptionJournal(path)) as journal:  # noqa: SIM117
        with pytest.raises(StopRunError, match="it is left as it is; "):
            journal.load()
    assert path.read_bytes() == before


def test_a_spoiled_byte_in_a_line_is_no_other_encoding(path: Path) -> None:
    bad = line("b.jpg", "caf\xe9").decode().encode("latin-1")
    for good in (line("a.jpg"), line("é.jpg") + bad):
        path.write_bytes(good + bad)
        assert len(captions(path)) == 1


def test_a_record_that_lost_only_its_end_of_line_is_no_foreign_file(path: Path) -> None:
    for tail in (b"\0" * 512, b"\0" * 512 + b"\n"):
        path.write_bytes(line("a.jpg")[:-1] + tail)
        with opened(path) as journal:
            assert journal.malformed == [1]
            journal.write("a.jpg", "a cat", "success")
        assert captions(path) == {"a.jpg": "a cat"}
