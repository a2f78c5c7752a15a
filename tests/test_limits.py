"""Limits of open files and disks that fail in the middle: one sentence, exit 1, and nothing lost or blamed on a photo."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from engines.threads import cores
from tests.conftest import PATIENCE, ROOT
from tests.helpers.pixel_reports import report_command
from tests.helpers.provider import DIALECTS, KEYS, Provider, Reply

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Product

NEEDED = 64 + 8 * cores()
FILES = (
    "cluster_export.csv",
    "cluster_report.md",
    "cluster_report.html",
    "cluster_export.parquet",
    "last_report.json",
)
REFUSALS = ("ENOSPC", "EDQUOT", "EROFS", "EACCES")

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
            if held or when(*arguments):  # again and again: what was open closes
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
        left = [int(os.environ["SKIPPED"])]
        def counted(*_):
            left[0] -= 1
            return left[0] < 0
        before(socket, "create_connection", counted)
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
def replace(old, new):
    refuse(new)
    return real_replace(old, new)
io.open = builtins.open = open_
os.write, os.replace = write, replace
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


@pytest.mark.parametrize("limit", [6, 13, 20, NEEDED - 1, NEEDED])
def test_a_low_limit_of_open_files(product: Product, limit: int) -> None:
    assert limited(product, product.command("--help"), limit, limit).returncode == 0
    for command in (caption(product), report_command(product)):
        done = limited(product, command, limit, limit)
        assert done.returncode == (0 if limit >= NEEDED else 1), done.stderr
        assert ("raise the limit with `ulimit -n 4096`" in done.stderr) == (limit < NEEDED)
        assert len(done.stderr.splitlines()) == 1 or limit >= NEEDED
    assert len(product.records()) == (12 if limit >= NEEDED else 0)
    assert bool(made(product)) == (limit >= NEEDED)


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
    said = product.run(code=1)
    assert "raise the limit with `ulimit -n 4096`" in said.splitlines()[-1]
    assert "nothing that was written is lost" in said.splitlines()[-1]
    assert product.lines() == []
    del product.env["PYTHONPATH"]
    product.run()
    assert len(product.lines()) == 12


@pytest.mark.parametrize(
    "moment",
    [
        "walk",
        "decoders",
        "start",
        "captions.jsonl",
        "thumbnails",
        "page.css",
        *(f"{name}.tmp" for name in FILES[:3]),
    ],
)
def test_a_report_that_may_open_no_more_files(product: Product, shim: Path, moment: str) -> None:
    product.run()
    shim.write_text(FULL)
    product.env["MOMENT"] = moment
    said = product.complete(report_command(product), 1).stderr
    assert "raise the limit with `ulimit -n 4096`" in said.splitlines()[-1]
    assert not list(product.folder.rglob("*.tmp"))
    del product.env["PYTHONPATH"]
    said = product.complete(report_command(product), 0).stderr
    assert len(made(product)) == len(FILES)
    assert "10 thumbnails" in said


@pytest.mark.parametrize("skipped", [0, 2])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_connection_that_may_not_be_opened_is_no_photos_error(
    product: Product, shim: Path, dialect: str, skipped: int
) -> None:
    shim.write_text(FULL)
    product.env |= {"MOMENT": "connection", "SKIPPED": str(skipped), KEYS[dialect]: "sk-0123456789"}
    with Provider(dialect).serve() as provider:
        flags = ["--backend", dialect, "--base-url", provider.base_url, "--photos-dir", str(product.photos)]
        # Four calls at once take four connections; none or two of them get through.
        provider.script = lambda number, request: Reply(delay=1.0, body=provider.good().body)
        said = product.complete(product.command("run", *flags, "--max-workers", "4"), 1).stderr
        assert "raise the limit with `ulimit -n 4096`" in said.splitlines()[-1]
        assert {record["status"] for record in product.lines()} <= {"success", "error_corrupt"}
        del product.env["PYTHONPATH"]
        provider.script = lambda number, request: None
        product.call("run", *flags)
    assert sum(record["status"] == "success" for record in product.records().values()) == 10


def test_a_worker_that_may_open_no_more_files_leaves_the_photo_open(product: Product, shim: Path) -> None:
    shim.write_text(FULL)
    product.env["MOMENT"] = "start"
    photo = str(product.photos / "cover.bmp")
    program = f"from engines.ray.workers import DecodingWorker\nprint(repr(DecodingWorker(64, 1).load({photo!r})[0].verdict))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=product.env, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("UnavailableImageError(")
    assert "too many files are open" in done.stdout


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_disk_that_fails_in_the_middle_of_a_run(product: Product, shim: Path, refusal: str) -> None:
    shim.write_text(REFUSING)
    product.env |= {"REFUSAL": refusal, "WHERE": "captions.jsonl", "SKIPPED": "1"}
    # A caption at a time, since what is ready together is written together.
    last = product.run("--mock-latency", "0.3", code=1).splitlines()[-1]
    assert f"{product.journal} cannot be written, " in last
    assert last.endswith("and run the same command again; nothing that was written is lost.")
    assert 1 <= len(product.lines()) < 12
    before = product.journal.read_bytes()
    del product.env["PYTHONPATH"]
    product.run()
    assert product.journal.read_bytes().startswith(before)
    assert sum(record["status"] == "success" for record in product.lines()) == 10
    assert len(product.lines()) == 12


@pytest.mark.parametrize(
    ("where", "refusal"),
    [*((where, "ENOSPC") for where in ("thumbnails/", *FILES)), *((FILES[0], each) for each in REFUSALS[1:])],
)
def test_a_disk_that_fails_in_the_middle_of_a_report(
    product: Product, shim: Path, refusal: str, where: str
) -> None:
    product.run()
    product.complete(report_command(product), 0)
    before = made(product)
    shutil.rmtree(product.folder / "cluster_report_files")
    shim.write_text(REFUSING)
    product.env |= {"REFUSAL": refusal, "WHERE": where}
    last = product.complete(report_command(product), 1).stderr.splitlines()[-1]
    assert where in last
    assert f"cannot be written ({os.strerror(getattr(errno, refusal))})" in last
    assert "free the disk, or give another --out-dir" in last
    assert made(product) == before
    assert not list(product.folder.rglob("*.tmp"))
    del product.env["PYTHONPATH"]
    assert "10 thumbnails" in product.complete(report_command(product), 0).stderr
    assert made(product) == before


@pytest.mark.parametrize("where", ["pictures.index", ".cluster_cache", "cluster_report.log"])
@pytest.mark.parametrize("refusal", ["ENOSPC", "EROFS"])
def test_a_cache_that_cannot_be_written_costs_no_report(
    product: Product, shim: Path, refusal: str, where: str
) -> None:
    shim.write_text(REFUSING)
    # The log is opened before; each of its lines is lost.
    product.env |= {"REFUSAL": refusal, "WHERE": where, "SKIPPED": str(int(where.endswith(".log")))}
    said = product.complete(report_command(product), 0).stderr
    assert ("cannot be written" in said) == (not where.endswith(".log"))
    assert len(made(product)) == len(FILES)
