"""Videos, made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from tests.helpers.raw_files import scene

RATE = 20
SIZE = (160, 120)


def textured(image: Image.Image) -> Image.Image:
    """Return the picture with the grain that a camera's has: without it any frame counts as blurred."""
    grain = np.random.default_rng(0).integers(-60, 60, (image.height, image.width, 1))
    return Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))


def black(_: float) -> Image.Image:
    return Image.new("RGB", SIZE)


def corner(_: float) -> Image.Image:
    return textured(scene(SIZE))


def film(
    path: Path,
    look: Callable[[float], Image.Image] = corner,
    *,
    seconds: float = 2,
    codec: str = "mpeg4",
    pixels: str = "yuv420p",
    turned: int | None = None,
    ratio: Fraction | None = None,
    colours: dict[str, int] | None = None,
    title: str = "",
) -> Path:
    """Write a video whose frame at each second is what `look` says; `turned` is in degrees, against the clock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(path, "w") as container:
        container.metadata["title"] = title
        stream = container.add_stream(codec, rate=RATE)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = look(0).size
        stream.pix_fmt = pixels
        stream.codec_context.bit_rate = 4_000_000
        if turned is not None:
            stream.set_display_rotation(turned)
        if ratio is not None:
            stream.codec_context.sample_aspect_ratio = ratio
        for name, value in (colours or {}).items():
            setattr(stream.codec_context, name, value)
        for number in range(round(seconds * RATE)):
            frame = av.VideoFrame.from_ndarray(np.asarray(look(number / RATE)), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
