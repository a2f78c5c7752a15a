"""Photos that were replaced under their own name: they are counted, and done again only when that is asked for."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from engines import known
from engines.known import replaced
from journal import CaptionJournal, CaptionRecord
from library.identity import content_of
from library.walk import walk
from tests.conftest import Product, draw

if TYPE_CHECKING:
    from pathlib import Path

SAID = "Photos replaced since their records were made: "


@pytest.fixture
def done(product: Product, tmp_path: Path) -> Product:
    """Three photos with captions, and one whose file is cut short."""
    product.photos = tmp_path / "library"
    for name in ("a.bmp", "b.bmp", "c.png"):
        draw(product.photos / name)
    whole = draw(product.photos / "cut.jpg", size=(400, 300)).read_bytes()
    (product.photos / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    product.run()
    return product


def test_said_and_done_again_by_the_command_that_is_shown(done: Product) -> None:
    before = done.records()
    draw(done.photos / "c.png", size=(120, 80))  # another size
    draw(done.photos / "cut.jpg", size=(400, 300))  # whole by now
    same = (done.photos / "a.bmp").stat().st_size
    draw(done.photos / "a.bmp", shade=200)  # of the same size, and newer than its record
    os.utime(done.photos / "a.bmp", (time.time() + 10,) * 2)
    assert (done.photos / "a.bmp").stat().st_size == same
    said = done.run()
    assert f"{SAID}3, such as 'a.bmp'. The records stay; to make them again: " in said
    assert "Skipping 4 already processed (3 success, 1 errors)" in said
    assert done.records() == before
    words = ("estimate", "--photos-dir", str(done.photos), "--backend", "mock", "--retry-status", "replaced")
    assert "Photos remaining:  3 / 4 (1 already done)" in done.call(*words).stdout
    shown = next(line for line in said.splitlines() if SAID in line).rpartition(": ")[2]
    assert shown.startswith("uv run python ")
    again = subprocess.run(
        [sys.executable, *shlex.split(shown.removeprefix("uv run python "))],
        cwd=done.folder,
        env=done.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Captioned 3 photos" in again.stderr
    now = done.records()
    assert {record["status"] for record in now.values()} == {"success"}
    assert all(record["content"] == content_of(f"{done.photos}/{name}") for name, record in now.items())
    assert SAID not in done.run("--retry-status", "replaced")
    assert len(done.lines()) == 7


def test_names_that_were_swapped_cost_nothing(done: Product) -> None:
    draw(done.photos / "c.bmp", size=(50, 50))
    done.run()
    (done.photos / "b.bmp").rename(done.photos / "x.bmp")
    (done.photos / "c.bmp").rename(done.photos / "b.bmp")
    (done.photos / "x.bmp").rename(done.photos / "c.bmp")
    said = done.run("--retry-status", "replaced")
    assert "2 captions carried over from moved or copied photos." in said
    assert "Captioned 0 photos" in said
    records = done.records()
    assert records["b.bmp"]["caption"] == "a mock caption for c.bmp"
    assert records["b.bmp"]["copy_of"] == "c.bmp"
    assert records["c.bmp"]["copy_of"] == "b.bmp"


def journal_of(folder: Path, path: Path, names: list[str]) -> CaptionJournal:
    journal = CaptionJournal(path)
    journal.write_many(
        [
            CaptionRecord(
                rel_path=name,
                caption="c",
                status="success",
                model="m",
                content=content_of(str(folder / name)),
                at="2020-01-01T00:00:00Z",
            )
            for name in names
        ]
    )
    journal.close()
    journal.load(with_times=True)
    return journal


def test_a_copied_library_is_not_read_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its files are newer than their records; then only sizes are compared."""
    monkeypatch.setattr(known, "MANY", 3)
    folder = tmp_path / "library"
    names = [f"{number}.bmp" for number in range(5)]
    for name in names:
        draw(folder / name)
    journal = journal_of(folder, tmp_path / "captions.jsonl", names)
    for name in names:
        draw(folder / name, shade=1)
    draw(folder / "4.bmp", size=(9, 9))
    assert replaced(journal, walk(folder).photos) == ["4.bmp"]
    for name in names[:2]:  # not newer
        os.utime(folder / name, (0, 0))
    assert replaced(journal, walk(folder).photos) == ["2.bmp", "3.bmp", "4.bmp"]


def test_an_empty_or_unreadable_file_replaces_nothing(tmp_path: Path) -> None:
    """An empty file may stand for one that is in a cloud now."""
    folder = tmp_path / "library"
    for name in ("a.bmp", "b.bmp"):
        draw(folder / name)
    journal = journal_of(folder, tmp_path / "captions.jsonl", ["a.bmp", "b.bmp"])
    photos = walk(folder).photos
    (folder / "a.bmp").write_bytes(b"")
    (folder / "b.bmp").unlink()
    assert replaced(journal, photos) == []


def test_it_is_no_status(done: Product) -> None:
    said = done.run("--retry-status", "replace", code=64)
    assert "Choose from: error_corrupt, error_api, error_model, replaced." in said
