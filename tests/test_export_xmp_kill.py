"""`export-xmp` killed by SIGKILL before each thing that it does to the disk: every sidecar is whole, nothing of others is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecars.words import Words, has_ours, merge, strip
from tests.conftest import ROOT, draw
from tests.helpers.foreign_xmp import foreign

# A process that has all modules loaded forks the victims, because starting Python a hundred times takes minutes.
SERVER = r"""
import json, os, signal, sys
sys.path.insert(0, sys.argv.pop())
import caption, cli.export_xmp
EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod"}
def run(step, arguments):
    calls = 0
    def die(event, args):
        nonlocal calls
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if event in EVENTS or (writes and "xmp" in os.fsdecode(args[0]) + os.getcwd()):
            calls += 1
            if calls == step:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(die)
    real = os.fsync
    os.fsync = lambda descriptor: (die("os.rename", ()), real(descriptor))
    sys.argv = ["caption.py", *arguments]
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        caption.main()
    except SystemExit as end:
        os._exit(end.code or 0)
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if not child:
        run(order["step"], order["arguments"])
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
NAMES = ("a.jpg", "b.jpg", "deep/c.jpg")
FOREIGN = {"b.jpg.xmp": foreign(24).raw}
CAPTION = "A red kayak on a lake."


class Victims:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(ROOT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def run(self, folder: Path, *flags: str, step: int = 0) -> bool:
        """Run `export-xmp` and kill it before its `step`-th deed; tell whether it was killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        arguments = ["export-xmp", "--captions-jsonl", str(folder / "captions.jsonl"), *flags]
        self._process.stdin.write(json.dumps({"step": step, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        assert code in {0, 1 if "--undo" in flags else 0, -signal.SIGKILL}
        return code == -signal.SIGKILL

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="module")
def victims() -> Iterator[Victims]:
    victims = Victims()
    yield victims
    victims.close()


def library(folder: Path) -> dict[str, bytes]:
    """Make photos, foreign sidecars and a journal; return the files of the library."""
    photos = folder / "photos"
    for name in NAMES:
        draw(photos / name)
    for name, raw in FOREIGN.items():
        (photos / name).write_bytes(raw)
    write_journal(folder, CAPTION)
    return files(photos)


def write_journal(folder: Path, caption: str) -> None:
    lines = [
        {
            "rel_path": name,
            "caption": caption,
            "status": "success",
            "model": "openai/m",
            "at": "2026-11-01T10:00:00Z",
        }
        for name in NAMES
    ]
    (folder / "captions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def expected(before: dict[str, bytes], caption: str) -> dict[str, bytes]:
    words = Words(caption, "openai/m", "2026-11-01T10:00:00Z")
    return before | {f"{name}.xmp": merge(before.get(f"{name}.xmp"), words).new for name in NAMES}


def check_whole(there: dict[str, bytes], *states: dict[str, bytes]) -> None:
    """Check that every file is as in one of the states; temporary ones, which no program looks at, may be left."""
    for name, raw in there.items():
        if not (name.rpartition("/")[2].startswith(".") and name.endswith(".tmp")):
            assert raw in [state.get(name) for state in states], name
    assert all(name in there for name in set.intersection(*map(set, states)))


def steps(folder: Path) -> Iterator[tuple[int, Path]]:
    for step in range(1, 200):
        place = folder / str(step)
        place.mkdir()
        yield step, place
        shutil.rmtree(place)
    pytest.fail("no victim ever survives")


@pytest.mark.parametrize(
    "again", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["first", "new captions"]
)
def test_an_export_killed_at_any_step(tmp_path: Path, victims: Victims, again: bool) -> None:
    for step, place in steps(tmp_path):
        flags = ("--photos-dir", str(place / "photos"))
        before = state = library(place)
        caption = CAPTION
        if again:
            victims.run(place, *flags)
            state = expected(before, CAPTION)
            assert files(place / "photos") == state
            write_journal(place, caption := "Two dogs & a cat.")
        killed = victims.run(place, *flags, step=step)
        after = expected(before, caption)
        check_whole(files(place / "photos"), state, after)
        if step % 2:
            assert not victims.run(place, *flags)
            assert files(place / "photos") == after, "the second run completes it and leaves nothing"
        victims.run(place, "--undo")
        assert files(place / "photos") == before
        if not killed:
            assert step > 5, "the hook has bitten nobody: these tests prove nothing"
            return


def test_an_undo_killed_at_any_step(tmp_path: Path, victims: Victims) -> None:
    for step, place in steps(tmp_path):
        before = library(place)
        victims.run(place, "--photos-dir", str(place / "photos"), "--into", str(place / "mirror"))
        victims.run(place, "--photos-dir", str(place / "photos"))
        killed = victims.run(place, "--undo", step=step)
        check_whole(files(place / "photos"), before, expected(before, CAPTION))
        for raw in files(place / "mirror").values():
            assert not has_ours(raw) or strip(raw)
        victims.run(place, "--undo")
        assert files(place / "photos") == before
        assert not files(place / "mirror")
        assert not (place / "mirror" / "deep").exists()
        if not killed:
            assert step > 5
            return


@pytest.mark.slow
def test_a_torn_line_of_the_list_costs_nothing(tmp_path: Path, victims: Victims) -> None:
    before = library(tmp_path)
    listed = tmp_path / "captions.sidecars.jsonl"
    victims.run(tmp_path, "--photos-dir", str(tmp_path / "photos"))
    whole = listed.read_bytes()
    for size in range(0, len(whole), 37):
        for name in set(files(tmp_path / "photos")) - set(before):
            os.unlink(tmp_path / "photos" / name)
        (tmp_path / "photos" / "b.jpg.xmp").write_bytes(FOREIGN["b.jpg.xmp"])
        listed.write_bytes(whole[:size])
        victims.run(tmp_path, "--photos-dir", str(tmp_path / "photos"))
        victims.run(tmp_path, "--undo")
        assert files(tmp_path / "photos") == before
        assert not listed.exists()
