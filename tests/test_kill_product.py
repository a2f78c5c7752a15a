"""Kills the whole product again and again until it has finished."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from journal import CaptionJournal
from tests.conftest import ROOT
from tests.helpers.crashes import parsed, repeated_journal, shim

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["shim"]  # fixtures

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
]
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
        # The comment makes every file another photo: as JPEGs some colours come out as the same bytes.
        Image.new("RGB", (48, 32), (number, 200 - number, 90)).save(place, comment=str(number))
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
