"""Makes the photos of the benchmarks: JPEGs with the entropy of real ones, and libraries of them. Measures nothing."""

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


def numbered(picture: bytes, number: int, longer: int) -> bytes:
    """Return a JPEG that shows the same, with a comment that makes it another file, `longer` bytes longer at least."""
    comment = number.to_bytes(8) + bytes(longer)
    return picture[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + picture[2:]


def make_library(
    folder: Path,
    count: int,
    size: tuple[int, int] = PHONE,
    *,
    distinct: int = 4,
    folders: int = 1,
    first: int | None = None,
) -> list[str]:
    """Fill `folder` with `count` photos in `folders` subfolders, which show `distinct` pictures; return the paths.

    Every file differs, or it would be captioned as a copy, and has its own size, or it would be looked into for that.
    With `first`, only that many bytes of each picture are written: enough for its header.
    """
    originals = folder.with_name(f"{folder.name}.originals")  # beside it, so that no walk finds them
    originals.mkdir(parents=True)
    sources = [
        write_photo(originals / f"{seed}.jpg", size, seed).read_bytes()[:first] for seed in range(distinct)
    ]
    paths, sizes = [], set()
    for number in range(count):
        place = folder / f"{number * folders // count:03}"
        if number == 0 or not place.exists():
            place.mkdir(parents=True)
        path = place / f"IMG_{number:06}.jpg"
        source = sources[number % distinct]
        longer = number % 50_000
        while len(source) + longer in sizes:
            longer += 1
        sizes.add(len(source) + longer)
        path.write_bytes(numbered(source, number, longer))
        paths.append(str(path))
    return paths
