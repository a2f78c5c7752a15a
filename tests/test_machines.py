"""Other machines: containers, drives that sync nothing, paths as people type them, logs and pipes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from decoding.decoder import Decoder
from errors import UnavailableImageError
from library.memory import available_memory, total_memory
from tests.conftest import ROOT, Product, draw, wait_for
from tests.helpers.pixel_reports import report, report_command

if TYPE_CHECKING:
    from collections.abc import Callable

KILLED_FROM_OUTSIDE = """
import os, signal, sys
if "decoding.child" in sys.orig_argv:
    from PIL import Image
    real = Image.open
    def harmful(file, *arguments, **options):
        if file.read(8) == b"OOM-----":
            os.kill(os.getpid(), signal.SIGKILL)
        file.seek(0)
        return real(file, *arguments, **options)
    Image.open = harmful
"""
NO_START = """
import os, sys
if "decoding.child" in sys.orig_argv:
    tries = os.environ["TRIES"]
    with open(tries, "a") as file:
        file.write("x")
    if os.path.getsize(tries) <= int(os.environ["FAILS"]):
        sys.exit("OSError: the libraries are on a disk that is gone")
"""
NO_FOLDER_SYNC = """
import errno, os, stat
real = os.fsync
def fsync(descriptor):
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        raise OSError(int(os.environ["REFUSAL"]), "refused")
    if os.environ.get("FILES"):
        raise OSError(int(os.environ["REFUSAL"]), "refused")
    real(descriptor)
os.fsync = fsync
"""

# Every picture waits until the file GO is there.
WAITING = """
import os, sys, time
if "decoding.child" in sys.orig_argv:
    from PIL import Image
    real = Image.open
    def late(*arguments, **options):
        with open(os.environ["GO"] + ".asked", "a"):
            pass
        while not os.path.exists(os.environ["GO"]):
            time.sleep(0.02)
        return real(*arguments, **options)
    Image.open = late
"""
NO_LOCKS = """
import errno, fcntl, os
def flock(*_):
    raise OSError(getattr(errno, os.environ["REFUSAL"]), "refused")
fcntl.flock = flock
"""


@pytest.fixture
def shim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose `sitecustomize` every Python started from here runs first."""
    folder = tmp_path / "shim"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder / "sitecustomize.py"


def photo_files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_child_that_is_killed_from_outside_condemns_no_photo(product: Product, shim: Path) -> None:
    shim.write_text(KILLED_FROM_OUTSIDE)
    product.env["PYTHONPATH"] = str(shim.parent)
    (product.photos / "heavy.jpg").write_bytes(b"OOM-----" + bytes(100))
    said = product.run(code=1)
    assert "heavy.jpg" not in product.records()
    assert "heavy.jpg: its decoder was ended from outside" in said
    assert len(product.records()) == 12


def test_a_start_that_fails_is_tried_again(
    shim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim.write_text(NO_START)
    photo = str(draw(tmp_path / "a.jpg"))
    monkeypatch.setenv("TRIES", str(tmp_path / "tries"))
    monkeypatch.setenv("FAILS", "1")
    with Decoder(64) as decoder:
        assert decoder.load(photo).size == (64, 43)


def test_a_start_that_keeps_failing_says_why(
    shim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim.write_text(NO_START)
    photo = str(draw(tmp_path / "a.jpg"))
    monkeypatch.setenv("TRIES", str(tmp_path / "tries"))
    monkeypatch.setenv("FAILS", "99")
    with Decoder(64) as decoder, pytest.raises(UnavailableImageError, match="the libraries are on a disk"):
        decoder.load(photo)
    assert (tmp_path / "tries").stat().st_size == 2


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"sys/fs/cgroup/memory.max": "1073741824\n"}, 1 << 30),
        ({"sys/fs/cgroup/memory.max": "max\n"}, None),
        ({"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ({"sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n"}, 1 << 29),
        (
            {
                "proc/self/cgroup": "0::/user/job\n",
                "sys/fs/cgroup/user/memory.max": "268435456\n",
                "sys/fs/cgroup/user/job/memory.max": "max\n",
            },
            1 << 28,
        ),
        ({"sys/fs/cgroup/memory.max": "nonsense\n"}, None),
    ],
    ids=["version 2", "none", "version 1 without", "version 1", "a group around it", "nonsense"],
)
def test_the_memory_of_a_container(tmp_path: Path, files: dict[str, str], limit: int | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert total_memory(tmp_path) == (limit or physical)
    assert available_memory(tmp_path) <= total_memory(tmp_path)


def test_what_a_container_uses_is_not_free(tmp_path: Path) -> None:
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemAvailable:   16777216 kB\n")
    (group / "memory.max").write_text("1000000000")
    (group / "memory.current").write_text("400000000")
    assert available_memory(tmp_path) == 600_000_000


@pytest.mark.parametrize("refusal", ["EINVAL", "ENOTSUP", "EBADF"])
def test_a_folder_that_cannot_be_synced_is_no_trouble(product: Product, shim: Path, refusal: str) -> None:
    import errno  # noqa: PLC0415

    shim.write_text(NO_FOLDER_SYNC)
    product.env |= {"PYTHONPATH": str(shim.parent), "REFUSAL": str(getattr(errno, refusal))}
    product.run("--limit", "3")
    product.journal.write_bytes(product.journal.read_bytes() * 2)
    product.call("compact")
    assert product.line_count() == 3
    assert [path for path in product.folder.iterdir() if path.suffix == ".bak"]


def test_a_drive_that_cannot_sync_a_file_is_told_with_what_helps(product: Product, shim: Path) -> None:
    import errno  # noqa: PLC0415

    shim.write_text(NO_FOLDER_SYNC)
    product.env |= {"PYTHONPATH": str(shim.parent), "REFUSAL": str(errno.EINVAL), "FILES": "1"}
    said = product.run(code=1)
    assert "give --captions-jsonl a file on a local disk" in said
    assert not product.lines()


def test_compact_keeps_the_old_file_when_the_new_one_is_in_place(product: Product, shim: Path) -> None:
    import errno  # noqa: PLC0415

    product.run("--limit", "3")
    before = product.journal.read_bytes() * 2
    product.journal.write_bytes(before)
    shim.write_text(NO_FOLDER_SYNC)
    product.env |= {"PYTHONPATH": str(shim.parent), "REFUSAL": str(errno.EIO)}
    said = product.call("compact", code=1).stderr
    (backup,) = (path for path in product.folder.iterdir() if path.suffix == ".bak")
    assert backup.read_bytes() == before
    assert backup.name in said
    assert product.line_count() == 3


def test_the_home_folder_in_every_path(product: Product, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    product.env["HOME"] = str(home)
    product.run("--captions-jsonl=~/mine.jsonl", "--limit", "2")
    assert (home / "mine.jsonl").exists()
    product.call("compare", "~/mine.jsonl", "~/mine.jsonl")
    product.call("stats", "--captions-jsonl=~/mine.jsonl")


def test_a_report_among_the_photos_is_refused_before_anything_is_made(product: Product) -> None:
    before = photo_files(product.photos)
    folders = sorted(product.photos.rglob("*"))
    for flag in ("--out-dir", "--export-albums"):
        done = report(product, flag, str(product.photos / "report"))
        assert done.returncode == 1
        assert f"give {flag} a folder outside" in done.stderr
    assert photo_files(product.photos) == before
    assert sorted(product.photos.rglob("*")) == folders


def test_a_log_that_cannot_be_written_names_the_right_flag(product: Product) -> None:
    (product.folder / "cluster_report.log").mkdir()
    done = report(product)
    assert done.returncode == 1
    assert "give --out-dir a place" in done.stderr


def test_a_closed_pipe_is_success_only_for_what_prints(product: Product) -> None:
    product.run()
    ours, theirs = os.pipe()
    os.close(ours)
    command = product.command("stats")
    done = subprocess.run(
        command, cwd=product.folder, env=product.env, stdout=theirs, stderr=subprocess.PIPE, check=False,
        timeout=120,
    )  # fmt: skip
    os.close(theirs)
    assert (done.returncode, done.stderr) == (0, b"")
    program = textwrap.dedent(
        """
        import sys
        from cli.exit import leave
        def work():
            raise BrokenPipeError
        leave(work)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=product.env,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "saved",
    [
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace("\n", "").encode(),
    ],
    ids=["UTF-16", "UTF-16BE", "CR", "one line"],
)
def test_every_command_says_the_same_of_a_journal_in_another_form(
    product: Product, saved: Callable[[str], bytes]
) -> None:
    product.run()
    before = saved(product.journal.read_text("utf-8"))
    product.journal.write_bytes(before)
    photos = ("--photos-dir", str(product.photos))
    name = product.journal.name
    said = {
        product.run(code=1),
        product.run("--dry-run", code=1),
        product.run("--retry-status", "error_api", code=1),
        product.call("estimate", "--backend", "mock", *photos, code=1).stderr,
        product.call("stats", code=1).stderr,
        product.call("compact", code=1).stderr,
        product.call("compare", name, name, code=1).stderr,
    }
    done = report(product)
    assert done.returncode == 1
    (sentence,) = said | {done.stderr}
    assert "it is left as it is; give --captions-jsonl the file that this makes: " in sentence
    assert product.journal.read_bytes() == before
    subprocess.run(["sh", "-c", sentence.rpartition("makes: ")[2]], check=True)
    assert "12 already processed" in product.run("--captions-jsonl", "captions.fixed.jsonl")


def test_two_reports_at_once_in_one_folder(product: Product, shim: Path, tmp_path: Path) -> None:
    product.run("--limit", "6")
    go, plain = tmp_path / "go", dict(product.env)
    shim.write_text(WAITING)
    product.env |= {"PYTHONPATH": str(shim.parent), "GO": str(go)}
    first = subprocess.Popen(
        report_command(product),
        cwd=product.folder,
        env=product.env,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        wait_for(Path(f"{go}.asked").exists)
        before = sorted(path.name for path in product.folder.iterdir())
        log = (product.folder / "cluster_report.log").read_bytes()
        second = report(product)
        assert second.returncode == 1
        assert second.stderr == (
            "Another report is being written to .: wait until it has ended, or give --out-dir another folder.\n"
        )
        assert sorted(path.name for path in product.folder.iterdir()) == before
        assert (product.folder / "cluster_report.log").read_bytes() == log
        product.env = plain
        product.run("--limit", "2")  # a run beside a report is no trouble
        assert report(product, "--out-dir", str(tmp_path / "elsewhere")).returncode == 0
        assert first.poll() is None
        assert not (product.folder / "cluster_export.csv").exists()
        first.kill()  # as kill -9 does
        first.wait()
        done = report(product)
        assert done.returncode == 0, done.stderr
        assert (product.folder / "cluster_export.csv").exists()
    finally:
        go.touch()
        first.kill()
        first.wait()


@pytest.mark.parametrize("refusal", ["ENOSYS", "ENOLCK", "ENOTSUP", "EINVAL"])
def test_a_drive_without_locks_takes_a_report_but_no_journal(
    product: Product, shim: Path, refusal: str, tmp_path: Path
) -> None:
    product.run("--limit", "3")
    before = product.journal.read_bytes()
    shim.write_text(NO_LOCKS)
    product.env |= {"PYTHONPATH": str(shim.parent), "REFUSAL": refusal}
    said = product.run(code=1)
    assert "give --captions-jsonl a file on a local disk" in said
    assert "Warning" not in said
    assert product.journal.read_bytes() == before
    done = report(product, "--out-dir", str(tmp_path / "report"))
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
