"""Owns how much memory this process may use: the machine's, or less if a container (cgroup) limits it."""

from __future__ import annotations

import os
from pathlib import Path

_ROOT = Path("/")


def total_memory(root: Path = _ROOT) -> int:
    """Return the bytes of memory of this machine or this container; `root` is the folder with `sys` and `proc`."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *(limit for limit, _ in _limits(root))])


def available_memory(root: Path = _ROOT) -> float:
    """Return the bytes that are free without swapping; the total if the system does not say."""
    total = total_memory(root)
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return total
    free = next((float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), total)
    return max(0.0, min([free, *(limit - used for limit, used in _limits(root))]))


def _limits(root: Path) -> list[tuple[int, int]]:
    """Return limit and use of the process's control group and of its parents, for cgroup versions 2 and 1."""
    folders = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/memory"]
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        groups = []
    for line in groups:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" or "memory" in controllers.split(","):
            base = folders[0] if number == "0" else folders[1]
            inner = base / path.strip("/")
            folders += [folder for folder in (inner, *inner.parents) if folder.is_relative_to(base)]
    found = []
    for folder in dict.fromkeys(folders):
        for limit, usage in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            if bound := _number(folder / limit):
                found.append((bound, min(bound, _number(folder / usage))))
    return found


def _number(file: Path) -> int:
    """Return the number in a file; 0 if there is none, as with the word `max`."""
    try:
        return max(0, int(file.read_text()))
    except (OSError, ValueError):
        return 0
