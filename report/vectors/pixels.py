"""Owns vectors without a model: where a picture has which colours and edges. Never knows what is on it.

It groups what looks alike: the same scene, the same backdrop, screenshots, night shots. It imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from report.vectors.base import Embedder
from report.vectors.embed import unit

if TYPE_CHECKING:
    from report.vectors.embed import Floats

_SIDE = 64
"""Pixels a side that are looked at, whatever the picture's proportions."""
_GRID = 4
"""Cells a side for colours and for edges."""
_ANGLES = 8
"""Directions of an edge, over half a turn: a dark line on light and a light one on dark are one."""
_LEVELS = 8
"""Steps of each chroma axis of the histogram, and half of them of brightness."""
_COLOURS, _LAYOUT, _EDGES = 1.0, 0.5, 1.5
"""What each part weighs: the best of 48 mixtures by how many of the five nearest photos are of one kind (410 photos)."""


class PixelsEmbedder(Embedder):
    """Colour and gradient layout, with Pillow and numpy only. It has no texts."""

    name = "pixels 1"
    max_side = 2 * _SIDE
    batch_size = 32
    says = "the layout of colours and edges (no model: it groups what looks alike, not what is on it)"

    def images(self, pictures: list[Image.Image]) -> Floats:
        return np.stack([_vector(picture) for picture in pictures])


def _vector(picture: Image.Image) -> Floats:
    small = picture.resize((_SIDE, _SIDE), Image.Resampling.BOX).convert("YCbCr")
    pixels = np.asarray(small, dtype=np.float32) / np.float32(255)  # (y, x, channel)
    parts = (_COLOURS * _colours(pixels), _LAYOUT * _layout(pixels), _EDGES * _edges(pixels[:, :, 0]))
    return _length_one(np.concatenate(parts))


def _colours(pixels: Floats) -> Floats:
    """Return how much of each colour there is anywhere; roots, so that a small patch of red counts."""
    steps = np.array([_LEVELS // 2, _LEVELS, _LEVELS])
    # Chroma seldom leaves the middle half of its range.
    spread = np.clip((pixels - 0.5) * np.array([1, 2, 2], np.float32) + 0.5, 0, 0.999)
    levels = (spread * steps).astype(np.intp).reshape(-1, 3)
    bins = (levels[:, 0] * steps[1] + levels[:, 1]) * steps[2] + levels[:, 2]
    counts = np.bincount(bins, minlength=int(steps.prod())).astype(np.float32)
    return _length_one(np.sqrt(counts))


def _layout(pixels: Floats) -> Floats:
    """Return each cell's mean colour, as its difference from grey."""
    return _length_one(_cells(pixels).mean(axis=(1, 3)).ravel() - np.float32(0.5))


def _edges(brightness: Floats) -> Floats:
    """Return for each cell how much of its edges has which direction."""
    down, across = np.gradient(brightness)
    strength = np.hypot(down, across)
    angles = np.arctan2(down, across) * np.float32(_ANGLES / np.pi)
    directions = np.rint(angles).astype(np.intp) % _ANGLES
    of_direction = strength[:, :, np.newaxis] * (directions[:, :, np.newaxis] == np.arange(_ANGLES))
    return _length_one(np.sqrt(_cells(of_direction.astype(np.float32)).sum(axis=(1, 3)).ravel()))


def _cells(values: Floats) -> Floats:
    """Cut (y, x, channel) into cells: (row, y, column, x, channel)."""
    side = _SIDE // _GRID
    return values.reshape(_GRID, side, _GRID, side, -1)


def _length_one(part: Floats) -> Floats:
    return unit(part[np.newaxis]).ravel()
