"""Copies that sync services leave beside a journal: found by their names, and the command that joins them works."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from cli.copies import conflict_copies, copies_warning
from journal import CaptionJournal
from tests.helpers.pixel_reports import report

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Product

COPIES = [
    "captions (conflict).jsonl",
    "captions.sync-conflict-20261101-120000-ABCDEF.jsonl",
    "captions (Anna's conflicted copy 2026-11-01).jsonl",
    "captions (In Konflikt stehende Kopie von Anna 2026-11-01).jsonl",
    "captions-DESKTOP-1.jsonl",
    "captions-Annas-MacBook-Pro.jsonl",
    "captions 2.jsonl",
    "captions (1).jsonl",
    "captions_conflict-20261101-120000.jsonl",
    "captions_NAS_Nov-01-1200-2026_Conflict.jsonl",
]
OTHERS = [
    "captions.jsonl",
    "captions.jsonl.20261101T120000Z.bak",
    "captions.jsonl.compact.tmp",
    "captions.jsonl.lock",
    "captions.dry-run.jsonl",
    "captions.joined.jsonl",
    "captions-gpt-4o.jsonl",
    "captions-2-8.jsonl",
    "captions-example.jsonl",
    "other.jsonl",
    "other (1).jsonl",
    "captions (1).txt",
    "captions (1) (2).jsonl.bak",
]


def line(rel_path: str, caption: str | None, status: str = "success") -> bytes:
    return json.dumps({"rel_path": rel_path, "caption": caption, "status": status}).encode() + b"\n"


def test_copies_are_told_from_other_files(tmp_path: Path) -> None:
    for name in [*COPIES, *OTHERS]:
        (tmp_path / name).write_bytes(line("a.jpg", "a cat"))
    (tmp_path / "captions (3).jsonl").mkdir()
    (tmp_path / "captions (4).jsonl").write_bytes(b"\x89PNG")
    (tmp_path / "captions (5).jsonl").write_bytes(b"")
    os.mkfifo(tmp_path / "captions (6).jsonl")  # to open it would wait for ever
    (tmp_path / "captions (7).jsonl").symlink_to("nowhere")
    found = conflict_copies(tmp_path / "captions.jsonl")
    assert [path.name for path in found] == sorted(COPIES)
    known = [tmp_path / "captions (1).jsonl", tmp_path / "captions 2.jsonl"]
    assert set(found) - set(conflict_copies(tmp_path / "captions.jsonl", known)) == set(known)
    assert conflict_copies(tmp_path / "captions (1).jsonl") == []
    assert conflict_copies(tmp_path / "gone" / "captions.jsonl") == []


def test_no_more_than_the_first_bytes_are_read(tmp_path: Path) -> None:
    with (tmp_path / "captions (1).jsonl").open("wb") as file:
        file.write(b"{")
        file.truncate(1 << 40)  # a terabyte of zeros, most of it on no disk
    assert conflict_copies(tmp_path / "captions.jsonl")


def test_the_command_joins_them_and_the_last_record_wins(tmp_path: Path) -> None:
    folder = tmp_path / "Anna's $HOME & co"
    folder.mkdir()
    journal = folder / "captions.jsonl"
    journal.write_bytes(line("a.jpg", "the journal's") + line("b.jpg", "only here")[:-1])
    for number, name in enumerate(COPIES):
        # As a service may leave them: without the last end of line.
        (folder / name).write_bytes((line("a.jpg", "a copy's") + line(f"{number}.jpg", "only there"))[:-1])
    said = copies_warning(journal)
    assert said is not None
    subprocess.run(["sh", "-c", said.rpartition(": ")[2]], check=True, cwd="/")
    joined = CaptionJournal(folder / "captions.joined.jsonl")
    found = {name: entry["caption"] for name, entry in joined.load().items()}
    assert found == {f"{number}.jpg": "only there" for number in range(len(COPIES))} | {
        "a.jpg": "the journal's",
        "b.jpg": "only here",
    }
    assert joined.malformed == []


@pytest.mark.parametrize("copies", [1, 2])
def test_a_run_and_a_report_name_them_once_with_a_command_that_works(product: Product, copies: int) -> None:
    product.run()
    whole = product.journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    product.journal.write_bytes(b"".join(lines[:6]))
    parts = [b"".join(lines[6:9]), b"".join(lines[9:])] if copies == 2 else [b"".join(lines[6:])]
    for name, part in zip(COPIES, parts, strict=False):
        (product.folder / name).write_bytes(part)
    before = {path.name: path.read_bytes() for path in product.folder.glob("captions*.jsonl")}
    said = product.run("--limit", "1")
    mine = [each for each in said.splitlines() if "sync service" in each]
    assert len(mine) == 1
    assert all(repr(name) in mine[0] for name in COPIES[:copies])
    for name in COPIES[:copies]:
        assert (product.folder / name).read_bytes() == before[name]
    reported = [each for each in report(product).stderr.splitlines() if "sync service" in each]
    assert reported == mine
    subprocess.run(["sh", "-c", mine[0].rpartition(": ")[2]], check=True, cwd="/")
    joined = str(product.folder / "captions.joined.jsonl")
    said = product.run("--captions-jsonl", joined)
    assert "Skipping 12 already processed" in said
    assert "sync service" not in said
    # Copies that are given as journals themselves need no word.
    flags = [
        word
        for name in ("captions.jsonl", *COPIES[:copies])
        for word in ("--captions-jsonl", str(product.folder / name))
    ]
    assert "sync service" not in report(product, *flags).stderr
