"""Measures `caption.py estimate` over a library of the owner's size, and the whole start of a program beside it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

from make_photos import PHONE, make_library
from processes import ROOT, timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=44_583)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few photos, one round")
    options = parser.parse_args()
    count, rounds = (300, 1) if options.quick else (options.photos, options.rounds)
    caption = [sys.executable, str(ROOT / "caption.py")]
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder, "photos")
        make_library(photos, count, PHONE, distinct=4, folders=100, first=4096)
        journal = ["--photos-dir", str(photos), "--captions-jsonl", str(Path(folder, "captions.jsonl"))]
        commands = {
            "estimate --backend openai": [*caption, "estimate", "--backend", "openai", *journal],
            "estimate --all": [*caption, "estimate", "--all", *journal],
            "--help": [*caption, "--help"],
        }
        took = {name: [timed(command).wall for _ in range(rounds)] for name, command in commands.items()}
        print(f"{count:,} small photos, medians of {rounds} rounds (goal: 10 s)")
        for name, seconds in took.items():
            print(f"{name:<28}{median(seconds):6.2f} s")


if __name__ == "__main__":
    main()
