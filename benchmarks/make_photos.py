"""Makes the photos of the benchmarks: JPEGs with the entropy of real ones, a library of them. Measures nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import ExifTags, Image

if TYPE_CHECKING:
    from pathlib import Path

PHONE = (4032, 3024)
"""Width and height of the 12-megapixel photo that phones have made for a decade."""
TINY = (64, 48)
# Cells across the picture, and how strongly a plane varies from cell to cell (of 255): from sky and walls, over
# leaves and hair, down to the sensor's noise.
_OCTAVES = ((3, 55.0), (9, 25.0), (40, 16.0), (160, 11.0), (640, 7.0), (1600, 5.0), (4032, 5.0))


def photo(size: tuple[int, int] = PHONE, seed: int = 0) -> Image.Image:
    """Return a picture of smooth gradients and noise of every scale, which JPEG packs as it does a photo."""
    noise = np.random.default_rng(seed)
    y, cb, cr = (_plane(size, noise, contrast) for contrast in (1.0, 0.25, 0.25))
    return Image.merge("YCbCr", (y, cb, cr)).convert("RGB")


def _plane(size: tuple[int, int], noise: np.random.Generator, contrast: float) -> Image.Image:
    plane = np.full((size[1], size[0]), 128.0, dtype=np.float32)
    for cells, strength in _OCTAVES:
        columns = min(cells, size[0])
        grid = noise.standard_normal((max(2, columns * size[1] // size[0]), columns), dtype=np.float32)
        plane += (
            contrast * strength * np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BILINEAR))
        )
    return Image.fromarray(plane.clip(0, 255).astype(np.uint8))


def write_photo(path: Path, size: tuple[int, int] = PHONE, seed: int = 0) -> Path:
    """Write a photo as a phone does: JPEG of quality 90 with EXIF."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Benchmark"
    exif[ExifTags.Base.Orientation] = 1
    photo(size, seed).save(path, quality=90, exif=exif)
    return path


def numbered(jpeg: bytes, number: int) -> bytes:
    """Return the picture with a comment that no other has: to the program, two files of the same bytes are one photo."""
    return jpeg[:2] + b"\xff\xfe\0\x0c%010d" % number + jpeg[2:]


def make_library(
    folder: Path, count: int, size: tuple[int, int] = PHONE, *, distinct: int = 4, folders: int = 1
) -> list[str]:
    """Fill `folder` with `count` photos in `folders` subfolders, of `distinct` pictures; return the paths."""
    folder.mkdir(parents=True)
    made = folder / "made.jpg"
    sources = [write_photo(made, size, seed).read_bytes() for seed in range(distinct)]
    made.unlink()
    paths = []
    for number in range(count):
        place = folder / f"{number * folders // count:03}"
        if number == 0 or not place.exists():
            place.mkdir(parents=True)
        path = place / f"IMG_{number:06}.jpg"
        path.write_bytes(numbered(sources[number % distinct], number))
        paths.append(str(path))
    return paths
