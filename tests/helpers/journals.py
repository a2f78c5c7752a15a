"""Journals for tests: lines as other programs write them, and small disks that are really full."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from journal import CaptionJournal
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


def line(rel_path: str, caption: str | None = "a cat", status: str = "success", **more: object) -> bytes:
    """Return a line as another program might write it: the order and the spacing are not the journal's own."""
    record = {"status": status, "rel_path": rel_path, **more, "caption": caption}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


REPEATED = (
    line("a.jpg", "old")
    + b"{torn\n"
    + line("b.jpg", stars=5)
    + line("a.jpg", "new", model="mock", odd={"x": [1.50]})
)


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


def python(script: str, *arguments: object, before: tuple[str, ...] = ()) -> list[str]:
    return [*before, sys.executable, "-c", script, *map(str, arguments)]


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
