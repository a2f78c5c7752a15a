"""Owns the default engine: decoding and caption calls in parallel on one machine.

    photos ─► one thread per core, each with a decoding child ─► pictures ─► caption threads ─► outcomes

A new photo is taken whenever there is room, so memory stays bounded and no photo waits for the slowest of a batch. A
backend that works in batches gets the pictures that are ready when it is idle, up to its batch size. The engine never
writes: it yields outcomes, and the driver keeps them.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

from decoding.decoder import Decoder
from engines.outcome import Outcome
from errors import CorruptImageError, StopRunError, UnavailableImageError
from journal import VIDEO

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from PIL.Image import Image

    from engines.captioning import Captioner
    from library.walk import Photo

GRACE = 5.0
"""Seconds that calls in flight have to finish after a stop. Photos without an answer by then stay undone. If the backend
stopped the run, it is its own `grace`: no one is waiting at the keyboard, and the calls are paid for."""

_Item = Outcome | BaseException | None


class PictureSource(Protocol):
    """Decodes photos: a `Decoder` here, or its substitute on another machine. One thread at a time uses it.

    `content` is that of the last file that was loaded; None if it could not be read.
    """

    content: str | None

    def load(self, path: str) -> Image: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


def caption_photos(
    photos: Iterable[Photo], captioner: Captioner, decoders: Sequence[PictureSource], *, workers: int
) -> Generator[list[Outcome], None, None]:
    """Caption `photos` with up to `workers` calls at once; yield what is ready together, in the order it gets ready.

    After the captioner's `stop` is set no photo is begun, and the iterator ends within `GRACE` seconds.
    """
    backend = captioner.backend
    # One thread's batch is in the model while the other's is prepared; the backend lets one into the model at a time.
    workers = 2 * backend.copies if backend.single_threaded else workers
    return _Threads(captioner, decoders, workers).run(photos)


def local_decoders(max_side: int, *, videos: bool = False) -> list[Decoder]:
    """Return a decoder for each core of this machine."""
    return [Decoder(max_side, videos=videos) for _ in range(cores())]


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Threads:
    def __init__(self, captioner: Captioner, decoders: Sequence[PictureSource], workers: int) -> None:
        self._captioner = captioner
        self._decoders = decoders
        self._workers = workers
        self._models = captioner.backend.copies
        self._stop = captioner.stop
        # Pictures in memory: a batch for each caption thread, nearly one batch more, and two for each core.
        batch = captioner.batch_size
        self._room = threading.Semaphore(workers * batch + batch - 1 + 2 * len(self._decoders))
        self._pictures: SimpleQueue[tuple[Photo, Image] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[_Item] = SimpleQueue()
        self._taking = threading.Lock()
        self._gathering = threading.Lock()
        self._busy: set[int] = set()
        self._decoding = len(self._decoders)
        self._ended = False

    def run(self, photos: Iterable[Photo]) -> Generator[list[Outcome], None, None]:
        source = iter(photos)
        # Daemon threads: a call that hangs in the network must not keep the process alive.
        for decoder in self._decoders:
            threading.Thread(target=self._decode, args=(source, decoder), daemon=True).start()
        for _ in range(self._workers):
            threading.Thread(target=self._caption, daemon=True).start()
        try:
            yield from self._collect()
        except BaseException:
            self._end()
            raise

    def _collect(self) -> Iterator[list[Outcome]]:
        ended = 0
        deadline = None
        while ended < self._workers:
            if self._stop.is_set() and deadline is None:
                deadline = time.monotonic() + (self._captioner.backend.grace if self._ended else GRACE)
                self._end()
            try:
                items = [self._outcomes.get(timeout=0.2)]
            except Empty:
                if deadline is not None and time.monotonic() > deadline:
                    return
                continue
            while not self._outcomes.empty():
                items.append(self._outcomes.get())
            ended += items.count(None)
            if ready := [item for item in items if isinstance(item, Outcome)]:
                yield ready
            for item in items:
                if isinstance(item, BaseException):
                    raise item

    def _end(self) -> None:
        """Let the threads begin nothing more, and wake those that wait."""
        self._ended = True
        for decoder in self._decoders:
            decoder.stop()
            self._room.release()

    def _decode(self, source: Iterator[Photo], decoder: PictureSource) -> None:
        try:
            while not self._ended:
                self._room.acquire()
                with self._taking:
                    photo = None if self._ended else next(source, None)
                if photo is None:
                    self._room.release()
                    break
                outcome = self._load(photo, decoder)
                if outcome is not None:
                    late = self._ended  # the stop ended the decoder: not the photo's fault
                    if outcome.stop:
                        self._end()
                    if not late:
                        self._outcomes.put(outcome)
                    self._room.release()
        except BaseException as error:  # noqa: BLE001 - a fault in the engine must reach the driver
            self._outcomes.put(error)
        finally:
            decoder.close()
            with self._taking:
                self._decoding -= 1
                if not self._decoding:
                    for _ in range(self._workers):
                        self._pictures.put(None)

    def _load(self, photo: Photo, decoder: PictureSource) -> Outcome | None:
        """Decode the photo and pass it on; return its outcome if it already has one."""
        if photo.is_video:
            return Outcome(photo, "error_corrupt", error=VIDEO)
        try:
            image = decoder.load(photo.path)
        except UnavailableImageError as error:
            return Outcome(photo, None, error=error.reason, gone=error.gone)
        except CorruptImageError as error:
            return Outcome(replace(photo, content=decoder.content), "error_corrupt", error=error.reason)
        except StopRunError as error:  # the decoder's machine is gone
            return Outcome(photo, None, stop=error)
        self._pictures.put((replace(photo, content=decoder.content), image))
        return None

    def _gather(self) -> list[tuple[Photo, Image]]:
        """Return the next batch: full, or what is ready if a model is idle. Empty when there are no more pictures."""
        with self._gathering:
            batch: list[tuple[Photo, Image]] = []
            while len(batch) < self._captioner.batch_size:
                if batch and len(self._busy) < self._models and self._pictures.empty():
                    break
                try:
                    item = self._pictures.get(timeout=0.05 if batch else None)
                except Empty:
                    continue
                if item is None:
                    if batch:
                        self._pictures.put(None)  # for the next call, after this batch
                    break
                batch.append(item)
            self._busy.add(threading.get_ident())
            return batch

    def _caption(self) -> None:
        try:
            while batch := self._gather():
                outcomes = () if self._ended else self._captioner.caption_batch(batch)
                for outcome in outcomes:
                    # At once, before the driver knows: every further call may cost money.
                    if outcome is not None and outcome.stop:
                        self._end()
                    if outcome is not None:
                        self._outcomes.put(outcome)
                self._busy.discard(threading.get_ident())
                for _ in batch:
                    self._room.release()
                del batch
        except BaseException as error:  # noqa: BLE001 - a fault in the engine must reach the driver
            self._outcomes.put(error)
        finally:
            self._outcomes.put(None)
