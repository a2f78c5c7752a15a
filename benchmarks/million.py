"""
Measures how a finished library of up to a million photos is walked and resumed: seconds and peak memory of the product.

The files are tiny, in folders of 1,000; the journal has a caption of some 25 words and the content of each.
Nothing is left to do, so what a run takes is the walk, the journal and what it makes of them. The yardstick of the
same round is the least that any program must do for it: `os.walk` over the folder and `json.loads` of every line.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import NamedTuple

from make_photos import TINY, numbered, write_photo
from memory import peaks
from overhead import WORDS
from processes import ROOT, output, start

sys.path.insert(0, str(ROOT))
from library.identity import content_of_bytes

_BARE = """
import json, os, sys
paths = [os.path.join(folder, name) for folder, _, names in os.walk(sys.argv[1]) for name in names]
with open(sys.argv[2], encoding="utf-8") as file:
    records = {record["rel_path"]: record for record in map(json.loads, file)}
assert len(paths) == len(records)
"""


class Took(NamedTuple):
    seconds: float
    megabytes: float


def make(folder: Path, count: int) -> tuple[Path, Path]:
    """Make a library of `count` names and its finished journal; return both paths."""
    library, journal = folder / f"{count}", folder / f"{count}.jsonl"
    chance = random.Random(0)
    picture = write_photo(folder / f"{count}.jpg", TINY).read_bytes()
    with journal.open("w", encoding="utf-8") as file:
        for number in range(count):
            data = numbered(picture, number, number % 1000)
            place = library / f"{number // 1000:04}"
            if number % 1000 == 0:
                place.mkdir(parents=True)
            (place / f"IMG_{number:07}.jpg").write_bytes(data)
            record = {
                "rel_path": f"{place.name}/IMG_{number:07}.jpg",
                "caption": " ".join(chance.choices(WORDS, k=25)),
                "status": "success",
                "model": "mock",
                "at": f"2036-11-20T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
                "content": content_of_bytes(data),
            }
            file.write(json.dumps(record) + "\n")
    return library, journal


def measure(command: list[str]) -> Took:
    """Run the command to its end; return its seconds and the most memory it has had."""
    begin = time.perf_counter()
    megabytes, _ = peaks(start(command))
    return Took(time.perf_counter() - begin, megabytes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few files, one round")
    options = parser.parse_args()
    sizes, rounds = ([1_000, 2_000], 1) if options.quick else ([10_000, 100_000, 1_000_000], options.rounds)
    program = [sys.executable, str(ROOT / "caption.py")]
    took: dict[tuple[str, int], list[Took]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        output(start([*program, "--help"]))  # compiled modules
        for size in sizes:
            library, journal = make(Path(folder), size)
            places = ["--photos-dir", str(library), "--captions-jsonl", str(journal)]
            commands = {
                "run, nothing left": [*program, "run", "--backend", "mock", *places],
                "run --shard 2/8": [*program, "run", "--backend", "mock", "--shard", "2/8", *places],
                "estimate": [*program, "estimate", "--backend", "mock", *places],
                "stats --photos-dir": [*program, "stats", *places],
                "stats": [*program, "stats", *places[2:]],
                "os.walk and json.loads": [sys.executable, "-c", _BARE, str(library), str(journal)],
            }
            for _ in range(rounds):
                for name, command in commands.items():
                    took[name, size].append(measure(command))
    print(f"a finished library, {rounds} rounds, medians: seconds and peak MB of the process")
    print(f"{'':<24}" + "".join(f"{f'{size:,} photos':>22}" for size in sizes) + f"{'a photo more':>22}")
    for name in dict.fromkeys(name for name, _ in took):
        cells = [Took(*map(median, zip(*took[name, size], strict=True))) for size in sizes]
        more = sizes[-1] - sizes[-2]
        rise = (
            (cells[-1].seconds - cells[-2].seconds) / more,
            (cells[-1].megabytes - cells[-2].megabytes) / more,
        )
        print(
            f"{name:<24}"
            + "".join(f"{f'{cell.seconds:.2f} s {cell.megabytes:,.0f} MB':>22}" for cell in cells)
            + f"{f'{rise[0] * 1e6:.1f} us {rise[1] * 1e3:.2f} KB':>22}"
        )
    print("goal at 1,000,000: 30 s and 1,500 MB")


if __name__ == "__main__":
    main()
