"""Owns the child process that decodes: paths come in through a pipe, pixels go out through shared memory.

From the bytes that it has read it also tells what the file is known by or, if asked, when and where the photo was taken.

Started by `decoding.decoder` as `python -m decoding.child PIPE_FD MEMORY_FD MEMORY_SIZE MAX_SIDE TIME_LIMIT VIDEOS`. Ends
when the pipe is closed. If it hangs in a decoder then, its own alarm ends it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import sys
import warnings
from contextlib import suppress
from multiprocessing.connection import Connection

from PIL import AvifImagePlugin

from decoding import protocol
from errors import CorruptImageError, UnavailableImageError
from image_loader import LARGE, MEMORY_LIMIT, Beginning, decode, read_file
from library.identity import content_of, content_of_bytes
from library.moments import read_moment
from library.shapes import fit_for_models
from library.signatures import HEAD_BYTES

ORPHAN_SECONDS = 30
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's


class _Permit:
    """Held while a large picture is decoded: the parent allows this to one child at a time.

    `used`: the last picture was large. The parent takes the permit back when it has the picture.
    """

    def __init__(self, pipe: Connection, limit: int) -> None:
        self.used = False
        self._pipe = pipe
        self._limit = limit

    def __enter__(self) -> None:
        self.used = True
        signal.alarm(0)  # waiting for others must not count as hanging
        self._pipe.send(protocol.Large())
        self._pipe.recv()
        signal.alarm(self._limit)

    def __exit__(self, *_: object) -> None:
        pass


def main() -> None:
    pipe_fd, memory_fd, size, usual_side, limit, videos = (int(word) for word in sys.argv[1:7])
    # The parent ends a decoder that hangs. If the parent is gone, this alarm kills the child.
    limit += ORPHAN_SECONDS
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and ends its children
    warnings.simplefilter("ignore")
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # photos are decoded in parallel: one core each
    _bound_memory()
    memory = mmap.mmap(memory_fd, size)
    with Connection(pipe_fd) as pipe:
        permit = _Permit(pipe, limit)
        _be_quiet()
        pipe.send(protocol.Ready())
        while True:
            try:
                asked: str | protocol.Look = pipe.recv()
            except EOFError:
                return
            path, max_side = (asked, usual_side) if isinstance(asked, str) else (asked.path, asked.max_side)
            moment = content = None
            memory[-1] = protocol.READING
            signal.alarm(limit)
            try:
                data = read_file(path)
                if isinstance(asked, str):
                    content = _content(data, path)
                memory[-1] = protocol.BOTH if isinstance(data, Beginning) else protocol.DECODING
                if isinstance(asked, protocol.Look):
                    moment = read_moment(data)  # first, so that a broken picture has one too
                image = decode(data, path, max_side, large=permit, videos=bool(videos))
                if isinstance(asked, str):
                    image = fit_for_models(image, max_side)
                pixels = image.tobytes("raw", "RGBX")  # Pillow's own layout, which is only copied
                memory[: len(pixels)] = pixels
                answer: object = protocol.Pixels(image.size, moment, content)
            except UnavailableImageError as error:
                answer = protocol.Failure(error.reason, unavailable=True, gone=error.gone)
            except CorruptImageError as error:
                answer = protocol.Failure(error.reason, moment=moment, content=content)
            signal.alarm(0)
            if permit.used and _trim:
                _trim(0)  # before the next large picture begins in another child
            permit.used = False
            pipe.send(answer)


def _content(data: bytes, path: str) -> str | None:
    """Return the content of the file; of a video or raw file only the beginning has been read."""
    return content_of(path, data[:HEAD_BYTES]) if isinstance(data, Beginning) else content_of_bytes(data)


def _be_quiet() -> None:
    """Discard what decoders print from now on; a failed start has already told the parent's file why."""
    number = os.open(os.devnull, os.O_WRONLY)
    os.dup2(number, 2)
    os.close(number)


def _bound_memory() -> None:
    """Limit this process's memory, so that a bomb gets a MemoryError. The margin is for the program itself."""
    import resource  # noqa: PLC0415 - not on Windows

    limit = MEMORY_LIMIT + LARGE + (2 << 30)
    # macOS does not support this limit. There only the size in the picture's header is checked.
    with suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


if __name__ == "__main__":
    main()
