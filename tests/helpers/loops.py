"""run_loop.sh as a process, in a copy of the project."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import PATIENCE


class Ended(NamedTuple):
    """How a loop ended."""

    code: int
    out: list[str]
    err: str


def copy_project(source: Path, target: Path) -> Path:
    target.mkdir()
    for entry in source.iterdir():
        if (entry / "__init__.py").exists():
            shutil.copytree(entry, target / entry.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif entry.suffix == ".py" or entry.name in {"run_loop.sh", "pyproject.toml", "uv.lock"}:
            shutil.copy2(entry, target)
    return target


def environment(more: dict[str, str]) -> dict[str, str]:
    """Return the variables of a user's shell: those of the test run that would change what uv or the loop does are out."""
    out = {"BATCH", "PHOTOS_DIR", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"}
    return {k: v for k, v in os.environ.items() if k not in out} | {"UV_PYTHON": sys.executable} | more


def start(script: Path, *words: str, cwd: str | Path | None = None, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", str(script), *words],
        cwd=cwd or script.parent,
        env=environment(more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own, as in a terminal: what a Ctrl-C reaches
    )


def end(process: subprocess.Popen[str]) -> Ended:
    """Wait for the loop's end; one that goes on for ever is killed with all that it has started."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"the loop did not end:\n{out}\n{err}")
    return Ended(process.returncode, out.splitlines(), err)


def loop(script: Path, *words: str, cwd: str | Path | None = None, **more: str) -> Ended:
    return end(start(script, *words, cwd=cwd, **more))


def batch_done(size: int) -> str:
    return f"Batch of {size} done. Restarting..."
