"""
Measures clustering and names against BERTopic, fed the same vectors and captions: time, agreement with the truth.

    uv run --extra report --with bertopic python benchmarks/topics.py

BERTopic has its own defaults, but for the vectors, which are given, and a seed for its UMAP. The product makes a map
and a second level of themes besides; BERTopic's terms and representative texts are its names. Every way runs in a
process of its own, warmed up by small runs of itself.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import resource
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import umap
from processes import MAXRSS_MEGABYTE, ROOT
from report_files import captions
from sklearn.metrics import adjusted_mutual_info_score as ami

sys.path.insert(0, str(ROOT))
from clustering import SEED, clock, library

from report.groups.clustering import cluster
from report.naming.names import name_shortly
from report.naming.naming import Label, name_groups
from report.naming.short import said

if TYPE_CHECKING:
    from clustering import Floats, Ints
    from numpy.typing import NDArray

WAYS = ("bertopic", "default", "fast")


class Seen(NamedTuple):
    """Seconds, of all cores' work too, peak megabytes, AMI over all rows and over those of a true group."""

    seconds: float
    cpu: float
    megabytes: float
    ami: float
    ami_of_grouped: float
    groups: int
    unclustered: float


def bertopic(vectors: Floats, texts: list[str]) -> tuple[NDArray[np.float64], Ints]:
    """Return seconds and labels of the peer."""
    warnings.simplefilter("ignore")
    peer = importlib.import_module("bertopic")  # no dependency: type checkers cannot find it
    start = clock()
    reduce = umap.UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=SEED)
    topics, _ = peer.BERTopic(umap_model=reduce).fit_transform(texts, vectors)
    return clock() - start, np.array(topics)


def ours(vectors: Floats, texts: list[str], *, fast: bool) -> tuple[NDArray[np.float64], Ints]:
    """Return seconds and labels of the product."""
    start = clock()
    found = cluster(vectors, seed=SEED, fast=fast, say=lambda line: print(line, file=sys.stderr))
    labels = {f"{row}.jpg": Label(text, "caption") for row, text in enumerate(texts)}
    names = list(labels)
    groups = name_groups(names, found.labels, found.distances, labels)
    name_shortly(groups, said(list(labels.values())), found.themes.tolist())
    return clock() - start, found.labels


def measure(way: str, rows: int, *, warm: bool) -> Seen:
    """Do it once in this process, after a small run that compiles everything."""

    def run(vectors: Floats, truth: Ints) -> tuple[NDArray[np.float64], Ints]:
        texts = captions(truth)
        return bertopic(vectors, texts) if way == "bertopic" else ours(vectors, texts, fast=way == "fast")

    if warm:
        small = library(4_200)  # more than UMAP compares one by one
        umap.UMAP(metric="cosine", random_state=SEED).fit_transform(small[0])
        run(*small)
    vectors, truth = library(rows)
    seconds, labels = run(vectors, truth)
    grouped = truth >= 0
    return Seen(
        float(seconds[0]),
        float(seconds[1]),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MAXRSS_MEGABYTE,
        float(ami(truth, labels)),
        float(ami(truth[grouped], labels[grouped])),
        int(labels.max()) + 1,
        float((labels < 0).mean()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few vectors, nothing warmed up, without fast")
    parser.add_argument("--rows", type=int, nargs="+", help="how many vectors, in turn")
    parser.add_argument("--ways", nargs="+", choices=WAYS, help="all unless --quick")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.rows[0], warm=not options.quick)))
        return
    needs = {"bertopic": "bertopic", "fast": "evoc"}
    asked = options.ways or (WAYS[:2] if options.quick else WAYS)
    ways = [way for way in asked if importlib.util.find_spec(needs.get(way, "umap"))]
    print(f"{'vectors':>8} {'way':>8} {'s':>7} {'cpu s':>7} {'of BERTopic':>13} {'MB':>6} {'AMI':>6} {'of grouped':>10} {'groups':>6} {'unclustered':>11}")  # fmt: skip
    for rows in options.rows or ([1_000] if options.quick else [5_000, 20_000, 44_583]):
        peer = float("nan"), float("nan")
        for way in ways:
            command = [sys.executable, __file__, "--one", way, "--rows", str(rows)]
            if options.quick:
                command.append("--quick")
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            seen = Seen(*json.loads(done.stdout.splitlines()[-1]))
            peer = (seen.seconds, seen.cpu) if way == "bertopic" else peer
            print(
                f"{rows:>8,} {way:>8} {seen.seconds:7.1f} {seen.cpu:7.1f} {seen.seconds / peer[0]:6.2f} "
                f"{seen.cpu / peer[1]:6.2f} {seen.megabytes:6.0f} {seen.ami:6.3f} {seen.ami_of_grouped:10.3f} "
                f"{seen.groups:>6} {seen.unclustered:11.1%}",
                flush=True,
            )
    for way in set(asked) - set(ways):
        print(f"{way}: left out, the package {needs[way]} is not installed")


if __name__ == "__main__":
    main()
