"""
Measures what the product costs beside decoding: many tiny photos, a finished library, a journal of a million lines.

A tiny photo takes next to no decoding, so what a run takes longer than a bare pool on the same files is overhead:
walking, pixels over a process border, threads, records, fsync.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median

from make_photos import TINY, make_library
from processes import MAXRSS_MEGABYTE, ROOT, Took, bare_pool, output, product, start

WORDS = "a the two people dog beach garden sitting on with under red blue tree table child sky old street at of".split()
_MEASURE = """
import resource, sys, time
{load}
seconds, work = time.perf_counter() - begin, time.process_time() - work
print(len(records), seconds, work, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / {unit})
"""
_PRODUCT = f"""
sys.path.insert(0, {str(ROOT)!r})
from journal import CaptionJournal
begin, work = time.perf_counter(), time.process_time()
records = CaptionJournal(sys.argv[1]).load()
"""
_BARE = """
import json
begin, work = time.perf_counter(), time.process_time()
with open(sys.argv[1], encoding="utf-8") as file:
    records = {record["rel_path"]: record for record in map(json.loads, file)}
"""


def write_journal(path: Path, lines: int) -> None:
    """Write a journal such as a real backend makes: a caption of some 25 words for every photo."""
    chance = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for number in range(lines):
            record = {
                "rel_path": f"{1990 + number * 35 // lines}/{number // 500:04}/IMG_{number:07}.jpg",
                "caption": " ".join(chance.choices(WORDS, k=25)),
                "status": "success",
                "model": "openai/gpt-4o-mini",
                "at": f"2026-11-20T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
                "prompt": "a446fe57",
                "content": f"{2_000_000 + number}-{number * 7_919:016x}",
            }
            file.write(json.dumps(record) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=44_000)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few photos and lines, one round")
    options = parser.parse_args()
    count, lines, rounds = options.photos, options.lines, options.rounds
    if options.quick:
        count, lines, rounds = 400, 10_000, 1
    with tempfile.TemporaryDirectory() as folder:
        many, one = Path(folder, "many"), Path(folder, "one")
        make_library(many, count, TINY, distinct=50, folders=100)
        make_library(one, 1, TINY, distinct=1)
        product(one)  # warm-up: compiled modules and the disk's cache
        bare_pool(one)
        runs: dict[str, list[Took]] = defaultdict(list)
        for _ in range(rounds):
            runs["product"].append(product(many))
            runs["second run"].append(product(many, again=True))
            runs["pool"].append(bare_pool(many))
            runs["product, one"].append(product(one))
            runs["pool, one"].append(bare_pool(one))
        took = {name: median(run.wall for run in values) for name, values in runs.items()}
        work = {name: median(run.cpu for run in values) for name, values in runs.items()}
        beside, steady, steady_cpu = (
            part["product"] - part["pool"] - factor * (part["product, one"] - part["pool, one"])
            for part, factor in ((took, 0), (took, 1), (work, 1))
        )
        print(
            f"{count:,} photos of {TINY[0]} x {TINY[1]}, all cores, medians of {rounds} rounds; seconds of the process"
        )
        print(
            f"{'product':<24} {took['product']:8.2f} s, of it {took['product, one']:.2f} s for a single photo"
        )
        print(f"{'bare pool':<24} {took['pool']:8.2f} s, of it {took['pool, one']:.2f} s for a single photo")
        print(f"{'overhead':<24} {beside / count * 1e3:8.3f} ms a photo (target 1, limit 5)")
        print(
            f"{'  without start-up':<24} {steady / count * 1e3:8.3f} ms a photo, {steady_cpu / count * 1e3:.3f} ms of work on any core"
        )
        print(
            f"{'second run, all done':<24} {took['second run']:8.2f} s (target 3), {work['second run']:.2f} s of work"
        )
        journal = Path(folder, "million.jsonl")
        write_journal(journal, lines)
        print(f"a journal of {lines:,} lines, {journal.stat().st_size / 1e6:,.0f} MB, in a fresh process")
        figures: dict[str, list[list[float]]] = {"CaptionJournal.load": [], "json.loads into a dict": []}
        for _ in range(rounds):
            for name, load in zip(figures, (_PRODUCT, _BARE), strict=True):
                text = output(
                    start(
                        [sys.executable, "-c", _MEASURE.format(load=load, unit=MAXRSS_MEGABYTE), str(journal)]
                    )
                )
                figures[name].append([float(word) for word in text.split()])
        for name, rows in figures.items():
            records, seconds, work_s, megabytes = (median(values) for values in zip(*rows, strict=True))
            print(
                f"{name:<24} {seconds:8.2f} s ({work_s:.2f} s of work) {megabytes:8,.0f} MB peak, {records:,.0f} records (targets 6 s, 600 MB)"
            )


if __name__ == "__main__":
    main()
