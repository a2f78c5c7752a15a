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

from tests.conftest import Product, draw, wait_for


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
    sent = time.monotonic()
    ended, said = busy.finish(process)
    assert ended == code
    assert time.monotonic() - sent < 7
    assert "Go on with: uv run python" in said.splitlines()[-1]
    done = busy.records()
    assert 3 <= len(done) < 72
    busy.run()
    assert len(busy.records()) == busy.line_count() == 72
    assert {name: record["at"] for name, record in done.items()}.items() <= {
        name: record["at"] for name, record in busy.records().items()
    }.items(), "what was done is not done again"


def test_calls_in_flight_are_dropped_within_seconds(busy: Product) -> None:
    (busy.photos / "0.jpg").write_bytes(b"")  # its record tells that decoding has begun
    process = busy.start("--mock-latency", "60", "--max-workers", "4")
    wait_for(lambda: busy.line_count() == 1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    ended, _ = busy.finish(process)
    assert ended == 130
    assert time.monotonic() - sent < 9
    assert all(record["status"] == "error_corrupt" for record in busy.lines())


def test_a_second_ctrl_c_ends_at_once(busy: Product) -> None:
    (busy.photos / "0.jpg").write_bytes(b"")  # its record tells that decoding has begun
    process = busy.start("--mock-latency", "60", "--max-workers", "4")
    wait_for(lambda: busy.line_count() == 1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)  # as `uv run` passes a terminal's Ctrl-C on: not a second wish
    time.sleep(1.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    ended, _ = busy.finish(process)
    assert ended == 130
    assert time.monotonic() - sent < 2
    busy.lines()  # whole lines only


def test_a_signal_before_the_first_photo(product: Product) -> None:
    for number in range(3000):  # a walk that takes a moment
        (product.photos / f"file{number}").write_bytes(b"no picture")
    process = product.start()
    wait_for((product.folder / "captions.jsonl.lock").exists)
    process.send_signal(signal.SIGINT)
    ended, _ = product.finish(process)
    assert ended == 130
    product.run()


def test_nohup_is_obeyed(busy: Product) -> None:
    process = subprocess.Popen(
        [
            "nohup",
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
    assert process.wait(timeout=30) == 0
    assert len(busy.records()) == busy.line_count() == 72


def test_no_decoder_outlives_a_stopped_run(busy: Product) -> None:
    process = busy.start("--mock-latency", "0.1")
    wait_for(lambda: busy.line_count() >= 3)
    children = _decoders_of(process.pid)
    assert children
    process.send_signal(signal.SIGINT)
    busy.finish(process)
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children), 3)


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
    while select.select([ours], [], [], 30)[0]:
        try:
            chunk = os.read(ours, 65536)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    os.close(ours)
    assert process.wait(timeout=30) == 0
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
