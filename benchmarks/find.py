"""
Measures `caption.py find`: making its index, then the work of a search whose index is up to date, beside imports and models.

    uv run --extra dev python benchmarks/find.py [--photos 44583] [--recall ../shared/corpora/photos]

Times are those of the processor, so that other work on the machine does not count. Captions are drawn words, a few of them very common; vectors are noise of CLIP's size, and so is that of the query. The yardstick
looks for the same words in captions that are in memory already, one after the other, and multiplies the same vectors as floats.

With `--recall` also how many photos of a label are among the first (as many as have it), for each label of a folder as that
of names.py. CLIP's weights are not part of this project, so there the pictures' vectors are made from the labels: a direction
for each kind of thing, one for each label, and noise.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import numpy as np
from names import THINGS
from names import captions as said_of
from numpy.typing import NDArray
from processes import MAXRSS_MEGABYTE, ROOT

sys.path.insert(0, str(ROOT))
from journal import CaptionJournal
from report.files.table import COLUMNS
from report.vectors.cache import CHUNK, EmbeddingCache
from report.vectors.embed import unit
from search.find import Asked, find
from search.kept import with_index
from search.pictures import open_pictures
from search.query import span_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from search.index import Index

PHOTOS, WIDTH = 44_583, 512
QUERIES = {
    "a common word": "0",
    "two common words": "0 1",
    "four words": "0 7 40 300",
    "a rare word": "3999",
    "no photo has all": "3 3999 3998 3997",
    "words and a month": "0 7 july 2019",
    "a month": "july 2019",
    "a phrase": '"0 1" 2',
}
"""Numbers of up to four digits, but for the year, stand for words; the lower the more common."""
Floats = NDArray[np.float32]


def spelled(number: int) -> str:
    """Return a word for a number: three syllables, so that no word begins another."""
    syllables = (number // 85**place % 85 for place in range(3))
    return "".join("bdfgklmnprstvzhjw"[one // 5] + "aeiou"[one % 5] for one in syllables)


def make(folder: Path, photos: int) -> None:
    """Write a journal, a report's table and its vectors."""
    rng = np.random.default_rng(1)
    share = 1 / np.arange(9, 4009)  # the most common word is in a quarter of the captions
    with (
        (folder / "captions.jsonl").open("w") as journal,
        (folder / "cluster_export.csv").open("w", newline="") as file,
    ):
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for start in range(0, photos, CHUNK * 100):
            words = rng.choice(4000, (min(CHUNK * 100, photos - start), 15), p=share / share.sum())
            for number, line in enumerate(words.tolist(), start):
                path = f"{2010 + number % 12}/{number % 365}/IMG_{number:07}.jpg"
                said = " ".join(map(spelled, line))
                journal.write(json.dumps({"rel_path": path, "caption": said, "status": "success"}) + "\n")
                table.writerow(
                    {
                        "rel_path": path,
                        "cluster_id": number % 300,
                        "cluster_label": "x",
                        "group_name": f"Group g{number % 300}",
                        "taken_at": f"{2010 + number % 12}-{number % 11 + 1:02}-{number % 27 + 1:02}",
                        "taken_from": "exif",
                    }
                )
    cache = EmbeddingCache(folder / ".cluster_cache", "noise 448px")
    for start in range(0, photos, CHUNK):
        numbers = range(start, min(start + CHUNK, photos))
        keys = [(f"{2010 + number % 12}/{number % 365}/IMG_{number:07}.jpg", 1, 1) for number in numbers]
        cache.put(keys, rng.standard_normal((len(keys), WIDTH), np.float32).astype(np.float16))
    cache.flush()


def measure(folder: Path) -> None:
    """Print how long each query takes; run in a separate process."""
    text = unit(np.random.default_rng(2).standard_normal((1, WIDTH), np.float32))[0]
    journal = CaptionJournal(folder / "captions.jsonl")

    def seconds(query: str, vector: Floats | None) -> float:
        def use(index: Index, own: Path | None) -> None:
            index.catch_up(journal, folder / "cluster_export.csv")
            cache = EmbeddingCache(folder / ".cluster_cache", "noise 448px")
            pictures = open_pictures(index, own, cache) if vector is not None else None
            find(
                index,
                Asked(re.sub(r"(?<!july )\d+", lambda number: spelled(int(number[0])), query)),
                pictures,
                vector,
            )

        begin = time.process_time()
        with_index(journal, use, print)
        return time.process_time() - begin

    made = seconds("0", text)
    found = {name: [[seconds(query, vector) for _ in range(3)] for vector in (None, text)] for name, query in QUERIES.items()}  # fmt: skip
    print(json.dumps({"made": made, "memory": peak(), "found": found}))


def peak() -> float:
    """Return this process's most memory in MB; on Linux `ru_maxrss` is at least that of the process that started it."""
    with suppress(OSError):
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MAXRSS_MEGABYTE


def yardstick(folder: Path) -> tuple[float, float]:
    """Return the seconds of a scan of the captions for two words, and of a product of the vectors."""
    captions = [entry["caption"] or "" for entry in CaptionJournal(folder / "captions.jsonl").load().values()]
    rows = np.concatenate(
        [part for _, part in EmbeddingCache(folder / ".cluster_cache", "noise 448px").chunks()]
    )
    floats = rows.astype(np.float32)

    def best(work: Callable[[], object]) -> float:
        times = []
        for _ in range(3):
            begin = time.process_time()
            work()
            times.append(time.process_time() - begin)
        return min(times)

    two = spelled(0), spelled(1)
    scan = best(lambda: [one for one in captions if two[0] in one.lower() and two[1] in one.lower()][:20])
    return scan, best(lambda: np.argsort(-(floats @ floats[0]))[:20])


def recall(photos: Path) -> dict[str, float]:
    """Return the share of the photos of a label that are among the first, on average over the labels."""
    with (photos / "labels.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    truth = {line["file"]: line["class"] for line in lines}
    rng = np.random.default_rng(3)
    directions: dict[str, Floats] = defaultdict(lambda: rng.standard_normal(WIDTH, np.float32))
    noise = 3.6 * rng.standard_normal((len(truth), WIDTH), np.float32)
    kinds = [label.partition("/")[0] for label in truth.values()]
    rows = unit(np.stack([directions[kind] + 0.6 * directions[label] for kind, label in zip(kinds, truth.values(), strict=True)]) + noise)  # fmt: skip
    queries = {
        label: [
            f"a photo of a {thing}"
            if "/" not in label or not label.startswith("sportscar")
            else f"{label.partition('/')[2]} {thing}"
            for thing in dict.fromkeys(THINGS[label].split("|"))
        ]
        for label in THINGS
        if label in set(truth.values())
    }
    shares: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal = CaptionJournal(folder / "captions.jsonl")
        journal.path.write_text(
            "".join(
                json.dumps({"rel_path": path, "caption": caption, "status": "success"}) + "\n"
                for path, caption in said_of(lines).items()
            )
        )
        cache = EmbeddingCache(folder / ".cluster_cache", "labels 448px")
        cache.put([(path, 1, 1) for path in truth], rows.astype(np.float16))
        cache.flush()

        def use(index: Index, own: Path | None) -> None:
            index.catch_up(journal, folder / "cluster_export.csv")
            pictures = open_pictures(index, own, cache)
            for label, texts in queries.items():
                wanted = {path for path, other in truth.items() if other == label}
                kind = label.partition("/")[0]
                vector = unit((directions[kind] + 0.6 * directions[label])[None])[0]
                for text in texts:
                    for part, (by_caption, by_picture) in {"captions": (True, False), "pictures": (False, True), "joined": (True, True)}.items():  # fmt: skip
                        asked = Asked(text, None, len(wanted), by_caption)
                        found = find(index, asked, pictures, vector if by_picture else None)
                        shares[part].append(sum(one.photo.path in wanted for one in found) / len(wanted))

        with_index(journal, use, print)
    return {part: mean(values) for part, values in shares.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=PHOTOS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--recall", type=Path)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return measure(options.measure)
    if options.recall:
        for part, share in recall(options.recall).items():
            print(f"{part:10} {share:.3f} of the photos of a label are among the first")
        return None
    photos = 2_000 if options.quick else options.photos
    assert span_of("july 2019"), "dates are in English here"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, photos)
        scan, product = yardstick(folder)
        print(f"{photos:,} photos: a scan of captions in memory {1000 * scan:,.0f} ms, a product of floats and a sort {1000 * product:,.0f} ms")  # fmt: skip
        for start in ("first", "later"):
            command = [sys.executable, __file__, "--measure", str(folder)]
            said: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # fmt: skip
            print(f"{start} process: its first search {said['made']:.2f} s, {said['memory']:,.0f} MB")
        print(f"{'query':20} captions  both (ms, the middle of three)")
        for query, (alone, both) in said["found"].items():
            print(f"{query:20} {1000 * median(alone):8.0f}  {1000 * median(both):4.0f}")
    return None


if __name__ == "__main__":
    main()
