"""
Measures the way of 12-megapixel photos to the report's model: scaled decode against full decode, and whether it waits.

There are no weights here: the model is a stand-in that does a given work on one core for each photo, or sleeps as long,
as a processor does beside a graphics card. It waits from the end of one batch to the beginning of the next, which counts
from the first batch's beginning to the last one's end; what decoding alone could do stands beside it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from make_photos import make_library, write_photo
from PIL import Image
from processes import CORES, ROOT, bind

sys.path.insert(0, str(ROOT))
from image_loader import load_image
from library.walk import walk
from report.vectors.base import Embedder
from report.vectors.cache import EmbeddingCache
from report.vectors.embed import Floats, embed_photos

if TYPE_CHECKING:
    from collections.abc import Callable

CLIP_SIDE = 448
"""What `ClipEmbedder` asks for: twice the 224 pixels of CLIP's square."""
PIXELS_SIDE = 128
_WORK = bytes(200_000)


def full(path: Path) -> None:
    """Decode as sentence-transformers does a file that it is given by name."""
    with Image.open(path) as image:
        image.convert("RGB")


def shrunk(path: Path, side: int) -> None:
    """Decode in full and shrink, with the filter of CLIP's own processor."""
    with Image.open(path) as image:
        width, height = (round(length * side / max(image.size)) for length in image.size)
        image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)


def decoding(folder: Path, rounds: int, distinct: int) -> None:
    """Print what a photo costs on one core, in alternating rounds; the first one warms up."""
    paths = [write_photo(folder / f"one {seed}.jpg", seed=seed) for seed in range(distinct)]
    ways: dict[str, Callable[[Path], object]] = {
        f"load_image to {CLIP_SIDE} px": partial(load_image, max_side=CLIP_SIDE),
        "full decode": full,
        f"full decode, shrunk to {CLIP_SIDE} px": partial(shrunk, side=CLIP_SIDE),
        f"load_image to {PIXELS_SIDE} px": partial(load_image, max_side=PIXELS_SIDE),
    }
    bind(CORES[:1])
    wall: dict[str, list[float]] = {name: [] for name in ways}
    work: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            begin, begun = time.perf_counter(), time.process_time()
            for path in paths:
                way(path)
            if number:
                wall[name].append((time.perf_counter() - begin) / len(paths))
                work[name].append((time.process_time() - begun) / len(paths))
    bind(CORES)
    ours = f"load_image to {CLIP_SIDE} px"
    print(f"one photo of 12 MP, one core, medians of {rounds} rounds; x: how much longer than {ours}")
    print(f"{'':<32} {'ms':>7} {'x':>6} {'cpu ms':>8} {'x':>6}")
    for name in ways:
        times = [(median(took[name]), median(took[name]) / median(took[ours])) for took in (wall, work)]
        print(
            f"{name:<32} "
            + " ".join(f"{1e3 * one:>{7 + i}.1f} {x:>6.2f}" for i, (one, x) in enumerate(times))
        )
    print(f"goal: full decode takes at least 3 x {ours}", flush=True)


class StandIn(Embedder):
    """Takes `seconds` of a core, or of sleep, for each picture; remembers when."""

    max_side = CLIP_SIDE
    batch_size = 32

    def __init__(self, seconds: float, *, sleeps: bool) -> None:
        self.name = "stand-in"
        self._seconds, self._sleeps = seconds, sleeps
        self.calls: list[tuple[float, float]] = []

    def images(self, pictures: list[Image.Image]) -> Floats:
        begin = time.perf_counter()
        if self._sleeps:
            time.sleep(self._seconds * len(pictures))
        else:
            end = time.thread_time() + self._seconds * len(pictures)
            while time.thread_time() < end:
                sha256(_WORK)  # without the interpreter's lock, as a model computes
        self.calls.append((begin, time.perf_counter()))
        return np.ones((len(pictures), 2), np.float32)


class Took(NamedTuple):
    """Photos a second, and the share of the time in which nothing was in the model."""

    rate: float
    waited: float


def embed(library: Path, seconds: float, *, sleeps: bool) -> Took:
    """Embed the library once, without a cache."""
    model = StandIn(seconds, sleeps=sleeps)
    photos = walk(library).photos
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        embed_photos(photos, model, EmbeddingCache(Path(folder), model.name))
        whole = time.perf_counter() - begin
    span = model.calls[-1][1] - model.calls[0][0]
    return Took(len(photos) / whole, 1 - sum(end - begin for begin, end in model.calls) / span)


def waiting(folder: Path, photos: int, milliseconds: list[int], rounds: int, distinct: int) -> None:
    """Print how long models of several speeds wait."""
    library = folder / "library"
    make_library(library, photos, distinct=distinct, folders=4)
    print(f"{photos} photos of 12 MP on {len(CORES)} cores, batches of 32, medians of {rounds} rounds")
    print(f"{'model, ms a photo':<28} {'photos/s':>9} {'the model alone':>16} {'it waits':>9}")
    ways = [(0, True), *((ms, False) for ms in milliseconds), *((ms, True) for ms in milliseconds)]
    took: dict[tuple[int, bool], list[Took]] = {way: [] for way in ways}
    for _ in range(rounds):
        for ms, sleeps in ways:
            took[ms, sleeps].append(embed(library, ms / 1e3, sleeps=sleeps))
    for (ms, sleeps), seen in took.items():
        name = f"{ms}, {'elsewhere' if sleeps else 'on a core'}" if ms else "none: decoding alone"
        rate, waited = (median(values) for values in zip(*seen, strict=True))
        alone = f"{1e3 / ms:>16.1f} {waited:>9.1%}" if ms else ""
        print(f"{name:<28} {rate:>9.1f} {alone}", flush=True)
    print("goal: no waiting where decoding on the core that is free keeps up with the model")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=256)
    parser.add_argument("--milliseconds", type=int, nargs="+", default=[25, 50, 100])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few photos, one round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.quick:
            decoding(Path(folder), 1, 1)
            waiting(Path(folder), 64, [20], 1, 1)
        else:
            decoding(Path(folder), 9, 4)
            waiting(Path(folder), options.photos, options.milliseconds, options.rounds, 4)


if __name__ == "__main__":
    main()
