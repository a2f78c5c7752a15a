"""
Measures the Ray engine against the thread engine: the same photos on the same machine, decoding and nothing else.
Tiny photos, with 16 calls in flight, then show what Ray costs a photo, and how many a second one driver can hand out.

Both run the real product with the mock. The photos/s are the product's own last line, which counts from the first
photo on; what a process takes besides is its start and end, most of it Ray's. Rounds alternate between the engines.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from make_photos import PHONE, TINY, make_library
from processes import caption_command, output, start

GOAL = 0.8


class Took(NamedTuple):
    rate: float
    besides: float


def measure(library: Path, *flags: str) -> Took:
    """Run over the library; return photos/s once started, and the seconds besides."""
    journal = library.with_name("captions.jsonl")
    journal.unlink(missing_ok=True)
    begin = time.perf_counter()
    said = output(start([*caption_command(library, journal), *flags]))
    seconds = time.perf_counter() - begin
    found = re.search(r"in ([\d.,]+) s \(", said)
    assert found, said
    working = float(found[1].replace(",", ""))
    return Took(journal.read_bytes().count(b"\n") / working, seconds - working)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument(
        "--tiny", type=int, default=5_000, help="photos of 64 x 48, which show what Ray costs a photo"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few photos, one round")
    options = parser.parse_args()
    count, tiny, rounds = (12, 12, 1) if options.quick else (options.photos, options.tiny, options.rounds)
    engines = {"threads": (), "ray": ("--ray",)}
    many = ("--max-workers", "16")
    with tempfile.TemporaryDirectory() as folder:
        for name, photos, size in (("12 MP", count, PHONE), ("64 x 48", tiny, TINY)):
            more = many if size is TINY else ()
            library = Path(folder, name.replace(" ", ""))
            make_library(library, photos, size, distinct=1 if options.quick else 4, folders=4)
            took: dict[str, list[Took]] = {engine: [] for engine in engines}
            for _ in range(rounds):
                for engine, flags in engines.items():
                    took[engine].append(measure(library, *flags, *more))
            print(f"{photos:,} photos of {name}, medians of {rounds} alternating rounds")
            rate = {engine: median(one.rate for one in took[engine]) for engine in engines}
            for engine in engines:
                besides = median(one.besides for one in took[engine])
                print(
                    f"{engine:<10} {rate[engine]:8.1f} photos/s once started, start and end {besides:5.1f} s"
                )
            ratios = [
                ray.rate / threads.rate for ray, threads in zip(took["ray"], took["threads"], strict=True)
            ]
            goal = f" (goal {GOAL})" if size is PHONE else ""
            print(
                f"{'ratio':<10} {rate['ray'] / rate['threads']:8.2f}{goal}, by the round {min(ratios):.2f} to {max(ratios):.2f}; "
                f"{1e3 / rate['ray'] - 1e3 / rate['threads']:.2f} ms a photo more"
            )


if __name__ == "__main__":
    main()
