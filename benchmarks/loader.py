"""Measures `load_image` on large JPEGs, in this process and on one core, against the plan's code, libvips and OpenCV."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

os.environ["VIPS_CONCURRENCY"] = "1"  # read when libvips starts

import cv2
import pyvips
from make_photos import write_photo
from PIL import Image
from processes import CORES, ROOT, bind

sys.path.insert(0, str(ROOT))
from image_loader import load_image

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = ((4032, 3024), (4000, 3000), (5472, 3648), (3264, 2448), (6000, 4000))
MAX_SIDE = 1024
_REDUCED = ((8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2))


def plan(path: Path) -> tuple[int, int]:
    """The plan's own `load_image`, word for word."""
    img: Image.Image = Image.open(path)
    img.load()
    img = img.convert("RGB")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        data = list(img.getdata())
    clean = Image.new(img.mode, img.size)
    clean.putdata(data)
    return clean.size


def ours(path: Path) -> tuple[int, int]:
    return load_image(path, MAX_SIDE).size


def vips(path: Path, side: int) -> tuple[int, int]:
    image = pyvips.Image.thumbnail(str(path), side, size="down")
    image.write_to_memory()
    return image.width, image.height


def opencv(path: Path, source: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Decode at the smallest scale that is not below `size`, then shrink to it by area."""
    flag = next((flag for scale, flag in _REDUCED if max(source) / scale >= max(size)), cv2.IMREAD_COLOR)
    image = cv2.imread(str(path), flag)
    if image is None:
        raise OSError(path)
    if image.shape[1::-1] != size:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return image.shape[1], image.shape[0]


def measure(loaders: dict[str, Callable[[], tuple[int, int]]], rounds: int) -> dict[str, tuple[float, float]]:
    """Return each loader's median seconds, wall and CPU; they take turns, so that a busy moment strikes all alike."""
    wall: dict[str, list[float]] = {name: [] for name in loaders}
    cpu: dict[str, list[float]] = {name: [] for name in loaders}
    for number in range(rounds + 1):
        for name, loader in loaders.items():
            if name == "plan" and number > 2:
                continue  # seconds each: two runs tell enough
            start, work = time.perf_counter(), time.process_time()
            loader()
            if number:  # the first round warms up
                wall[name].append(time.perf_counter() - start)
                cpu[name].append(time.process_time() - work)
    return {name: (median(wall[name]), median(cpu[name])) for name in loaders}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one size, few rounds")
    quick = parser.parse_args().quick
    cv2.setNumThreads(1)
    bind(CORES[:1])
    print(
        f"load_image to {MAX_SIDE} px on one core, medians; ratio = yardstick / load_image (above 1: we are faster)."
    )
    print('"cpu" is the work alone, which other programs on the machine disturb less than the wall time.')
    print(
        f"{'photo':>10} {'MB':>4}  {'loader':<16} {'output':>10} {'ms':>8} {'ratio':>6} {'cpu ms':>8} {'ratio':>6}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for source in SIZES[:1] if quick else SIZES:
            path = write_photo(Path(folder, f"{source[0]}.jpg"), source)
            size = ours(path)
            width, height = (round(side * MAX_SIDE / max(source)) for side in source)
            loaders: dict[str, Callable[[], tuple[int, int]]] = {
                "load_image": partial(ours, path),
                "vips 1024": partial(vips, path, MAX_SIDE),
                "opencv 1024": partial(opencv, path, source, (width, height)),
                "plan": partial(plan, path),
            }
            if size != (width, height):  # the same work as ours, where ours ends just under 1024
                loaders["vips same size"] = partial(vips, path, max(size))
                loaders["opencv same size"] = partial(opencv, path, source, size)
            took = measure(loaders, 3 if quick else 25)
            ours_wall, ours_cpu = took["load_image"]
            for name, (wall, cpu) in took.items():
                output = "{} x {}".format(*loaders[name]()) if name != "plan" else "full"
                print(
                    f"{'x'.join(map(str, source)):>10} {path.stat().st_size / 1e6:4.1f}  {name:<16} {output:>10} "
                    f"{wall * 1e3:8.1f} {wall / ours_wall:6.2f} {cpu * 1e3:8.1f} {cpu / ours_cpu:6.2f}"
                )


if __name__ == "__main__":
    main()
