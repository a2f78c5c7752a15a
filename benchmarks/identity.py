"""
Measures what it costs to know photos by their content: beside a decode, in a finished library, and in a moved one.

A finished library is walked twice as it is, once with contents in its journal and once without, so that the difference
is what looking for replaced photos takes. Then it is moved, and every caption is carried over.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median

from make_photos import TINY, make_library, write_photo
from processes import ROOT, caption_command, timed

sys.path.insert(0, str(ROOT))
from engines.known import find_copies
from image_loader import MAX_SIDE, decode, read_file
from journal import CaptionJournal
from library.identity import content_of, content_of_bytes
from library.walk import walk


def beside_a_decode(folder: Path, rounds: int) -> tuple[float, float]:
    """Return the seconds of a content and of reading and decoding, for one photo of 12 megapixels."""
    path = write_photo(folder / "phone.jpg")
    contents, decodes = [], []
    for _ in range(rounds):
        begin = time.perf_counter()
        data = read_file(path)
        read = time.perf_counter()
        content_of_bytes(data)
        known = time.perf_counter()
        decode(data, path, MAX_SIDE, large=nullcontext())
        contents.append(known - read)
        decodes.append(time.perf_counter() - known + read - begin)
    return median(contents), median(decodes)


def write_journal(path: Path, photos: Path, paths: list[str], *, contents: bool) -> None:
    """Write the journal of a library in which all is done."""
    with path.open("w") as file:
        for each in paths:
            record = {
                "rel_path": os.path.relpath(each, photos),
                "caption": "Two people and a dog walk along a beach under a cloudy sky.",
                "status": "success",
                "model": "mock",
                "at": f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() + 1))}",
            }
            file.write(json.dumps(record | ({"content": content_of(each)} if contents else {})) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=44_583)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few photos, one round")
    options = parser.parse_args()
    count, rounds = (300, 1) if options.quick else (options.photos, options.rounds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content, decoded = beside_a_decode(folder, 4 * rounds)
        print(
            f"a photo of 12 megapixels: its content {content * 1e3:.2f} ms, reading and decoding {decoded * 1e3:.1f} ms "
            f"({content / decoded:.2%}; goal 1 %)"
        )
        photos, journal, old = folder / "photos", folder / "new.jsonl", folder / "old.jsonl"
        paths = make_library(photos, count, TINY, distinct=50, folders=100)
        write_journal(journal, photos, paths, contents=True)
        write_journal(old, photos, paths, contents=False)
        timed(caption_command(photos, journal))  # compiled modules
        runs = {
            which: [timed(caption_command(photos, path)) for _ in range(rounds)]
            for which, path in (("contents", journal), ("none", old))
        }
        wall, work = (
            {which: median(getattr(run, field) for run in each) for which, each in runs.items()}
            for field in ("wall", "cpu")
        )
        print(
            f"{count:,} finished photos: {wall['contents']:.2f} s, {work['contents']:.2f} s of work; without contents in the "
            f"journal {wall['none']:.2f} s, {work['none']:.2f} s (goal 3 s)"
        )
        found = walk(photos).photos
        begin = time.perf_counter()
        find_copies(found, CaptionJournal(folder / "empty.jsonl"), found)
        print(f"{count:,} new photos, none of them a copy: {time.perf_counter() - begin:.2f} s to know that")
        photos.rename(folder / "parent")
        photos.mkdir()
        (folder / "parent").rename(photos / "moved")
        (photos / "moved" / "000").rename(photos / "000")
        took = timed(caption_command(photos, journal))
        lines = journal.read_text().count("copy_of")
        print(f"{lines:,} moved photos: {took.wall:.1f} s, {took.wall / max(lines, 1) * 1e3:.2f} ms each")


if __name__ == "__main__":
    main()
