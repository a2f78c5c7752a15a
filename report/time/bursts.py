"""Owns which frames are one burst, and which of them stands for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from report.time.order import Ints, in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from library.moments import Moment

_BURST_GAP = 60.0
_BURST_LIKENESS = 0.95
"""Cosine of frames that are nearly the same. What a hand does between two frames (a shift of 4 %, a turn of 3 degrees)
leaves 97 % of 410 photos above it with the pixels' vectors, while a pan by a tenth leaves a third, and of pairs of two
photos of one subject 1 in 700 is above it; near-duplicates under CLIP B/32 are above it too, by the literature."""
_AS_SHARP = 0.9
"""What has this part of the sharpness of the sharpest is as sharp: the rest is the noise of the sensor."""


def bursts(
    moments: Sequence[Moment],
    places: NDArray[np.integer],
    vectors: NDArray[np.floating],
    sharp: Sequence[float] = (),
) -> Ints:
    """Return for each file the place of the frame that stands for its burst, (n,); -1 outside of bursts.

    A burst is frames, each within a minute of the one before, and nearly the same as that and as the first: else a pan
    would be one. Of its sharpest frames the one nearest to the mean stands for it. A file whose time is not known is in none.

    Args:
        moments: of all files.
        places: (m,) of the files that have a vector, each once.
        vectors: (m, d) of the pictures, each of length 1.
        sharp: how sharp each file is (report/sharpness.py), if that is known.
    """
    found: Ints = np.full(len(moments), -1)
    rows: Ints = np.full(len(moments), -1)
    rows[places] = np.arange(len(places))
    order, times, _ = in_order(moments, ("second",))
    seen = rows[order] >= 0
    order, times = order[seen], times[seen]
    frames = rows[order]
    groups: list[list[int]] = []
    for frame in np.flatnonzero(np.diff(times) <= _BURST_GAP).tolist():
        new = vectors[frames[frame + 1]]
        if new @ vectors[frames[frame]] < _BURST_LIKENESS:
            continue
        if not groups or groups[-1][-1] != frame:
            groups.append([frame, frame + 1])
        elif new @ vectors[frames[groups[-1][0]]] >= _BURST_LIKENESS:
            groups[-1].append(frame + 1)
    for group in groups:
        inside = vectors[frames[group]]
        # Two are equally near: the first, not what rounding says.
        to_mean = (inside @ inside.sum(axis=0)).round(4)
        if len(sharp):
            sharpest = np.array([sharp[place] for place in order[group]])
            to_mean[sharpest < _AS_SHARP * sharpest.max()] = -np.inf
        found[order[group]] = order[group[int(np.argmax(to_mean))]]
    return found
