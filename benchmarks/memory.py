"""Measures whether a run's memory stays the same as the library grows: the peak of the parent, and of the whole tree."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from make_photos import make_library
from processes import caption_command, output, product, start

if TYPE_CHECKING:
    import subprocess

INTERVAL = 0.02
SIZE = (2016, 1512)
"""Of 5,000 photos that all differ; of 12 megapixels they would fill a disk."""


def kilobytes(pid: int, field: str) -> int:
    """Return a field of /proc/PID/status; 0 once the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), 0)


def children(pid: int) -> list[int]:
    """Return the children of every thread of the process (a decoding child belongs to the thread that started it)."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:
            continue
    return found


def peaks(process: subprocess.Popen[str]) -> tuple[float, float]:
    """Return the peak megabytes of the process, and of it and its children at one moment (shared pages count twice)."""
    parent = tree = 0
    while process.poll() is None:
        parent = max(parent, kilobytes(process.pid, "VmHWM"))
        tree = max(tree, sum(kilobytes(pid, "VmRSS") for pid in (process.pid, *children(process.pid))))
        time.sleep(INTERVAL)
    output(process)
    return parent / 1024, tree / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few photos")
    quick = parser.parse_args().quick
    if not Path("/proc").is_dir():
        parser.error("this system has no /proc, where the memory of other processes stands: use Linux.")
    counts = (8, 24) if quick else (500, 5_000)
    print(f"{'photos of 3 MP':>15} {'parent, MB':>11} {'all, MB':>9}")
    seen = []
    with tempfile.TemporaryDirectory() as folder:
        make_library(Path(folder, "one"), 1, SIZE, distinct=1)
        product(Path(folder, "one"))  # compiles the modules, which takes memory of its own
        for count in counts:
            library = Path(folder, str(count))
            make_library(library, count, SIZE, distinct=1 if counts[0] == 8 else 4, folders=10)
            seen.append(peaks(start(caption_command(library, Path(folder, f"{count}.jsonl")))))
            print(f"{count:>15,} {seen[-1][0]:>11.0f} {seen[-1][1]:>9.0f}")
    (parent, tree), (large_parent, large_tree) = seen
    print(f"{'ratio':>15} {large_parent / parent:>11.2f} {large_tree / tree:>9.2f} (target 1.2)")


if __name__ == "__main__":
    main()
