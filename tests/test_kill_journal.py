"""
Proves the journal's crash promises with real processes and real SIGKILLs, as SQLite's writecrash test does.

A process dies before, in the middle of, or after its first, second, third ... call that concerns the journal, until
one survives. "Power" deaths also take away what no fsync had made durable: bytes, new names, or both.
"""

from __future__ import annotations

import itertools
import re
import sys
from pathlib import Path

import pytest

from journal import CaptionJournal
from tests.helpers.crashes import (
    MODES,
    Death,
    Stable,
    caption,
    parsed,
    repeated_journal,
    shim,
    stable,
    until_one_survives,
)

__all__ = ["shim", "stable"]  # fixtures

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
]
PHOTOS = tuple(f"2023/IMG_{'0' * (number % 5)}{number} ü.jpg" for number in range(4))
OLD = b'{"rel_path": "old.jpg", "caption": "here before", "status": "success"}\n'
STARTS = {"no file": b"", "a torn line": OLD + b'{"rel_path": "torn.jpg", "cap'}


def check_written(path: Path, said: list[str], start: bytes) -> None:
    """Check what is on disk after a death: all that was acknowledged, and at most one torn line."""
    raw = path.read_bytes() if path.exists() else b""
    assert raw.startswith(start), "what was there before is harmed"
    records, bad = parsed(path)
    found = {record["rel_path"]: record["caption"] for record in records}
    assert set(said) <= set(found), f"acknowledged but lost: {sorted(set(said) - set(found))}"
    assert all(text == caption(name) for name, text in found.items() if name != "old.jpg"), (
        "records are mixed up"
    )
    assert len(records) == len(found), "a photo was done twice"
    spoiled_before = bool(start) and not start.endswith(b"\n")
    assert bad <= spoiled_before + 1
    glued = [line for line in raw.split(b"\n") if line.find(b'{"rel_path"', 1) > 0]
    assert not glued, "a record is glued to a torn one"


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("mode", MODES)
def test_a_writer_killed_at_any_step(stable: Stable, tmp_path: Path, mode: str, start: str) -> None:
    content = STARTS[start]

    def attempt(path: Path, step: int) -> Death:
        if content:
            path.write_bytes(content)
        death = stable.send("write", path, step, mode, photos=PHOTOS, batch=2)
        check_written(path, death.said, content)
        after_death = path.read_bytes() if path.exists() else b""
        with CaptionJournal(path).lock() as journal:
            journal.load()
            assert set(death.said) <= set(journal.records)
            assert len(journal.malformed) <= 2
        # The run is started again and nobody kills it.
        again = stable.send("write", path, photos=PHOTOS, batch=2)
        assert not again.killed
        assert not set(again.said) & set(death.said), "work that was done is done again"
        assert path.read_bytes().startswith(after_death)
        assert path.read_bytes().rstrip(b"\n").endswith(b"}")
        check_written(path, [*PHOTOS], content)
        with CaptionJournal(path).lock() as journal:
            assert set(journal.load()) == {*PHOTOS} | ({"old.jpg"} if content else set())
            assert journal.repeated == 0
        return death

    survivor = until_one_survives(tmp_path / "deaths", attempt)
    assert {"open", "write", "fsync"} <= survivor.calls
    assert survivor.said == [*PHOTOS]


@pytest.mark.parametrize("modes", [MODES[:5], MODES[5:], MODES], ids=["kills", "power cuts", "both"])
def test_one_journal_through_many_deaths(stable: Stable, tmp_path: Path, modes: tuple[str, ...]) -> None:
    (tmp_path / "place").mkdir()
    path = tmp_path / "place" / "captions.jsonl"
    photos = tuple(f"{number:03}.jpg" for number in range(80))
    acknowledged: list[str] = []
    deaths = 0
    for step in itertools.count(1):
        assert step < 200
        death = stable.send("write", path, step // 2 + 1, modes[step % len(modes)], photos=photos)
        acknowledged += death.said
        deaths += death.killed
        records, bad = parsed(path)
        assert set(acknowledged) <= {record["rel_path"] for record in records}
        assert bad <= deaths
        if not death.killed:
            break
    assert deaths > 5
    assert len(acknowledged) == len(set(acknowledged)), "work that was acknowledged is done again"
    with CaptionJournal(path).lock() as journal:
        assert sorted(journal.load()) == [*photos]
        assert journal.repeated == 0
        assert len(journal.malformed) == bad


@pytest.mark.parametrize("no_links", [False, True], ids=["hard links", "no hard links"])
@pytest.mark.parametrize("mode", MODES)
def test_compact_killed_at_any_step(stable: Stable, tmp_path: Path, mode: str, no_links: bool) -> None:
    old, new = repeated_journal()

    def attempt(path: Path, step: int) -> Death:
        path.write_bytes(old)
        path.chmod(0o640)
        death = stable.send("compact", path, step, mode, no_links=no_links)
        assert path.exists(), "for a moment there was no journal"
        raw = path.read_bytes()
        assert raw in {old, new}, "neither the old nor the new content"
        assert raw == new or not death.said, "acknowledged but not done"
        assert path.stat().st_mode & 0o777 == 0o640
        if raw == new:
            backups = list(path.parent.glob("captions.jsonl.*.bak"))
            assert [backup.read_bytes() for backup in backups] == [old]
        if death.killed:
            # Whatever was left behind, the next one makes it good, and what a run appends goes to one file.
            assert not stable.send("compact", path, no_links=no_links).killed
            assert path.read_bytes() == new
            with CaptionJournal(path).lock() as journal:
                journal.load()
                journal.write("new.jpg", "a dog", "success")
        others = {other.name for other in path.parent.iterdir()} - {path.name, path.name + ".lock"}
        assert all(re.fullmatch(r"captions\.jsonl\.\d{8}T\d{6}Z(-\d+)?\.bak", name) for name in others), (
            others
        )
        assert old in {(path.parent / name).read_bytes() for name in others}
        return death

    survivor = until_one_survives(tmp_path / "deaths", attempt)
    assert {"open", "write", "fsync", "replace"} <= survivor.calls
    assert survivor.said == ["compacted"]


@pytest.mark.parametrize("mode", MODES)
def test_force_killed_at_any_step(stable: Stable, tmp_path: Path, mode: str) -> None:
    old, _ = repeated_journal()

    def attempt(path: Path, step: int) -> Death:
        path.write_bytes(old)
        death = stable.send("force", path, step, mode, photos=PHOTOS[:2])
        backups = [backup.read_bytes() for backup in path.parent.glob("captions.jsonl.*.bak")]
        raw = path.read_bytes() if path.exists() else b""
        assert raw == old or backups == [old], "the old captions are lost"
        if death.said:
            assert backups == [old]
            check_written(path, death.said[1:], b"")
        # Gone on with as any other run: without --force.
        if raw != old:
            assert not stable.send("write", path, photos=PHOTOS[:2]).killed
            check_written(path, [*PHOTOS[:2]], b"")
        return death

    survivor = until_one_survives(tmp_path / "deaths", attempt)
    assert {"rename", "open", "write", "fsync"} <= survivor.calls
    assert survivor.said == ["set aside", *PHOTOS[:2]]
