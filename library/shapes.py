"""Owns the shapes that models take: thin and tiny pictures are enlarged and padded. Never decodes, never turns a picture."""

from __future__ import annotations

import math

from PIL import Image

MIN_SIDE = 64
"""Pixels on the shorter side that every model takes: Qwen2.5-VL refuses sides under 28, Qwen3-VL under 32, Azure under 50."""
MAX_RATIO = 20
"""The most that the longer side may be of the shorter: Qwen and GLM refuse over 200, and see little of a strip before that."""
_PADDING = (128, 128, 128)


def fit_for_models(picture: Image.Image, max_side: int) -> Image.Image:
    """Return the RGB picture so that no model refuses it: enlarged, and where that is not enough, centred on grey."""
    size, canvas = fitted(picture.size, max_side)
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    if canvas == size:
        return picture
    padded = Image.new("RGB", canvas, _PADDING)
    padded.paste(picture, ((canvas[0] - size[0]) // 2, (canvas[1] - size[1]) // 2))
    return padded


def fitted(size: tuple[int, int], max_side: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the size to which a picture is scaled for a model, and that of the canvas on which it then stands."""
    shortest = min(MIN_SIDE, max(1, max_side // 2))
    scale = min(max_side / max(size), max(1.0, shortest / min(size)))
    width, height = (max(1, round(side * scale)) for side in size)
    least = max(shortest, math.ceil(max(width, height) / MAX_RATIO))
    return (width, height), (max(width, least), max(height, least))
