"""What all tests share: a small real photo library, and the product as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, settings
from PIL import Image, ImageDraw

# Threads of OpenMP that wait by spinning take the tiny models' time five times over on two busy cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Whoever started the tests may ignore signals (`nohup pytest &` ignores two), and processes inherit that. A handler goes
# with exec, so that processes of the tests begin as a user's do, and the tests themselves end no sooner than before.
for _number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:  # those two are Python's own doing
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)
signal.pthread_sigmask(signal.SIG_SETMASK, ())

# Hypothesis otherwise takes an example of over 200 ms for a failure, which on a busy machine any can be.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

pytest.register_assert_rewrite("tests.helpers")  # so that an assertion there says as much as one in a test

ROOT = Path(__file__).resolve().parent.parent
_CORPORA = ROOT.parent / "shared" / "corpora"


def draw(path: Path, *, size: tuple[int, int] = (96, 64), shade: int = 90) -> Path:
    """Write a small picture with a bright corner at its top left; the extension names the format.

    The colour of the opposite corner comes from its name, because photos of the same content are captioned only once.
    """
    image = Image.new("RGB", size, (shade, 120, 160))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, size[0] // 4, size[1] // 4), fill=(250, 240, 30))
    own = crc32("/".join(path.parts[-3:]).encode("utf-8", "surrogatepass")).to_bytes(4)
    pen.rectangle((size[0] * 5 // 6, size[1] * 3 // 4, *size), fill=tuple(own[:3]))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


PATIENCE = 180.0
"""Seconds after which what has not come counts as what never will: on a machine that does much else, all takes long."""


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait until `condition()` is true; a test that waits in vain fails."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


class Product:
    """caption.py as users have it: a process in a folder of its own."""

    def __init__(self, folder: Path, photos: Path) -> None:
        self.folder = folder
        self.photos = photos
        self.journal = folder / "captions.jsonl"
        self.env = {k: v for k, v in os.environ.items() if k != "PHOTOS_DIR" and not k.endswith("_API_KEY")}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "caption.py"), *arguments]

    def call(
        self, *arguments: str, code: int = 0, timeout: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        """Run the program to the end; see `complete`."""
        return self.complete(self.command(*arguments), code=code, timeout=timeout)

    def complete(
        self, command: list[str], code: int = 0, timeout: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to the end; the exit code must be `code`, and no traceback may show."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr + done.stdout
        return done

    def run(self, *arguments: str, code: int = 0, timeout: float = PATIENCE) -> str:
        """`run` with the mock over the library; return what it said."""
        return self.call(
            "run",
            "--backend",
            "mock",
            "--photos-dir",
            str(self.photos),
            *arguments,
            code=code,
            timeout=timeout,
        ).stderr

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `run` with the mock over the library."""
        return self.popen("run", "--backend", "mock", "--photos-dir", str(self.photos), *arguments)

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the product in a process group of its own."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.env,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def finish(self, process: subprocess.Popen[str], seconds: float = PATIENCE) -> tuple[int, str]:
        """Wait for a started process; return its exit code and what it said."""
        try:
            _, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        assert "Traceback" not in said
        return process.returncode, said

    def lines(self) -> list[dict[str, Any]]:
        """Return the journal's lines; each must be a whole one."""
        if not self.journal.exists():
            return []
        text = self.journal.read_bytes()
        assert not text or text.endswith(b"\n")
        return [json.loads(line) for line in text.splitlines()]

    def records(self) -> dict[str, dict[str, Any]]:
        """Return the last record of every photo."""
        return {line["rel_path"]: line for line in self.lines()}

    def line_count(self) -> int:
        return self.journal.read_bytes().count(b"\n") if self.journal.exists() else 0


OK, BROKEN, VIDEO = 10, 1, 1
"""How many of the library's files can be captioned, are broken, are videos."""
ALL = OK + BROKEN + VIDEO


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A library: ten pictures in three folders, a broken one, a video, and a file that is no photo."""
    root = tmp_path / "photos"
    for number in range(7):
        draw(root / "2023" / f"IMG_{number:04}.JPG", shade=20 * number)
    draw(root / "2024" / "Screenshot 1.png")
    draw(root / "2024" / "IMG_0008.webp")
    draw(root / "cover.bmp")
    whole = draw(root / "2024" / "whole.jpg", size=(400, 300)).read_bytes()
    (root / "2024" / "whole.jpg").unlink()
    (root / "2024" / "IMG_0009.JPG").write_bytes(whole[: len(whole) // 2])
    (root / "2024" / "IMG_0010.MOV").write_bytes(b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + bytes(100))
    (root / "notes.txt").write_text("not a photo")
    return root


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a journal may be written."""
    return tmp_path / "captions.jsonl"


@pytest.fixture
def product(tmp_path: Path, photos: Path) -> Product:
    folder = tmp_path / "work"
    folder.mkdir()
    return Product(folder, photos)


@pytest.fixture
def corpora() -> Path:
    """The shared real files; only this project's own workplaces have them."""
    if not _CORPORA.is_dir():
        pytest.skip("../shared/corpora is not here: real files of many formats, shared beside the project")
    return _CORPORA
