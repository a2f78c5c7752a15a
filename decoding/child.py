"""Owns the child process that decodes: paths in through a pipe, pixels out through shared memory.

Asked to look at a photo it also tells when and where that was taken, from the bytes it has read anyway.

Started by `decoding.decoder` as `python -m decoding.child PIPE_FD MEMORY_FD MEMORY_SIZE MAX_SIDE TIME_LIMIT`. Ends
when the pipe does; one that hangs in a decoder then is ended by its own alarm.
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
from image_loader import LARGE, MEMORY_LIMIT, decode, read_file
from library.moments import read_moment

ORPHAN_SECONDS = 30
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's


class _Permit:
    """Held while a large picture is decoded: asks the parent, who lets one child at a time go on.

    `used` says that the last picture was large. Nothing is given back: the parent does that when it has the answer.
    """

    def __init__(self, pipe: Connection, limit: int) -> None:
        self.used = False
        self._pipe = pipe
        self._limit = limit

    def __enter__(self) -> None:
        self.used = True
        signal.alarm(0)  # waiting for the others is not hanging
        self._pipe.send(protocol.Large())
        self._pipe.recv()
        signal.alarm(self._limit)

    def __exit__(self, *_: object) -> None:
        pass


def main() -> None:
    pipe_fd, memory_fd, size, usual_side, limit = (int(word) for word in sys.argv[1:6])
    # The parent ends a decoder that hangs; when the parent is gone this alarm does, whose default is to kill.
    limit += ORPHAN_SECONDS
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its children
    warnings.simplefilter("ignore")
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # photos are decoded side by side: one core each
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
            moment = None
            memory[-1] = protocol.READING
            signal.alarm(limit)
            try:
                data = read_file(path)
                memory[-1] = protocol.DECODING
                if isinstance(asked, protocol.Look):
                    moment = read_moment(data)  # first, so that a broken picture still has one
                image = decode(data, path, max_side, large=permit)
                pixels = image.tobytes("raw", "RGBX")  # Pillow's own layout: copied, not packed
                memory[: len(pixels)] = pixels
                answer: object = protocol.Pixels(image.size, moment)
            except UnavailableImageError as error:
                answer = protocol.Failure(error.reason, unavailable=True, gone=error.gone)
            except CorruptImageError as error:
                answer = protocol.Failure(error.reason, moment=moment)
            signal.alarm(0)
            if permit.used and _trim:
                _trim(0)  # before the parent lets the next large one begin in another child
            permit.used = False
            pipe.send(answer)


def _be_quiet() -> None:
    """From here on what decoders print is lost; what ended a start is in the parent's file."""
    number = os.open(os.devnull, os.O_WRONLY)
    os.dup2(number, 2)
    os.close(number)


def _bound_memory() -> None:
    """Turn what a bomb asks for beyond the limit into a MemoryError; the margin is what the program itself maps."""
    import resource  # noqa: PLC0415 - not on Windows

    limit = MEMORY_LIMIT + LARGE + (2 << 30)
    # macOS knows no such limit and refuses it; there the need that a picture's header tells is the only bound.
    with suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


if __name__ == "__main__":
    main()
