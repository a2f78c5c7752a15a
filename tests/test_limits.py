"""Limits of open files and disks that fail in the middle: one sentence, exit 1, and nothing lost or blamed on a photo."""

from __future__ import annotations

import resource
import subprocess
from typing import TYPE_CHECKING

import pytest

from engines.threads import cores
from tests.conftest import PATIENCE, wait_for
from tests.provider import Provider
from tests.test_machines import report_command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Product

NEEDED = 64 + 8 * cores()
FILES = ("cluster_export.csv", "cluster_report.md", "cluster_report.html", "cluster_export.parquet")

# From the chosen moment on no file can be opened any more: what the process may open is open.
FULL = """
import builtins, io, os, resource, socket, subprocess, sys
if "decoding.child" not in sys.orig_argv:
    moment = os.environ["MOMENT"]
    held = []
    def fill():
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        try:
            while True:
                held.append(os.dup(2))
        except OSError:
            pass
    def before(owner, name, when=lambda *_: True):
        real = getattr(owner, name)
        def call(*arguments, **options):
            if not held and when(*arguments):
                fill()
            return real(*arguments, **options)
        setattr(owner, name, call)
    if moment == "walk":
        before(os, "scandir", lambda path=".": "photos" in os.fspath(path))
    elif moment == "decoders":
        before(os, "memfd_create")
    elif moment == "start":
        before(subprocess.Popen, "__init__")
    elif moment == "journal":
        before(os, "open", lambda path, flags, *_: flags & os.O_APPEND)
    elif moment == "connection":
        before(socket, "create_connection")
    else:
        for owner in (io, builtins):
            before(owner, "open", lambda path, *_: moment in str(path))
"""
# The disk says the same of every try to write a file, or to give it its name, whose path holds WHERE.
REFUSING = """
import builtins, errno, io, os, sys
number = getattr(errno, os.environ["REFUSAL"])
where, skipped = os.environ["WHERE"], int(os.environ.get("SKIPPED", 0))
def refuse(path):
    global skipped
    if where in str(path):
        skipped -= 1
        if skipped < 0:
            raise OSError(number, os.strerror(number), str(path))
real_open, real_write, real_replace = io.open, os.write, os.replace
def open_(path, mode="r", *arguments, **options):
    if set(mode) & set("wxa+"):
        refuse(path)
    return real_open(path, mode, *arguments, **options)
def write(descriptor, data):
    refuse(os.path.realpath(f"/proc/self/fd/{descriptor}"))
    return real_write(descriptor, data)
io.open = builtins.open = open_
os.write = write
"""


@pytest.fixture
def shim(tmp_path: Path, product: Product) -> Path:
    """A `sitecustomize` that every Python started by the product runs first."""
    folder = tmp_path / "shim"
    folder.mkdir()
    product.env["PYTHONPATH"] = str(folder)
    return folder / "sitecustomize.py"


def limited(product: Product, command: list[str], soft: int, hard: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=product.folder, env=product.env, capture_output=True, text=True, check=False, timeout=PATIENCE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
    )  # fmt: skip


def caption(product: Product, *arguments: str) -> list[str]:
    return product.command("run", "--backend", "mock", "--photos-dir", str(product.photos), *arguments)


def made(product: Product) -> dict[str, bytes]:
    return {name: path.read_bytes() for name in FILES if (path := product.folder / name).exists()}


@pytest.mark.parametrize("limit", [6, 9, 13, 17, 20, NEEDED - 1, NEEDED, NEEDED + 30])
def test_a_low_limit_of_open_files(product: Product, limit: int) -> None:
    assert limited(product, product.command("--help"), limit, limit).returncode == 0
    for command in (caption(product), report_command(product)):
        done = limited(product, command, limit, limit)
        assert done.returncode == (0 if limit >= NEEDED else 1), done.stderr
        assert ("raise the limit with `ulimit -n 4096`" in done.stderr) == (limit < NEEDED)
        assert len(done.stderr.splitlines()) == 1 or limit >= NEEDED
    assert len(product.records()) == (12 if limit >= NEEDED else 0)
    assert bool(made(product)) == (limit >= NEEDED)
    assert limited(product, product.command("stats"), limit, limit).returncode == (0 if limit >= NEEDED else 1)


def test_a_low_limit_that_may_be_raised_is_raised(product: Product) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for command in (caption(product), report_command(product)):
        done = limited(product, command, 16, most)
        assert done.returncode == 0, done.stderr
    assert len(product.records()) == 12


@pytest.mark.parametrize("moment", ["walk", "decoders", "start", "journal"])
def test_a_run_that_may_open_no_more_files(product: Product, shim: Path, moment: str) -> None:
    shim.write_text(FULL)
    product.env["MOMENT"] = moment
    said = product.run("--backend", "mock", code=1)
    assert "raise the limit with `ulimit -n 4096`" in said.splitlines()[-1]
    assert "nothing that was written is lost" in said.splitlines()[-1]
    assert product.lines() == []
    del product.env["PYTHONPATH"]
    product.run()
    assert len(product.lines()) == 12


@pytest.mark.parametrize(
    "moment",
    ["walk", "decoders", "start", "captions.jsonl", "thumbnails", "page.css", *(f"{name}.tmp" for name in FILES[:3])],
)
def test_a_report_that_may_open_no_more_files(product: Product, shim: Path, moment: str) -> None:
    product.run()
    shim.write_text(FULL)
    product.env["MOMENT"] = moment
    done = subprocess.run(
        report_command(product), cwd=product.folder, env=product.env, capture_output=True, text=True, check=False,
        timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 1
    assert "raise the limit with `ulimit -n 4096`" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not [path for path in product.folder.rglob("*.tmp") if "pictures.index" not in path.name]
    del product.env["PYTHONPATH"]
    done = subprocess.run(
        report_command(product), cwd=product.folder, env=product.env, capture_output=True, text=True, check=True,
        timeout=PATIENCE,
    )  # fmt: skip
    assert len(made(product)) == 4
    assert "11 thumbnails" in done.stderr or "10 thumbnails" in done.stderr
