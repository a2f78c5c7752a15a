"""Ctrl-C and its kin, sent to real processes in mid-run."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, Product, draw, wait_for


@pytest.fixture
def busy(product: Product) -> Product:
    for number in range(60):
        draw(product.photos / "more" / f"{number:03}.png")
    return product


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_a_signal_stops_in_good_order(busy: Product, number: signal.Signals, code: int) -> None:
    process = busy.start("--mock-latency", "0.1", "--max-workers", "2")
    wait_for(lambda: busy.line_count() >= 3)
    process.send_signal(number)
    ended, said = busy.finish(process)
    assert ended == code
    assert "Go on with: uv run python" in said.splitlines()[-1]
    done = busy.records()
    assert 3 <= len(done) < 72
    busy.run()
    assert len(busy.records()) == busy.line_count() == 72
    assert {name: record["at"] for name, record in done.items()}.items() <= {
        name: record["at"] for name, record in busy.records().items()
    }.items(), "what was done is not done again"


def test_calls_in_flight_are_dropped(busy: Product) -> None:
    (busy.photos / "0.jpg").write_bytes(b"")  # its record tells that decoding has begun
    process = busy.start("--mock-latency", "3600", "--max-workers", "4")
    wait_for(lambda: busy.line_count() == 1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    ended, said = busy.finish(process)
    assert ended == 130
    assert "Go on with" in said
    assert all(record["status"] == "error_corrupt" for record in busy.lines())


def test_a_second_ctrl_c_ends_at_once(busy: Product) -> None:
    (busy.photos / "0.jpg").write_bytes(b"")  # its record tells that decoding has begun
    process = busy.start("--mock-latency", "3600", "--max-workers", "4")
    wait_for(lambda: busy.line_count() == 1)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)  # as `uv run` passes a terminal's Ctrl-C on: not a second wish
    assert process.stderr
    while not (line := process.stderr.readline()).startswith("Stopping"):
        assert line, "it ended"
    time.sleep(1.1)  # sooner than that a second one does not count
    if process.poll() is not None:
        assert "Go on with" in busy.finish(process)[1]
        pytest.skip("The machine was so busy that the photos in flight had had their seconds before.")
    process.send_signal(signal.SIGINT)
    ended, said = busy.finish(process)
    assert ended == 130
    assert "Go on with" not in said, "photos in flight got their seconds"
    busy.lines()  # whole lines only


SLOW_DISK = """
import os, sys, time
def hook(event, args):
    if event == "os.scandir" and args[0] == os.environ["SLOW"]:
        open("scanning", "w").close()
        time.sleep(3600)
sys.addaudithook(hook)
"""


def test_a_signal_before_the_first_photo(product: Product, tmp_path: Path) -> None:
    """While the library is walked, which a slow disk makes long."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "sitecustomize.py").write_text(SLOW_DISK)
    quick = product.env
    product.env = quick | {"PYTHONPATH": str(tmp_path / "slow"), "SLOW": str(product.photos)}
    process = product.start()
    wait_for((product.folder / "scanning").exists)
    process.send_signal(signal.SIGINT)
    ended, said = product.finish(process)
    assert ended == 130
    assert "Stopped before the first photo." in said
    product.env = quick
    product.run()


def test_what_was_ignored_at_start_stays_ignored(busy: Product) -> None:
    """SIGHUP under nohup; SIGINT too where a script puts a command into the background."""
    process = subprocess.Popen(
        [
            *("bash", "-c", 'trap "" INT; exec nohup "$@"', "bash"),
            *busy.command("run", "--backend", "mock", "--photos-dir", str(busy.photos)),
            "--mock-latency",
            "0.02",
        ],
        cwd=busy.folder,
        env=busy.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: busy.line_count() >= 3)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE) == 0
    assert len(busy.records()) == busy.line_count() == 72


def test_no_decoder_outlives_a_stopped_run(busy: Product) -> None:
    process = busy.start("--mock-latency", "0.1")
    wait_for(lambda: busy.line_count() >= 3)
    children = _decoders_of(process.pid)
    assert children
    process.send_signal(signal.SIGINT)
    busy.finish(process)
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children))


def test_the_bar_in_a_terminal(busy: Product) -> None:
    """In a terminal the bar shows count, total and time left, and lines of failures stay whole above it."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [
            *busy.command("run", "--backend", "mock", "--photos-dir", str(busy.photos)),
            "--mock-latency",
            "0.03",
        ],
        cwd=busy.folder,
        env=busy.env | {"TERM": "xterm", "COLUMNS": "120"},
        stderr=theirs,
        stdout=theirs,
    )
    os.close(theirs)
    seen = b""
    while select.select([ours], [], [], PATIENCE)[0]:
        try:
            chunk = os.read(ours, 65536)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    os.close(ours)
    assert process.wait(timeout=PATIENCE) == 0
    text = seen.decode()
    assert sum("72/72 [" in line for line in text.split("\n")) == 1, "the finished bar stands once"
    assert "0/72 [00:00<?" in text
    assert "photos/s]" in text
    assert any("IMG_0009.JPG: cut short" in line.split("\r")[-1] for line in text.split("\r\n"))


def _decoders_of(parent: int) -> list[int]:
    children = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            children.append(int(status.parent.name))
    return children
