"""Owns the still frame that stands for a video, upright and in its true shape. Needs the extra `videos` (PyAV)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image

from errors import PackagesError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

BYTES_PER_PIXEL = 24
"""Of a frame, measured at the peak (HEVC, 10 bits): decoders keep many frames."""

_AT = 0.1
"""Part of the length at which the frame is taken."""
_LATER = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Where else to look when the frames there are black or blurred."""
_NEIGHBOURS = 48
"""Frames to look at before that: two seconds, as long as a film takes to appear."""
_MOST_FRAMES = 400
_MOST_SECONDS = 20.0
_MOST_BYTES = 256 << 20
"""What is spent on one video at most; then the best frame so far is taken."""
_LOOK_SIDE = 256
_BLACK = 32
"""Of 255: a frame is black if 98 of 100 pixels are darker."""
_SHARP = 0.2
"""Least variance of the Laplacian by the mean. Real photos have 0.45 or more; blurred over a hundredth of a side, 0.13 or less."""

# Only what is in the file itself is read: playlists, which name other files and addresses, are not among the formats.
_OPTIONS = {
    "format_whitelist": "mov,matroska,avi,mpeg,mpegts,mpegvideo,asf,flv,ogg,mxf,dv,m4v,h264,hevc",
    "protocol_whitelist": "none",
}
_TURNS = {
    (1, 0, 0, 1): None,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}
"""How to turn a frame, by the signs of the first two columns and rows of its display matrix."""


def can_open_videos() -> bool:
    """Tell whether the package for videos is installed."""
    return find_spec("av") is not None


def check_packages() -> None:
    """Raise PackagesError if the package for videos is missing."""
    if not can_open_videos():
        raise PackagesError(
            "--videos needs packages that are not installed (av): leave it out, or get them.", extra="videos"
        )


@dataclass(slots=True)
class _Effort:
    """What may still be spent on a video."""

    end: float
    frames: int = _MOST_FRAMES

    @property
    def left(self) -> bool:
        return self.frames > 0 and time.monotonic() < self.end


class _Source:
    """A file for FFmpeg, which ends early if too much of it is read; `error` is what the disk said."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = _MOST_BYTES
        self.error: OSError | None = None
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        try:
            data = self._file.read(size) if self._left > 0 else b""
        except OSError as error:
            self.error = error
            raise
        self._left -= len(data)
        return data

    def seek(self, place: int, whence: int = 0) -> int:
        return self._file.seek(place, whence)


class Video:
    """A video that is open; `size` is that of its frames as they are stored."""

    def __init__(self, file: BinaryIO) -> None:
        """Open a video.

        Raises:
            OSError: the disk could not be read.
            ValueError: it holds no video.
        """
        import av  # noqa: PLC0415 - an extra, and 0.2 s

        self._source = _Source(file)
        try:
            self._container: InputContainer = av.open(
                self._source, "r", container_options=_OPTIONS, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError) as error:
            raise self._why(error) from error
        streams = self._container.streams.video
        # A cover picture is a stream too.
        films = [stream for stream in streams if not stream.disposition & av.stream.Disposition.attached_pic]
        if not films:
            raise ValueError("a video file without a moving picture")
        self._stream: VideoStream = films[0]
        self._stream.codec_context.thread_count = 1  # photos are decoded in parallel: one core each
        self.size = (self._stream.codec_context.width, self._stream.codec_context.height)

    def still(self, max_side: int) -> Image.Image:
        """Return the frame that stands for the video: upright RGB of at most `max_side` pixels a side.

        Raises:
            OSError: the disk could not be read.
            ValueError: no frame can be decoded.
        """
        import av  # noqa: PLC0415

        best: VideoFrame | None = None
        best_score = (False, -1.0)
        try:
            for frame in self._candidates():
                bright, sharpness = _look(frame)
                if bright and sharpness >= _SHARP:
                    return self._picture(frame, max_side)
                if (bright, sharpness) > best_score:
                    best, best_score = frame, (bright, sharpness)
        except (av.FFmpegError, OSError) as error:
            raise self._why(error) from error
        if self._source.error:
            raise self._source.error
        if best is None:
            raise ValueError("damaged video: no frame of it can be decoded")
        return self._picture(best, max_side)

    def close(self) -> None:
        """Give back what FFmpeg holds."""
        self._container.close()

    def _why(self, error: Exception) -> Exception:
        """Return what to raise for FFmpeg's error; its own text would name the file."""
        return self._source.error or ValueError(f"damaged video: {getattr(error, 'strerror', None) or error}")

    def _candidates(self) -> Iterator[VideoFrame]:
        """Yield frames, those at the best place first; at least one, if any can be decoded."""
        effort = _Effort(time.monotonic() + _MOST_SECONDS)
        length = self._length()
        start = float((self._stream.start_time or 0) * (self._stream.time_base or 0))
        wanted = start + _AT * length
        found = False
        if length:
            for frame in self._frames(effort, wanted, wanted, _NEIGHBOURS):
                found = True
                yield frame
            for part in _LATER:
                place = start + part * length
                for frame in self._frames(effort, place, -math.inf, 1):
                    found = True
                    yield frame
        if not found:  # it does not say how long it is, or has few places where decoding can begin
            effort = _Effort(time.monotonic() + _MOST_SECONDS)
            yield from self._frames(effort, start - 1, wanted, _NEIGHBOURS)

    def _length(self) -> float:
        """Return the seconds that the video takes, 0 if it does not say."""
        stream = self._stream
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return (self._container.duration or 0) / 1_000_000

    def _frames(self, effort: _Effort, place: float, since: float, count: int) -> Iterator[VideoFrame]:
        """Yield up to `count` sound frames from the second `since` on; decoding begins at a key frame near `place`.

        When the effort is spent on the way, the last frame before that second is yielded.
        """
        import av  # noqa: PLC0415

        stream = self._stream
        try:
            self._container.seek(int(place / (stream.time_base or 1)), stream=stream)
        except av.FFmpegError:
            return
        before: VideoFrame | None = None
        for packet in self._container.demux(stream):
            if not effort.left:
                break
            try:
                frames = packet.decode()
            except av.FFmpegError:  # a damaged part; the next may be sound
                effort.frames -= 1
                continue
            for frame in frames:
                effort.frames -= 1
                if frame.is_corrupt:
                    continue
                if frame.time is not None and frame.time < since - 1e-3:
                    before = frame
                    continue
                before = None
                yield frame
                count -= 1
                if not count:
                    return
        if before is not None:
            yield before

    def _picture(self, frame: VideoFrame, max_side: int) -> Image.Image:
        width, height = _shape(frame, self._stream)
        scale = min(1.0, max_side / max(width, height))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = frame.reformat(width=size[0], height=size[1], format="rgb24", interpolation="AREA", threads=1)
        picture = Image.fromarray(small.to_ndarray())
        turn = _turn(frame)
        return picture if turn is None else picture.transpose(turn)


def _shape(frame: VideoFrame, stream: VideoStream) -> tuple[float, float]:
    """Return the frame's sides with square pixels, the stored side kept that would grow."""
    ratio = float(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
    if not 0.1 < ratio < 10:
        ratio = 1.0
    return frame.width * max(1.0, ratio), frame.height * max(1.0, 1 / ratio)


def _turn(frame: VideoFrame) -> Image.Transpose | None:
    import numpy as np  # noqa: PLC0415

    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return None
    a, b, _, c, d, *_ = (int(number) for number in np.frombuffer(matrix, np.int32))
    if abs(a) >= abs(b):  # the nearest quarter turn
        b = c = 0
    else:
        a = d = 0
    return _TURNS.get(tuple((number > 0) - (number < 0) for number in (a, b, c, d)))  # type: ignore[arg-type]


def _look(frame: VideoFrame) -> tuple[bool, float]:
    """Return whether the frame is bright enough to show anything, and how sharp it is."""
    import numpy as np  # noqa: PLC0415

    scale = _LOOK_SIDE / max(frame.width, frame.height)
    size = max(3, round(frame.width * scale)), max(3, round(frame.height * scale))
    small = frame.reformat(width=size[0], height=size[1], format="gray", interpolation="AREA", threads=1)
    grey = small.to_ndarray().astype(np.float32)
    edges = 4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    return bool(np.percentile(grey, 98) >= _BLACK), float(edges.var() / max(1.0, grey.mean()))
