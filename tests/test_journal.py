"""The journal: what is written is what is read, which record counts, several writers, and the page of the format.

What a kill or a power loss does to the file is proved in test_kill_journal.py.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import journal as journal_module
from backends.base import StopRunError
from cli.selection import malformed_warning
from journal import STATUSES, CaptionJournal, CaptionRecord, Status, tally
from tests.conftest import ROOT
from tests.helpers.journals import (
    REPEATED,
    captions,
    line,
    opened,
    python,
)

if TYPE_CHECKING:
    pass

FORMAT = ROOT / "docs" / "journal-format.md"

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
    monkeypatch.setattr(journal_module, "now", lambda: datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC))
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
        assert (
            malformed_warning(journal) == "Warning: discarded 1 malformed line from captions.jsonl (line 2)"
        )
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
