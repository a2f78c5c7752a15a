"""Owns what runs in Ray's worker processes: the decoders of one machine, or one backend.

`engines.ray.remote` makes actors of these classes. They return what went wrong and never raise it, so that an error that
comes out of Ray is always about a worker and never about a photo. No picture goes through the driver: what a decoder
returns lies in Ray's object store, and the captioning worker fetches it from there.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pickle import PickleBuffer
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import ray
from PIL import Image

from backends import load_backend
from backends.base import CaptionBackend
from decoding.decoder import Decoder
from errors import APIError, CorruptImageError, StopRunError, UnavailableImageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from backends.base import Caption
    from config import Settings

FACTS = (*CaptionBackend.__annotations__, "end_date")
"""What the driver has to know of a backend that lives in a worker: all that a backend says about itself."""


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """A decoded picture: its file's base name, width and height. Its pixels lie in Ray's object store."""

    name: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a file: the size of its picture, or why there is none; and its content, if it could be read."""

    verdict: tuple[int, int] | CorruptImageError
    content: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """What a backend raised.

    The program's own errors travel as they are. Of others, which may hold an SDK's client with its key, only name and
    text do. `ends`: it was a BaseException, such as SystemExit.
    """

    error: Exception | None
    name: str = ""
    text: str = ""
    ends: bool = False

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        if isinstance(error, CorruptImageError | APIError | StopRunError | MemoryError):
            return cls(error)
        return cls(None, type(error).__name__, str(error), ends=not isinstance(error, Exception))

    def exception(self) -> BaseException:
        """Return the error that was raised, or an exception of the same name and text."""
        if self.error is not None:
            return self.error
        kind: type[BaseException] = type(self.name, (BaseException if self.ends else Exception,), {})
        return kind(self.text)


class DecodingWorker:
    """The decoding children of one machine: as many as it has processors for them."""

    def __init__(self, max_side: int, count: int, videos: bool = False) -> None:
        self._idle: SimpleQueue[Decoder] = SimpleQueue()
        for _ in range(count):
            self._idle.put(Decoder(max_side, videos=videos))

    def ready(self) -> None:
        """Answer: only a worker that has its place and has started can."""

    @ray.method(num_returns=2)
    def load(self, path: str) -> tuple[Loaded, PickleBuffer]:
        """Return what became of the file, and the picture's pixels, as `Decoder.load_pixels` does."""
        decoder = self._idle.get()
        try:
            size, pixels = decoder.load_pixels(path)
        except CorruptImageError as error:
            return Loaded(error, decoder.content), PickleBuffer(b"")
        except StopRunError:  # other machines may still have room
            reason = "too many files are open on the machine that decodes"
            return Loaded(UnavailableImageError(path, reason)), PickleBuffer(b"")
        else:
            # Ray shares a buffer with its readers; bytes it would copy.
            return Loaded(size, decoder.content), PickleBuffer(pixels)
        finally:
            self._idle.put(decoder)


class CaptioningWorker:
    """One backend in its own process: a model on its card, or threads that call a server."""

    _backend: CaptionBackend

    def ready(self) -> None:
        """Answer: only a worker that has its place and has started can."""

    def prepare(
        self,
        name: str,
        model: str | None,
        settings: Settings,
        prompt: str,
        options: Mapping[str, Any],
        photos: int,
    ) -> tuple[dict[str, object], list[str]] | Failure:
        """Make the backend, ready for `photos`; return the facts about it, and the log lines from making it."""
        said = _Said()
        logging.getLogger("captioner").addHandler(said)
        logging.getLogger("captioner").setLevel(logging.INFO)
        try:
            self._backend = load_backend(name, model, settings, prompt, **options)
            self._backend.get_ready(photos)
        except BaseException as error:  # noqa: BLE001 - it is the driver that says so
            return Failure.of(error)
        finally:
            logging.getLogger("captioner").removeHandler(said)
        return {fact: getattr(self._backend, fact) for fact in FACTS}, said.lines

    def ask(
        self, method: str, pictures: Sequence[DecodedPicture], *pixels: PickleBuffer
    ) -> list[Caption | str] | Failure:
        """Call the backend's `caption` or `recaption`, or the `_batch` of one, with these pictures."""
        images = [_image(decoded, data) for decoded, data in zip(pictures, pixels, strict=True)]
        call = getattr(self._backend, method)
        try:
            return list(call(images)) if method.endswith("_batch") else [call(images[0])]
        except BaseException as error:  # noqa: BLE001 - a model can raise anything, an SDK can end the program
            return Failure.of(error)


class _Said(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _image(decoded: DecodedPicture, pixels: PickleBuffer) -> Image.Image:
    image = Image.frombytes("RGB", decoded.size, memoryview(pixels), "raw", "RGBX")
    image.filename = decoded.name  # type: ignore[attr-defined]
    return image
