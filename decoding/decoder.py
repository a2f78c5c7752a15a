"""Owns the parent's side of a decoding child: starts it, asks it, limits its time, and names the photo that crashed it."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Self

from PIL import Image

from decoding import protocol
from errors import OUT_OF_FILES, CorruptImageError, StopRunError, UnavailableImageError, out_of_files

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from types import TracebackType

    from library.moments import Moment

TIME_LIMIT = 60
"""Seconds after which a decoder counts as hanging; a 200-megapixel HEIC takes 11."""

START_LIMIT = 60
"""Seconds that a child has to start: on a busy machine its imports alone take many."""
_START_PAUSE = 0.5
"""Seconds before a failed start is tried again."""

# Otherwise glibc returns each picture's memory to the kernel, and the next photo must get its pages again.
_MALLOC = {"MALLOC_TRIM_THRESHOLD_": str(32 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}
_ROOT = Path(__file__).resolve().parent.parent
# One large picture at a time, so that several together cannot use up the memory.
_large = threading.Lock()


class _DiedError(Exception):
    """The child ended in the middle of a photo."""


class Decoder:
    """Runs `image_loader` in a child process. One thread at a time may use it.

    A photo that crashes the child is tried once more in a new one, because the photo before it may have done the damage.
    The second time the photo is the cause. One that hangs is not tried again. With `videos` the picture of a video is its
    still frame.

    `content` is that of the last file that was loaded (library/identity.py), also if there is no picture in it; None if it
    could not be read, or crashed the child.
    """

    def __init__(self, max_side: int, time_limit: int = TIME_LIMIT, *, videos: bool = False) -> None:
        self.content: str | None = None
        self.max_side = max_side
        self._videos = videos
        self.time_limit = time_limit
        self._size = max_side * max_side * 4 + 1
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._memory_fd = _shared_memory(self._size)
        self._memory = mmap.mmap(self._memory_fd, self._size)
        self._errors = _nameless_file()
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def load(self, path: str) -> Image.Image:
        """Return the photo as `image_loader.load_image` does.

        Raises:
            UnavailableImageError: it could not be read this time, or no child could be started.
            StopRunError: too many files are open.
            CorruptImageError: there is no picture in it, or the decoder crashed or hung.
        """
        path = os.path.abspath(path)
        return self._picture(path, self._loaded(path))

    def load_pixels(self, path: str) -> tuple[tuple[int, int], bytes]:
        """Return the picture of `load` as (width, height) and pixels, four bytes each (RGBX), as Pillow keeps them."""
        path = os.path.abspath(path)
        size, pixels = self._pixels(path, self._loaded(path))
        with pixels:
            return size, bytes(pixels)

    def look(self, path: str, max_side: int) -> tuple[Image.Image | CorruptImageError, Moment | None]:
        """Return the photo at `max_side` (at most the decoder's), or the error that `load` raises; and its moment.

        It is not fitted for models, so a thin panorama stays thin. A broken picture has a moment too; None if the file could not be read, or crashed the child.
        """
        path = os.path.abspath(path)
        moment = None
        try:
            answer = self._answer(path, protocol.Look(path, min(max_side, self.max_side)))
            moment = answer.moment
            picture: Image.Image | CorruptImageError = self._picture(path, answer)
        except CorruptImageError as error:
            picture = error
        return picture, moment

    def _loaded(self, path: str) -> protocol.Pixels | protocol.Failure:
        self.content = None
        answer = self._answer(path, path)
        self.content = answer.content
        return answer

    def _answer(self, path: str, asked: str | protocol.Look) -> protocol.Pixels | protocol.Failure:
        """Return the child's answer about the photo.

        Raises:
            CorruptImageError: the child did not survive, as in `load`.
        """
        for last_try in (False, True):
            try:
                return self._ask(path, asked)
            except _DiedError:
                code = self._end_child()
                phase = self._memory[-1]
                if self._stopped:
                    raise UnavailableImageError(path, "the run was stopped") from None
                if phase == protocol.STARTING:
                    if not last_try:
                        time.sleep(_START_PAUSE)  # a busy machine may have no room for a process now
                        continue
                    raise UnavailableImageError(
                        path,
                        f"the decoder did not start ({_how(code) if code is not None else 'it hangs'}{self._last_line()})",
                    ) from None
                if phase == protocol.READING and (code is None or last_try):
                    raise UnavailableImageError(path, "the disk does not answer") from None
                if phase == protocol.BOTH and code is None:  # nothing tells which of the two it is
                    raise UnavailableImageError(
                        path, f"the disk does not answer, or decoding it takes more than {self.time_limit} s"
                    ) from None
                if code is None:
                    raise CorruptImageError(path, f"decoding it took more than {self.time_limit} s") from None
                if last_try and code == -signal.SIGKILL:  # no decoder kills itself
                    raise UnavailableImageError(
                        path, "its decoder was ended from outside, most likely for lack of memory"
                    ) from None
                if last_try:
                    raise CorruptImageError(path, f"it crashes the decoder ({_how(code)})") from None
        raise AssertionError("the second try returns or raises")

    def _last_line(self) -> str:
        """Return the last line of the child's stderr, as part of a reason."""
        with suppress(OSError):
            end = os.lseek(self._errors, 0, os.SEEK_END)
            text = os.pread(self._errors, 2000, max(0, end - 2000)).decode("utf-8", "replace").strip()
            if text:
                return f": {' '.join(text.splitlines()[-1].split())[:200]}"
        return ""

    def stop(self) -> None:
        """End the child in the middle of a photo. Any thread may call this; `load` then raises."""
        self._stopped = True
        child = self._child
        if child:
            child.kill()

    def close(self) -> None:
        """End the child and free its memory."""
        self._end_child()
        self._memory.close()
        os.close(self._memory_fd)
        os.close(self._errors)

    def _ask(self, path: str, asked: str | protocol.Look) -> protocol.Pixels | protocol.Failure:
        large = False
        try:
            pipe = self._pipe or self._start(path)
            pipe.send(asked)
            answer = self._receive(pipe, self.time_limit)
            if isinstance(answer, protocol.Large):
                large = _large.acquire()
                pipe.send(None)
                answer = self._receive(pipe, self.time_limit)
        except OSError as error:
            if out_of_files(error):
                raise StopRunError(OUT_OF_FILES) from error
            raise _DiedError from error
        finally:
            if large:
                _large.release()
        assert isinstance(answer, protocol.Pixels | protocol.Failure)  # noqa: S101
        return answer

    def _picture(self, path: str, answer: protocol.Pixels | protocol.Failure) -> Image.Image:
        size, pixels = self._pixels(path, answer)
        with pixels:
            image = Image.frombytes("RGB", size, pixels, "raw", "RGBX")
        image.filename = os.path.basename(path)  # type: ignore[attr-defined]
        return image

    def _pixels(
        self, path: str, answer: protocol.Pixels | protocol.Failure
    ) -> tuple[tuple[int, int], memoryview]:
        """Return the size, and a view of the pixels, which stay there until the next photo."""
        if isinstance(answer, protocol.Failure):
            if answer.unavailable:
                raise UnavailableImageError(path, answer.reason, gone=answer.gone)
            raise CorruptImageError(path, answer.reason)
        width, height = answer.size
        with memoryview(self._memory) as memory:
            return answer.size, memory[: width * height * 4]

    def _receive(self, pipe: Connection, limit: int) -> object:
        # Counts only seconds in which this process was awake: a photo must not count as hanging because the container was
        # frozen or the machine was asleep.
        try:
            for _ in range(limit):
                if pipe.poll(1):
                    return pipe.recv()
        except EOFError:
            pass
        raise _DiedError

    def _start(self, path: str) -> Connection:
        self._memory[-1] = protocol.STARTING
        os.ftruncate(self._errors, 0)
        ours, theirs = Pipe()
        limits = (self._size, self.max_side, self.time_limit, int(self._videos))
        numbers = (theirs.fileno(), self._memory_fd, *limits)
        try:
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "decoding.child", *map(str, numbers)],
                cwd=_ROOT,
                env={k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")} | _MALLOC,
                pass_fds=numbers[:2],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                # What decoders print would break the progress bar; the child discards it after its start.
                stderr=self._errors,
                # A Ctrl-C in the terminal must not reach the child before it ignores that.
                process_group=0,
            )
        except OSError as error:
            ours.close()
            if out_of_files(error):
                raise
            raise UnavailableImageError(path, f"no decoder could be started ({error.strerror})") from error
        finally:
            theirs.close()
        self._pipe = ours
        if self._stopped:
            self._child.kill()
        assert isinstance(self._receive(ours, START_LIMIT), protocol.Ready)  # noqa: S101
        return ours

    def _end_child(self) -> int | None:
        """End the child; return its exit code if it had already ended (negative: by that signal), else None."""
        child, pipe = self._child, self._pipe
        self._child = self._pipe = None
        if pipe:
            pipe.close()
        if not child:
            return None
        try:
            # A child ends when its pipe is closed.
            return child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            child.kill()
        with suppress(subprocess.TimeoutExpired):  # stuck in the kernel on a dead disk: left behind
            child.wait(timeout=5)
        return None


def _shared_memory(size: int) -> int:
    """Return the descriptor of memory without a name, so that nothing can be left behind."""
    descriptor = os.memfd_create("decoded-picture") if hasattr(os, "memfd_create") else _nameless_file()
    os.ftruncate(descriptor, size)
    return descriptor


def _nameless_file() -> int:
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
