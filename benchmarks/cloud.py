"""
Measures runs against an API: a fixed latency, a latency that varies, and a server that admits only so many requests.

Yardsticks of the same run: the bound `workers / latency`, the plan's own loop, and what the server admits. Photos are
tiny, so that what is measured is the engine and the SDK, not decoding.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Self

from make_photos import TINY, make_library
from processes import ROOT, Took, output, start, timed

_PARTS = ("fixed", "varying", "storm")


class Api:
    """The server, while the block lasts; then what it saw: seconds at which requests were admitted and refused."""

    def __init__(self, *options: str) -> None:
        self.options = list(options)
        self.admitted: list[float] = []
        self.refused: list[float] = []

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / "api_server.py"), *self.options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.url = self.process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        seen = json.loads(self.process.communicate("")[0])
        first = min(seen["admitted"] + seen["refused"])
        self.admitted = [at - first for at in seen["admitted"]]
        self.refused = [at - first for at in seen["refused"]]


def product(url: str, photos: Path, workers: int) -> list[str]:
    """Return the command that captions `photos` at `url`."""
    journal = photos.with_name(f"{photos.name}.jsonl")
    journal.unlink(missing_ok=True)
    program = [sys.executable, str(ROOT / "caption.py"), "run", "--backend", "openai", "--model", "m"]
    flags = ["--base-url", url, "--max-workers", str(workers), "--captions-jsonl", str(journal)]
    return [*program, *flags, "--photos-dir", str(photos)]


def plan(url: str, photos: Path, workers: int) -> list[str]:
    """Return the command of the plan's loop over the same photos."""
    journal = photos.with_name("plan.jsonl")
    return [
        sys.executable,
        str(ROOT / "benchmarks" / "plan_loop.py"),
        str(photos),
        url,
        str(workers),
        str(journal),
    ]


def middle_rate(times: list[float]) -> float:
    """Return events a second between the first and the last tenth: once started, before the end."""
    low, high = len(times) // 10, len(times) * 9 // 10
    return (high - low) / (times[high] - times[low])


def fixed_latency(folder: Path, workers: int, photos: int, latency: float, rounds: int) -> None:
    """Print the share of `workers / latency` that a run reaches."""
    make_library(folder, photos, TINY, distinct=50, folders=10)
    rates, cores, wholes = [], [], []
    for _ in range(rounds):
        with Api("--latency", str(latency)) as api:
            took = timed(product(api.url, folder, workers))
        rates.append(middle_rate(api.admitted) / (workers / latency))
        wholes.append(photos / took.wall)
        cores.append(took.cpu / took.wall)
    print(
        f"{workers:>4} workers, {latency} s: {median(rates):6.1%} of {workers / latency:,.0f} photos/s once started "
        f"({median(wholes):,.1f} photos/s from start to end; {median(cores):.2f} cores busy)"
    )


def varying_latency(folder: Path, workers: int, photos: int, rounds: int) -> None:
    """Print how the product compares with the plan's loop when answers take 0.2 to 5 s."""
    make_library(folder, photos, TINY, distinct=50, folders=10)
    times: dict[str, list[Took]] = {"product": [], "plan": []}
    for _ in range(rounds):
        for name, command_of in (("product", product), ("plan", plan)):
            with Api("--latency", "0.2", "5") as api:
                times[name].append(timed(command_of(api.url, folder, workers)))
    ours, theirs = (photos / median(took.wall for took in times[name]) for name in ("product", "plan"))
    print(
        f"{workers:>4} workers, 0.2 to 5 s: {ours:,.1f} photos/s; the plan's loop {theirs:,.1f}: {ours / theirs:.2f} x (goal 1.3)"
    )


def storm(folder: Path, workers: int, rate: float, photos: int) -> None:
    """Print what a run gets out of a server that admits `rate` requests a second, and what it wastes."""
    make_library(folder, photos, TINY, distinct=50, folders=10)
    with Api("--latency", "0.5", "--rate", str(rate)) as api:
        output(start(product(api.url, folder, workers)))
    settled = [at for at in api.admitted if at > 30]
    wasted = len(api.refused) / (len(api.refused) + len(api.admitted))
    share = len(settled) / (max(api.admitted) - 30) / rate if settled else float("nan")
    print(
        f"{workers:>4} workers, {rate:g} requests/s admitted: {share:6.1%} of it after the first 30 s (goal 95 %), "
        f"{wasted:.1%} of all requests refused (goal under 10 %)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(_PARTS)}; all unless given")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few photos, one round")
    options = parser.parse_args()
    rounds, factor = (1, 0.05) if options.quick else (options.rounds, 1.0)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for part in options.parts or _PARTS:
            if part == "varying":
                varying_latency(root / part, 100, int(4000 * factor), rounds)
                continue
            for workers in (32, 100, 200) if part == "fixed" else (32, 200):
                library = root / f"{part}{workers}"
                if part == "fixed":
                    fixed_latency(library, workers, int(workers * 40 * factor), 0.5, rounds)
                else:
                    storm(library, workers, 20, int(2400 * factor))


if __name__ == "__main__":
    main()
