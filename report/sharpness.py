"""Owns how sharp a picture is, so that of frames that are nearly the same the sharpest is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image


def sharpness(picture: Image) -> float:
    """Return the variance of the Laplacian of its grey values: more is sharper, among pictures of one scene and size."""
    grey = np.asarray(picture.convert("L"), np.float32)
    if min(grey.shape) < 3:
        return 0.0
    middle = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * middle
    return round(float(laplacian.var()), 1)
