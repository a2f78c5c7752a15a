"""
Measures the report without embedding and clustering: journal, labels, names, names that stay, Markdown, CSV, Parquet.

The groups are drawn, not found. The second report inherits from the first, of which 100 photos were missing. Every round
is a process of its own, so that its peak memory is the report's.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from processes import MAXRSS_MEGABYTE, ROOT

sys.path.insert(0, str(ROOT))
from journal import CaptionJournal
from report.build import Report
from report.files.last_report import read_previous, write_last
from report.files.markdown import write_markdown
from report.files.table import make_rows, write_csv, write_parquet
from report.groups.clustering import Clusters
from report.naming.inheritance import inherit
from report.naming.names import name_shortly
from report.naming.naming import count, label_photos, name_groups
from report.naming.short import said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

PHOTOS, GROUPS, UNCLUSTERED, NEW = 44_583, 300, 0.2, 100
GOAL = 20
_FUNCTION_WORDS = "a the of in on with and at".split()


def captions(truth: Ints, seed: int = 0) -> list[str]:
    """Return a caption of some 20 words for every photo: words of its group, words of any subject, function words.

    A group has 12 words of 4,000, so that groups share some; of those a caption has 4, beside 8 of all the others.
    The background (-1) has 12 of all.
    """
    rng = np.random.default_rng(seed)
    letters = "bdfgklmnprstvz", "aeiou"
    spelled = {"".join(rng.choice(list(letters[i % 2])) for i in range(6)) for _ in range(5_000)}
    words = np.array(sorted(spelled)[:4_000])
    of_group = rng.integers(0, len(words), (int(truth.max(initial=0)) + 1, 12))
    made = []
    for group in truth.tolist():
        own = rng.choice(of_group[group], 4, replace=False) if group >= 0 else rng.integers(0, len(words), 4)
        chosen = [*words[own], *words[rng.integers(0, len(words), 8)], *rng.choice(_FUNCTION_WORDS, 8)]
        made.append(" ".join(chosen[i] for i in rng.permutation(len(chosen))) + ".")
    return made


def drawn_groups(photos: int) -> Ints:
    """Return the group of every photo, the largest first; sizes differ by a hundred."""
    rng = np.random.default_rng(7)
    groups = min(GROUPS, photos // 60)
    share = np.sort(rng.lognormal(sigma=1.0, size=groups))[::-1]
    labels = rng.choice(groups, photos, p=share / share.sum())
    labels[rng.random(photos) < UNCLUSTERED] = -1
    _, labels[labels >= 0] = np.unique(labels[labels >= 0], return_inverse=True)
    return labels.astype(np.int64)


def write_journal(path: Path, labels: Ints) -> list[str]:
    """Write a record for nearly every photo: 3 % errors, 3 % without a record. Return the rel_paths."""
    names = [
        f"{1990 + row * 35 // len(labels)}/{row // 500:04}/IMG_{row:07}.jpg" for row in range(len(labels))
    ]
    with path.open("w", encoding="utf-8") as file:
        for row, caption in enumerate(captions(labels)):
            record: dict[str, str | None] = {"rel_path": names[row], "caption": caption, "status": "success"}
            if row % 33 == 1:
                record |= {"caption": None, "status": "error_api", "error": "timeout"}
            record |= {"model": "openai/gpt-4o-mini", "at": "2026-11-20T10:00:00Z"}
            if row % 33:
                file.write(json.dumps(record) + "\n")
    return names


class Laps:
    """Seconds that passed and that this process worked, by step."""

    def __init__(self) -> None:
        self.took: dict[str, tuple[float, float]] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        wall, work = time.perf_counter(), time.process_time()
        yield
        self.took[step] = time.perf_counter() - wall, time.process_time() - work


def report(folder: Path, names: list[str], labels: Ints) -> Laps:
    """Make the files of one report into `folder`, where its journal lies."""
    rng = np.random.default_rng(1)
    groups = int(labels.max()) + 1
    distances = rng.uniform(0, 0.5, len(names)).astype(np.float32)
    nearest = np.where(labels >= 0, labels, rng.integers(0, groups, len(names)))
    themes = rng.integers(0, 14, groups).tolist()
    lap = Laps()
    with lap("journal"):
        records = CaptionJournal(folder / "captions.jsonl").load()
    with lap("labels"):
        named = label_photos(names, records)
        counts = count(named, records)
    with lap("names that stay"):
        previous, note = read_previous(folder)
        heirs = inherit(previous, names, labels, named)
        assert not note, note
    with lap("names"):
        found = name_groups(names, labels, distances, named, heirs=heirs)
        found, gathered = name_shortly(found, said([named[name] for name in names]), themes)
    with lap("Markdown"):
        nothing, xy = np.zeros((groups, 0), np.float32), rng.normal(size=(len(names), 2)).astype(np.float32)
        clusters = Clusters(labels, nothing, distances, nearest, xy, np.array(themes), "drawn", [])
        rows = make_rows(named, names, clusters, found)
        written = Report(rows, found, gathered, summary=counts.line(), method="drawn", link="../photos/")
        write_markdown(written, folder)
    with lap("CSV"):
        write_csv(written, folder)
    with lap("for the next report"):
        write_last(written, folder)
    with lap("Parquet, with its import"):
        write_parquet(written, folder)
    return lap


def one_round(folder: Path, photos: int) -> None:
    """Print, as JSON, the steps of a first report and of a second one with new photos, and the peak memory."""
    labels = drawn_groups(photos)
    names = write_journal(folder / "captions.jsonl", labels)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MAXRSS_MEGABYTE
    first = report(folder, names[:-NEW], labels[:-NEW])
    second = report(folder, names, labels)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MAXRSS_MEGABYTE
    print(json.dumps([first.took, second.took, before, peak]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=PHOTOS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few photos, one round")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    photos, rounds = (1_500, 1) if options.quick else (options.photos, options.rounds)
    if options.one:
        one_round(options.one, options.photos)
        return
    seen = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--one", folder, "--photos", str(photos)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            seen.append(json.loads(done.stdout))
    print(f"{photos:,} photos, medians of {rounds} rounds; seconds, of the process's work in brackets")
    print(f"{'':<26} {'first report':>16} {'100 photos later':>18}")
    totals = [[0.0, 0.0], [0.0, 0.0]]
    for step in seen[0][0]:
        line = f"{step:<26}"
        for number in range(2):
            wall, work = (median(one[number][step][kind] for one in seen) for kind in range(2))
            totals[number] = [totals[number][0] + wall, totals[number][1] + work]
            line += f" {wall:>{9 + 2 * number}.2f} ({work:.2f})"
        print(line)
    print(
        f"{'together':<26}"
        + "".join(f" {wall:>{9 + 2 * i}.2f} ({work:.2f})" for i, (wall, work) in enumerate(totals))
        + f"  (goal {GOAL} s)"
    )
    before, peak = (median(one[kind] for one in seen) for kind in (2, 3))
    print(f"peak memory {peak:,.0f} MB, of which {before:,.0f} MB before it began")


if __name__ == "__main__":
    main()
