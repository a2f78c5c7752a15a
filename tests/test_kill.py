"""
Proves the crash promises with real processes and real SIGKILLs, as SQLite's writecrash test does.

A process dies before, in the middle of, or after its first, second, third ... call that concerns the journal, until
one survives. "Power" deaths also take away what no fsync had made durable: bytes, new names, or both. Then the whole
product is killed again and again until it has finished.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from journal import CaptionJournal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
]

# Loaded by every Python process that has its folder on PYTHONPATH. Armed, it counts the calls that concern the
# journal and its neighbours (backups, temporary files, the folder itself; not the lock, not the log), and the chosen
# one is the last. A decoding child also loads it, but never touches the journal, so it is never counted.
SHIM = r'''
import builtins, io, os, signal, stat, tempfile
from contextlib import suppress

NAMES = "open close write fsync ftruncate link rename replace unlink chmod sendfile truncate".split()
real = {name: getattr(os, name) for name in NAMES if hasattr(os, name)}
real_open = io.open
journal = folder = mode = stash = ""
last = calls = 0
links_fail = False
PARTIAL = ("first byte", "half", "all but one")  # of a write: other calls do not count
seen = set()
descriptors = {}  # descriptor -> path
synced = {}  # inode -> how many of its bytes survive a power cut
undo = []  # how to take back the names that no fsync of the folder has made durable


def arm(path, step, how, no_links=False):
    global journal, folder, last, mode, calls, links_fail, stash
    journal = os.path.realpath(path)
    folder = os.path.dirname(journal)
    last, mode, calls, links_fail = step, how, 0, no_links
    stash = tempfile.mkdtemp(prefix="stash-", dir=os.path.dirname(folder))
    for entry in os.scandir(folder):
        if concerns(entry.path):
            synced[entry.inode()] = entry.stat().st_size


def concerns(path):
    if not journal or isinstance(path, int):
        return False
    path = os.path.abspath(os.fsdecode(path))
    return path == folder or (path.startswith(journal) and not path.endswith(".lock"))


def die():
    if mode.startswith("power"):
        if mode == "power, names lost":
            for take_back in reversed(undo):
                take_back()
        for entry in os.scandir(folder):
            if concerns(entry.path):
                kept, size = synced.get(entry.inode(), 0), entry.stat().st_size
                if size > kept:
                    os.chmod(entry.path, 0o600)
                    real["truncate"](entry.path, kept)
                    if mode == "power, zeros":  # the length survives, the bytes do not
                        real["truncate"](entry.path, size)
    os.kill(os.getpid(), signal.SIGKILL)


def count(name, whole, part=None):
    global calls
    seen.add(name)
    if mode in PARTIAL and part is None:
        return whole()
    calls += 1
    if calls != last:
        return whole()
    with suppress(OSError):
        if mode == "after":
            whole()
        elif part is not None:
            part()
    die()


def cut(data):
    size = len(data)
    return {"first byte": 1, "half": size // 2, "all but one": size - 1}.get(mode, 0)


def open_(path, flags, mode_=0o777, *, dir_fd=None):
    if not concerns(path):
        return real["open"](path, flags, mode_, dir_fd=dir_fd)
    def whole():
        new = flags & os.O_CREAT and not os.path.lexists(path)
        descriptor = real["open"](path, flags, mode_)
        descriptors[descriptor] = os.path.abspath(path)
        if new:
            synced[os.fstat(descriptor).st_ino] = 0
            undo.append(lambda: real["unlink"](path))
        return descriptor
    return count("open", whole)


def close(descriptor):
    descriptors.pop(descriptor, None)
    real["close"](descriptor)


def write(descriptor, data):
    if descriptor not in descriptors:
        return real["write"](descriptor, data)
    return count(
        "write", lambda: real["write"](descriptor, data), lambda: real["write"](descriptor, data[: cut(data)])
    )


def sendfile(out, source, offset, size):
    if out not in descriptors:
        return real["sendfile"](out, source, offset, size)
    size = min(size, os.fstat(source).st_size - offset)
    part = range(size)
    return count(
        "sendfile",
        lambda: real["sendfile"](out, source, offset, size),
        lambda: real["sendfile"](out, source, offset, cut(part)),
    )


def fsync(descriptor):
    if descriptor not in descriptors and not opened_for_reading(descriptor):
        return real["fsync"](descriptor)
    def whole():
        real["fsync"](descriptor)
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            undo.clear()
        else:
            synced[status.st_ino] = status.st_size
    return count("fsync", whole)


def opened_for_reading(descriptor):
    inode = os.fstat(descriptor).st_ino
    return bool(journal) and any(entry.inode() == inode for entry in os.scandir(folder) if concerns(entry.path))


def ftruncate(descriptor, size):
    if descriptor not in descriptors:
        return real["ftruncate"](descriptor, size)
    return count("ftruncate", lambda: real["ftruncate"](descriptor, size))


def kept(path):
    """Give the file that is about to lose its name another one, so that a power cut can bring it back."""
    if not os.path.lexists(path):
        return None
    other = os.path.join(stash, str(len(os.listdir(stash))))
    real["link"](path, other)
    return other


def link(source, target, **more):
    if not concerns(target):
        return real["link"](source, target, **more)
    def whole():
        if links_fail:
            raise PermissionError(1, "no hard links here")
        real["link"](source, target)
        undo.append(lambda: real["unlink"](target))
    return count("link", whole)


def renaming(name):
    def renamed(source, target, **more):
        if not concerns(source) and not concerns(target):
            return real[name](source, target, **more)
        def whole():
            old = kept(target)
            real[name](source, target)
            def take_back():
                real["rename"](target, source)
                if old:
                    real["rename"](old, target)
            undo.append(take_back)
        return count(name, whole)
    return renamed


def unlink(path, **more):
    if not concerns(path):
        return real["unlink"](path, **more)
    def whole():
        old = kept(path)
        real["unlink"](path)
        undo.append(lambda: real["rename"](old, path))
    return count("unlink", whole)


def chmod(path, mode_, **more):
    if not concerns(path):
        return real["chmod"](path, mode_, **more)
    return count("chmod", lambda: real["chmod"](path, mode_))


class Raw(io.FileIO):
    def write(self, data):
        return os.write(self.fileno(), bytes(data))

    def close(self):
        if not self.closed:
            descriptors.pop(self.fileno(), None)
        super().close()


def file_open(path, mode_="r", *arguments, **more):
    if mode_ != "wb" or not concerns(path):
        return real_open(path, mode_, *arguments, **more)
    def whole():
        new = not os.path.lexists(path)
        raw = Raw(path, "wb")
        descriptors[raw.fileno()] = os.path.abspath(path)
        if new:
            synced[os.fstat(raw.fileno()).st_ino] = 0
            undo.append(lambda: real["unlink"](path))
        return io.BufferedWriter(raw, 4096)
    return count("open", whole)


os.open, os.close, os.write, os.fsync, os.ftruncate = open_, close, write, fsync, ftruncate
os.link, os.rename, os.replace, os.unlink = link, renaming("rename"), renaming("replace"), unlink
os.remove, os.chmod = unlink, chmod
if "sendfile" in real:
    os.sendfile = sendfile
io.open = builtins.open = file_open
if os.environ.get("CRASH_STEP"):
    arm(os.environ["CRASH_JOURNAL"], int(os.environ["CRASH_STEP"]), os.environ["CRASH_MODE"])
'''

# Imports the journal once, then forks a victim for each order: a process a death, without a second of start-up each.
STABLE = r"""
import json, os, sys
import sitecustomize
from journal import CaptionJournal, CaptionRecord

def caption(name):
    return f"a caption for {name} " + "é🐈" * (len(name) % 5)

def write(path, photos, batch, tell):
    journal = CaptionJournal(path)
    with journal.lock():
        journal.load()
        todo = [name for name in photos if not journal.is_done(name)]
        for start in range(0, len(todo), batch):
            names = todo[start : start + batch]
            records = [CaptionRecord(rel_path=n, caption=caption(n), status="success", model="mock") for n in names]
            journal.write_many(records)
            tell("".join(f"{name}\n" for name in names))

def compact(path, photos, batch, tell):
    journal = CaptionJournal(path)
    with journal.lock():
        journal.compact()
    tell("compacted\n")

def force(path, photos, batch, tell):
    journal = CaptionJournal(path)
    with journal.lock():
        journal.set_aside()
        tell("set aside\n")
        for name in photos:
            journal.write(name, caption(name), "success", model="mock")
            tell(f"{name}\n")

for order in sys.stdin:
    order = json.loads(order)
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            sitecustomize.arm(order["path"], order["step"], order["mode"], order["no_links"])
            work = {"write": write, "compact": compact, "force": force}[order["job"]]
            work(order["path"], order["photos"], order["batch"], lambda text: os.write(theirs, text.encode()))
            sitecustomize.count("end", lambda: None)  # the power may fail when all has been said
            os.write(theirs, ("calls " + " ".join(sorted(sitecustomize.seen)) + "\n").encode())
            os._exit(0)
        finally:
            import traceback
            traceback.print_exc()
            os._exit(1)
    os.close(theirs)
    with open(ours, encoding="utf-8") as pipe:
        said = pipe.read().splitlines()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(json.dumps({"code": code, "said": said}), flush=True)
"""

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


# --- the journal's own steps -----------------------------------------------------------------------------------------

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


# --- the whole product -----------------------------------------------------------------------------------------------

PLAN_CHECK = """
import json
lines = [json.loads(l) for l in open('captions.jsonl')]
paths = [l['rel_path'] for l in lines]
assert len(paths) == len(set(paths)), 'DUPLICATES'
print(f'{len(lines)} captions, no duplicates')
"""
TOTAL = 120


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """118 tiny pictures, one of them cut off, and a video."""
    folder = tmp_path_factory.mktemp("library")
    for number in range(TOTAL - 2):
        place = folder / f"20{20 + number % 4}" / f"Straße {number:03}.{'jpg' if number % 3 else 'png'}"
        place.parent.mkdir(exist_ok=True)
        Image.new("RGB", (48, 32), (number, 200 - number, 90)).save(place)
    buffer = folder / "2020" / "whole.jpg"
    Image.effect_noise((64, 64), 80).save(buffer)
    (folder / "2020" / "cut off.jpg").write_bytes(buffer.read_bytes()[:700])
    buffer.unlink()
    (folder / "2021" / "film.mov").write_bytes(b"\0\0\0\x14ftypqt  " + bytes(64))
    return folder


class Product:
    """`caption.py run --backend mock` in a folder of its own; its processes bear a mark to be known by."""

    def __init__(self, folder: Path, library: Path) -> None:
        self.folder = folder
        self.path = folder / "captions.jsonl"
        self.library = library
        self.mark = uuid.uuid4().hex
        hidden = {"PHOTOS_DIR", "PYTHONPATH"}
        self.env = {
            name: value
            for name, value in os.environ.items()
            if name not in hidden and not name.endswith("_API_KEY")
        }
        self.env["KILL_TEST"] = self.mark

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "caption.py"), *arguments]

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command("run", "--backend", "mock", "--photos-dir", str(self.library), *arguments),
            cwd=self.folder,
            env=self.env | env,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **env: str) -> tuple[int, str]:
        process = self.start(*arguments, **env)
        _, said = process.communicate(timeout=60)
        assert "Traceback" not in said
        return process.returncode, said

    def kill(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        process.communicate()

    def raw(self) -> bytes:
        return self.path.read_bytes() if self.path.exists() else b""

    def children(self) -> list[str]:
        """Return the command lines of the processes that this product started and that still live."""
        alive = []
        for folder in Path("/proc").iterdir():
            try:
                if (
                    folder.name.isdecimal()
                    and int(folder.name) != os.getpid()
                    and self.mark.encode() in (folder / "environ").read_bytes()
                    and (folder / "stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
                ):
                    alive.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except (OSError, ValueError):
                continue
        return alive

    def check_finished(self) -> None:
        """Check that every photo has exactly one good record that counts, and says the right thing."""
        records, _ = parsed(self.path)
        found = {record["rel_path"]: record for record in records}
        photos = {path.relative_to(self.library).as_posix(): path.name for path in self.library.rglob("*.*")}
        assert len(photos) == TOTAL
        assert set(found) == set(photos)
        assert len(records) == len(found), "a photo was captioned twice"
        broken = {"2020/cut off.jpg", "2021/film.mov"}
        for rel_path, record in found.items():
            if rel_path in broken:
                assert (record["status"], record["caption"]) == ("error_corrupt", None)
            else:
                assert (record["status"], record["caption"]) == (
                    "success",
                    f"a mock caption for {photos[rel_path]}",
                )

    def check_plan(self) -> None:
        """Compact, then run the check of the plan's phase 6, word for word."""
        subprocess.run(
            self.command("compact"), cwd=self.folder, env=self.env, check=True, capture_output=True
        )
        check = [sys.executable, "-c", PLAN_CHECK]
        done = subprocess.run(check, cwd=self.folder, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == (f"{TOTAL} captions, no duplicates\n", "")


@pytest.fixture
def product(tmp_path: Path, library: Path) -> Product:
    (tmp_path / "work").mkdir()
    return Product(tmp_path / "work", library)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def wait_for_lines(product: Product, process: subprocess.Popen[str], goal: int) -> None:
    assert wait_until(lambda: product.raw().count(b"\n") >= goal or process.poll() is not None, 60)


def test_the_product_killed_again_and_again(product: Product, shim: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    deaths = torn = 0
    for turn in itertools.count():
        assert turn < 100, "the run never ends"
        before = product.raw()
        if deaths >= 7:
            code, said = product.run()
            assert code == 0, said
            break
        if turn % 3 == 0:  # at any moment, also before the first line
            process = product.start("--mock-latency", "0.02")
            time.sleep(dice.uniform(0.0, 1.5))
        elif turn % 3 == 1:  # while it is at work
            process = product.start("--mock-latency", "0.005")
            goal = before.count(b"\n") + dice.randint(1, 12)
            wait_for_lines(product, process, goal)
        else:  # in the middle of writing a line
            process = product.start(
                PYTHONPATH=str(shim),
                CRASH_JOURNAL=str(product.path),
                CRASH_STEP=str(dice.randint(1, 6)),
                CRASH_MODE="half",
            )
            process.wait(timeout=60)
        at_death = product.raw()
        product.kill(process)
        assert process.returncode in {0, -signal.SIGKILL}
        deaths += process.returncode != 0
        torn += bool(product.raw()) and not product.raw().endswith(b"\n")
        assert product.raw().startswith(at_death), "what was on disk is harmed"
        assert at_death.startswith(before), "what earlier runs wrote is harmed"
        if sys.platform == "linux":
            assert wait_until(lambda: not product.children(), 2), (
                f"outlived their parent: {product.children()}"
            )
        if process.returncode == 0:
            break
    assert deaths >= 4
    assert torn, "no line was ever torn: the test has lost its teeth"
    product.check_finished()
    _, bad = parsed(product.path)
    assert bad <= torn
    code, said = product.run()
    assert code == 0
    assert f"Skipping {TOTAL} already processed (118 success, 1 errors, 1 videos)" in said
    if bad:
        lines = "line" if bad == 1 else "lines"
        assert f"Warning: discarded {bad} malformed {lines} from captions.jsonl" in said
        assert 'to make "as many lines as photos" true' in said
    product.check_plan()
    assert product.raw().count(b"\n") == TOTAL


def test_a_journal_cut_anywhere_is_completed(product: Product) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    assert product.run()[0] == 0
    product.check_finished()
    for turn in range(3):
        raw = product.raw()
        cut = dice.randrange(len(raw))
        product.path.write_bytes(raw[:cut] + (bytes(300) if turn % 2 else b""))
        code, said = product.run()
        assert code == 0, said
        product.check_finished()
        assert product.raw().startswith(raw[:cut])
    product.check_plan()


def test_force_of_the_product_killed_at_its_first_steps(product: Product, shim: Path) -> None:
    old, _ = repeated_journal()
    backups: list[Path] = []
    for step in range(1, 9):
        for file in product.folder.glob("captions.jsonl*"):
            file.unlink()
        product.path.write_bytes(old)
        env = {"PYTHONPATH": str(shim), "CRASH_JOURNAL": str(product.path), "CRASH_STEP": str(step)}
        code, said = product.run("--force", **env, CRASH_MODE="after")
        assert code == -signal.SIGKILL, said
        backups = list(product.folder.glob("captions.jsonl.*.bak"))
        assert (backups[0] if backups else product.path).read_bytes() == old
    (backup,) = backups
    code, said = product.run()
    assert code == 0, said
    product.check_finished()
    assert backup.read_bytes() == old, "a run writes into the backup"


def test_a_second_run_is_refused_while_the_first_is_at_work(product: Product) -> None:
    first = product.start("--mock-latency", "0.5")
    assert wait_until(lambda: b"\n" in product.raw(), 30)
    code, said = product.run()
    assert code == 1
    assert f"Another run is writing {product.path}: wait until it has ended" in said
    product.kill(first)
    with CaptionJournal(product.path).lock():
        pass
