"""The benchmarks still run: with small sizes, whose numbers mean nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "loader",
        "run_speed",
        "overhead",
        "memory",
        "cloud",
        "estimate_speed",
        "identity",
        "local",
        "local card",
        "embedding",
        "report_files",
        "arrivals",
        "million",
        "ray_engine",
        "page",
        "thumbnails",
        "dates",
        "events",
        "find",
    ],
)
def test_a_benchmark_prints_its_table(command: str) -> None:
    name, *arguments = command.split()
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / f"{name}.py", "--quick", *arguments],
        capture_output=True,
        text=True,
        timeout=900,  # on a busy machine
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 1
