"""
Measures whole runs over large photos: on all cores against one core, and against a bare pool that only decodes.

Every number is a process's wall time. "a photo" leaves out the fixed cost, which a run over one photo shows: start-up
of the interpreter, the imports and the children, on both sides. "cpu ms" is the work of all processes for a photo,
which other programs on the machine disturb less than the wall time.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median

from make_photos import make_library
from processes import CORES, Took, bare_pool, product


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few photos, one round")
    options = parser.parse_args()
    count, rounds = (8, 1) if options.quick else (options.photos, options.rounds)
    runs: dict[tuple[str, int, int], list[Took]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        many, one = Path(folder, "many"), Path(folder, "one")
        make_library(many, count, distinct=1 if options.quick else 4, folders=4)
        make_library(one, 1, distinct=1)
        product(one)  # warm-up: compiled modules and the disk's cache
        bare_pool(one)
        for _ in range(rounds):
            for cores in (len(CORES), 1):
                for name, run in (("product", product), ("bare pool", bare_pool)):
                    runs[name, cores, count].append(run(many, cores=cores))
                    runs[name, cores, 1].append(run(one, cores=cores))
    wall = {key: median(took.wall for took in tooks) for key, tooks in runs.items()}
    cpu = {key: median(took.cpu for took in tooks) for key, tooks in runs.items()}
    print(f"{count} photos of 12 MP to 1024 px, medians of {rounds} interleaved rounds")
    print(
        f"{'':<10} {'cores':>5} {'run, s':>8} {'1 photo, s':>11} {'ms a photo':>11} {'cpu ms':>7} {'photos/s':>9}"
    )
    rate: dict[tuple[str, int], float] = {}
    for name, cores, photos in runs:
        if photos == 1:
            continue
        run_s, fixed = wall[name, cores, count], wall[name, cores, 1]
        rate[name, cores] = (count - 1) / (run_s - fixed)
        work = (cpu[name, cores, count] - cpu[name, cores, 1]) / (count - 1)
        print(
            f"{name:<10} {cores:>5} {run_s:>8.2f} {fixed:>11.2f} {1e3 / rate[name, cores]:>11.2f} "
            f"{work * 1e3:>7.2f} {rate[name, cores]:>9.1f}"
        )
    cores = len(CORES)
    for name in ("product", "bare pool"):
        whole = wall[name, 1, count] / wall[name, cores, count]
        print(
            f"{name}, {cores} cores against 1: {whole:.2f}x whole run, "
            f"{rate[name, cores] / rate[name, 1]:.2f}x by the photo (target 1.8)"
        )
    whole = wall["product", cores, count] / wall["bare pool", cores, count]
    print(
        f"product / bare pool, {cores} cores: {whole:.3f} whole run, "
        f"{rate['bare pool', cores] / rate['product', cores]:.3f} by the photo (target 1.15)"
    )


if __name__ == "__main__":
    main()
