"""Starts the product, and the bare pool it is measured against, as processes of their own. Prints nothing."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
CORES = sorted(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))
MAXRSS_MEGABYTE = 1 << 20 if sys.platform == "darwin" else 1 << 10
"""What `ru_maxrss` counts in: bytes on macOS, kilobytes elsewhere."""
_compiled = tempfile.TemporaryDirectory()  # filled by the first process, gone when this one ends


def caption_command(photos: Path, journal: Path) -> list[str]:
    """Return the command that captions `photos` with the mock."""
    program = [sys.executable, str(ROOT / "caption.py"), "run", "--backend", "mock"]
    return [*program, "--photos-dir", str(photos), "--captions-jsonl", str(journal)]


class Took(NamedTuple):
    """Seconds from a process's start to its end, and of its and its children's work: the latter bears a busy machine."""

    wall: float
    cpu: float


def product(photos: Path, *, again: bool = False, cores: int = len(CORES)) -> Took:
    """Time a whole run over `photos`; `again` keeps the journal it finds."""
    journal = photos.with_name(f"{photos.name}.jsonl")
    if not again:
        journal.unlink(missing_ok=True)
    return _took(caption_command(photos, journal), cores)


def bare_pool(photos: Path, *, cores: int = len(CORES)) -> Took:
    """Time a bare pool of processes that decodes the same files."""
    return _took([sys.executable, str(ROOT / "benchmarks" / "bare_pool.py"), str(photos)], cores)


def timed(command: list[str]) -> Took:
    """Time any command on all cores."""
    return _took(command, len(CORES))


def start(command: list[str]) -> subprocess.Popen[str]:
    """Start a process that finds no settings but its flags, and compiled modules, as it would at a user's."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment["PYTHONPYCACHEPREFIX"] = _compiled.name
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )


def output(process: subprocess.Popen[str]) -> str:
    """Wait for a process that `start` began; return what it printed. It must succeed."""
    text, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{process.args!r} ended with {process.returncode}:\n{text}")
    return text


def _took(command: list[str], cores: int) -> Took:
    with _on(cores):
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        output(start(command))
        wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def bind(cores: list[int]) -> None:
    """Bind this process to these cores; macOS knows no such thing, and there it goes on with all."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


@contextmanager
def _on(cores: int) -> Iterator[None]:
    """Bind this process, and so what it starts, to the first `cores` cores."""
    bind(CORES[:cores])
    try:
        yield
    finally:
        bind(CORES)
