"""Victims for the tests of crash safety: processes that die at a chosen call that concerns the journal, by a kill or a power cut."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import ROOT
from tests.helpers.crash_scripts import SHIM, STABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODES = (
    "before",
    "first byte",
    "half",
    "all but one",
    "after",
    "power, names kept",
    "power, names lost",
    "power, zeros",
)


@dataclass(frozen=True, slots=True)
class Death:
    """How a victim ended: whether it was killed, what it had said by then, and the calls it made if it lived."""

    killed: bool
    said: list[str]
    calls: set[str] = field(default_factory=set)


class Stable:
    """Where the victims come from."""

    def __init__(self, shim: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", STABLE],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(shim)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(
        self,
        job: str,
        path: Path,
        step: int = 0,
        mode: str = "",
        *,
        photos: tuple[str, ...] = (),
        batch: int = 1,
        no_links: bool = False,
    ) -> Death:
        """Start a victim that dies at its `step`-th call (0: never), and wait for its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"job": job, "path": str(path), "step": step, "mode": mode, "photos": photos, "batch": batch}
        self._process.stdin.write(json.dumps(order | {"no_links": no_links}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["code"] in {0, -signal.SIGKILL}, "the victim failed; its traceback is above"
        said: list[str] = answer["said"]
        if answer["code"]:
            return Death(killed=True, said=said)
        return Death(killed=False, said=said[:-1], calls=set(said[-1].split()[1:]))

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shim")
    (folder / "sitecustomize.py").write_text(SHIM, "utf-8")
    return folder


@pytest.fixture(scope="module")
def stable(shim: Path) -> Iterator[Stable]:
    stable = Stable(shim)
    yield stable
    stable.close()


def caption(name: str) -> str:
    return f"a caption for {name} " + "é🐈" * (len(name) % 5)


def until_one_survives(folder: Path, attempt: Callable[[Path, int], Death]) -> Death:
    """Call `attempt(new folder, N)` for N = 1, 2, 3 ... until its victim lives; return how that one ended."""
    for step in itertools.count(1):
        assert step < 200, "no victim ever survives"
        place = folder / str(step)
        place.mkdir(parents=True)
        death = attempt(place / "captions.jsonl", step)
        if not death.killed:
            assert step > 1, "the shim has bitten nobody: these tests prove nothing"
            return death
        # Thousands of these would fill the disk.
        shutil.rmtree(place)
    raise AssertionError


def parsed(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Read a journal without the product's help: its whole records in order, and how many lines are none."""
    records, bad = [], 0
    for line in path.read_bytes().split(b"\n") if path.exists() else []:
        if not line:
            continue
        try:
            record = json.loads(line)
            records.append({name: record[name] for name in ("rel_path", "caption", "status")})
        except (ValueError, TypeError, KeyError):
            bad += 1
    return records, bad


def repeated_journal() -> tuple[bytes, bytes]:
    """Return a journal that is worth compacting, longer than any buffer, and what must become of it."""
    lines = [
        json.dumps(
            {
                "rel_path": f"{number % 60}.jpg",
                "caption": f"é {number} " + "x" * 60,
                "status": "success",
                "extra": [number],
            }
        )
        for number in range(150)
    ]
    old = "\n".join([*lines[:70], '{"rel_path": "torn', *lines[70:]]).encode()
    return old, ("\n".join(lines[90:]) + "\n").encode()
