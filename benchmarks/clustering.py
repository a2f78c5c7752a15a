"""
Measures clustering and map on vectors with known groups: time, memory, agreement with the truth, how true the map is.

Yardstick of the same run: UMAP to 5 dimensions, HDBSCAN and UMAP to 2 one after the other, with the same seed and, of
several parameters picked by hand, those that agree best with the truth. Every way runs in a process of its own, warmed up.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import hdbscan
import numpy as np
import umap
from processes import MAXRSS_MEGABYTE
from sklearn.metrics import adjusted_mutual_info_score as ami

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from report.groups.clustering import cluster  # noqa: E402 - the root is found above

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]
    Result = tuple[NDArray[np.float64], Ints, Floats]

GROUPS, BACKGROUND, DIMENSIONS = 300, 0.2, 512
HAND_PICKED = [(size, samples) for size in (15, 25, 50, 100) for samples in (5, 10)]
"""`min_cluster_size` and `min_samples`."""
SEED = 42


class Seen(NamedTuple):
    """Seconds, of all cores' work too (which bears a busy machine), peak megabytes of the process, AMI over all rows and over those of a true group, the map's trustworthiness."""

    seconds: float
    cpu: float
    megabytes: float
    ami: float
    ami_of_grouped: float
    trust: float
    groups: int
    unclustered: float


def library(rows: int, seed: int = 7) -> tuple[Floats, Ints]:
    """Return (rows, 512) unit vectors as of a picture model, and their true groups, -1 for the background.

    All share a direction, as CLIP's vectors do, themes share another, groups a third; groups differ in size by a
    hundred and in spread by two. The background has the themes' directions but no group's.
    """
    rng = np.random.default_rng(seed)
    groups = min(GROUPS, rows // 60)
    share = rng.lognormal(sigma=1.0, size=groups)
    sizes = 20 + np.floor(share / share.sum() * (rows * (1 - BACKGROUND) - 20 * groups)).astype(int)
    truth = np.concatenate([np.repeat(np.arange(groups), sizes), np.full(rows - sizes.sum(), -1)])

    def directions(count: int) -> Floats:
        drawn: Floats = rng.standard_normal((count, DIMENSIONS), dtype=np.float32)
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        return drawn

    themes = 1.0 * directions(1) + 0.7 * directions(30)
    centres = themes[rng.integers(0, 30, groups)] + 0.6 * directions(groups)
    spread = rng.uniform(0.5, 1.0, groups).astype(np.float32)
    vectors = np.empty((rows, DIMENSIONS), np.float32)
    inside = truth >= 0
    vectors[inside] = centres[truth[inside]] + spread[truth[inside], None] * directions(rows)[: inside.sum()]
    loose = rows - int(inside.sum())
    vectors[~inside] = themes[rng.integers(0, 30, loose)] + 1.0 * directions(loose)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order = rng.permutation(rows)
    return vectors[order], truth[order].astype(np.int64)


def clock() -> NDArray[np.float64]:
    """Return seconds that passed and that this process worked."""
    return np.array([time.perf_counter(), time.process_time()])


def bare(vectors: Floats, truth: Ints) -> Result:
    """Return seconds, labels and map of the yardstick; of the parameters, only the best are timed."""
    warnings.simplefilter("ignore")
    start = clock()
    space = umap.UMAP(
        n_neighbors=30, min_dist=0.0, n_components=5, metric="cosine", random_state=SEED
    ).fit_transform(vectors)
    reduced = clock()
    found = {}
    for size, samples in HAND_PICKED:
        model = hdbscan.HDBSCAN(
            min_cluster_size=size,
            min_samples=samples,
            cluster_selection_method="leaf",
            core_dist_n_jobs=1,
        )
        begun = clock()
        labels = model.fit_predict(space)
        found[size, samples] = (float(ami(truth, labels)), clock() - begun, labels)
    best = max(found, key=lambda picked: found[picked][0])
    print(
        f"hand-picked: {best}, of { {picked: round(one[0], 3) for picked, one in found.items()} }",
        file=sys.stderr,
    )
    begun = clock()
    xy = umap.UMAP(
        n_neighbors=15, min_dist=0.1, n_components=2, metric="cosine", random_state=SEED
    ).fit_transform(vectors)
    took = [reduced - start, found[best][1], clock() - begun]
    print(f"UMAP(5), HDBSCAN, UMAP(2): {', '.join(f'{one[0]:.1f} s' for one in took)}", file=sys.stderr)
    return np.sum(took, axis=0), found[best][2], xy


def ours(vectors: Floats, *, fast: bool) -> Result:
    """Return seconds, labels and map of the product."""
    start = clock()
    found = cluster(vectors, seed=SEED, fast=fast, say=lambda line: print(line, file=sys.stderr))
    return clock() - start, found.labels, found.xy


def trustworthiness(vectors: Floats, xy: Floats, neighbours: int = 15, sample: int = 1000) -> float:
    """Return how many of the map's neighbours are neighbours (Venna and Kaski 2001), over a sample against all rows."""
    rows = len(vectors)
    chosen = np.random.default_rng(0).choice(rows, min(sample, rows), replace=False)
    penalty = 0
    for row in chosen:
        away = -(vectors @ vectors[row])
        flat = ((xy - xy[row]) ** 2).sum(axis=1)
        away[row] = flat[row] = -np.inf
        near = np.argpartition(flat, neighbours)[: neighbours + 1]
        ranks = (away[:, None] < away[near]).sum(axis=0)
        penalty += int(np.maximum(ranks - neighbours, 0).sum())
    return 1 - 2 * penalty / (len(chosen) * neighbours * (2 * rows - 3 * neighbours - 1))


def measure(way: str, rows: int, *, warm: bool) -> Seen:
    """Do it once in this process, after small runs of both that compile everything."""

    def run(way: str, vectors: Floats, truth: Ints) -> Result:
        return bare(vectors, truth) if way == "bare" else ours(vectors, fast=way == "fast")

    if warm:
        small = library(4_200)  # more than UMAP compares one by one
        run("bare", *small)
        run(way, *small)
    vectors, truth = library(rows)
    seconds, labels, xy = run(way, vectors, truth)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MAXRSS_MEGABYTE
    grouped = truth >= 0
    return Seen(
        float(seconds[0]),
        float(seconds[1]),
        megabytes,
        float(ami(truth, labels)),
        float(ami(truth[grouped], labels[grouped])),
        trustworthiness(vectors, xy),
        int(labels.max()) + 1,
        float((labels < 0).mean()),
    )


def apart(way: str, rows: int, *, warm: bool) -> Seen:
    """Measure in a process of its own, whose memory is this way's alone."""
    command = [sys.executable, __file__, "--one", way, "--rows", str(rows), *([] if warm else ["--quick"])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Seen(*json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few vectors, nothing warmed up")
    parser.add_argument("--rows", type=int, nargs="+", help="how many vectors, in turn")
    parser.add_argument(
        "--ways", nargs="+", help="of bare, default, fast; all unless --quick, for fast compiles for minutes"
    )
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.rows[0], warm=not options.quick)))
        return
    asked = options.ways or (["bare", "default"] if options.quick else ["bare", "default", "fast"])
    ways = [way for way in asked if way != "fast" or importlib.util.find_spec("evoc")]
    print(f"{'vectors':>8} {'way':>8} {'s':>7} {'cpu s':>7} {'of bare':>13} {'MB':>6} {'AMI':>6} {'of grouped':>10} {'trust':>7} {'groups':>6} {'unclustered':>11}")  # fmt: skip
    for rows in options.rows or ([1_000] if options.quick else [5_000, 20_000, 44_583]):
        yardstick = (float("nan"), float("nan"))
        for way in ways:
            seen = apart(way, rows, warm=not options.quick)
            yardstick = (seen.seconds, seen.cpu) if way == "bare" else yardstick
            print(
                f"{rows:>8,} {way:>8} {seen.seconds:7.1f} {seen.cpu:7.1f} {seen.seconds / yardstick[0]:6.2f} {seen.cpu / yardstick[1]:6.2f} {seen.megabytes:6.0f} {seen.ami:6.3f} "
                f"{seen.ami_of_grouped:10.3f} {seen.trust:7.4f} {seen.groups:>6} {seen.unclustered:11.1%}",
                flush=True,
            )
    if "fast" in asked and "fast" not in ways:
        print("fast: left out, the package evoc is not installed")


if __name__ == "__main__":
    main()
