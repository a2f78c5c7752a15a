"""Owns the driver's side of Ray's workers: a decoder and a backend that work elsewhere, and what happens when one dies.

To the engine, `RemoteDecoder` and `RemoteBackend` are a `Decoder` and a `CaptionBackend` like any other; a picture is a
`RemotePicture`, which only the remote backend opens. A photo whose worker died goes to another worker, and is decoded
again if its picture is lost too.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import ray
from ray.exceptions import ObjectLostError, OutOfMemoryError, RayError, RayTaskError

from backends.base import CaptionBackend
from engines.ray.workers import DecodedPicture, Failure, Loaded
from errors import CorruptImageError, StopRunError, TransientAPIError, UnavailableImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pickle import PickleBuffer

    from PIL.Image import Image
    from ray.actor import ActorHandle

    from backends.base import Caption
    from engines.ray.workers import CaptioningWorker, DecodingWorker

CRASHES = 3
"""How many workers may die while they caption a photo alone, before it is the photo's fault."""
TRIES = 6
"""How many workers or pictures may be lost with a photo in hand, for any reason, before the photo is left open."""
DEATHS = 9
"""How many more workers than there are may die without a good answer in between, before the run stops."""
PLACE_SECONDS = 120.0
"""A worker without a place by then is given up: other jobs hold the processors or cards."""

_log = logging.getLogger("captioner.engine")
_T = TypeVar("_T")


class WorkerDiedError(Exception):
    """The worker died in the middle of a call; `alone`: nothing but this call can be the cause."""

    def __init__(self, reason: str, *, alone: bool) -> None:
        super().__init__(reason)
        self.alone = alone


class RunStoppedError(Exception):
    """The run was stopped before a worker was free."""


@dataclass(frozen=True, slots=True)
class Start:
    """How a worker is started: on which node, with room for how many calls, and what it answers when it is ready."""

    node: str
    room: int
    make: Callable[[], Any]
    prepare: Callable[[Any], ray.ObjectRef[Any]]


class _Worker:
    """One life of an actor. `in_hand` counts its calls; `reserved` is held by one that must be alone."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.actor = start.make()
        self.placed = self.actor.ready.remote()
        self.prepared = start.prepare(self.actor)
        self.since = time.monotonic()
        self.has_place = self.ready = self.reserved = self.dead = self.was_shared = False
        self.in_hand = 0

    @property
    def free(self) -> bool:
        return self.ready and not self.dead and not self.reserved and self.in_hand < self.start.room


class Pool:
    """Workers of one kind. A call goes to the one with the most room; one that dies is replaced on its node.

    After `stop` is set, if it is given, no call is begun. Safe for threads.
    """

    def __init__(self, kind: str, starts: Iterable[Start], stop: threading.Event | None = None) -> None:
        self._kind = kind
        self._stop = stop or threading.Event()
        self._changed = threading.Condition()
        self._closed = False
        self._calls = 0
        self._deaths = 0  # since the last good answer
        self._trouble = ""
        self._polled = 0.0
        self._first: list[Any] = []
        self._workers = [_Worker(start) for start in starts]

    def add(self, starts: Iterable[Start]) -> None:
        """Start more workers; they join in when they are ready."""
        with self._changed:
            self._workers += [_Worker(start) for start in starts]

    def wait_for_one(self) -> Any:  # noqa: ANN401 - what `prepare` gives is the caller's
        """Wait until a worker is ready; return what its preparation gave.

        Raises:
            StopRunError: none can be.
        """
        with self._changed:
            while not self._first:
                self._poll_starting()
                self._changed.wait(0.05)
            return self._first[0]

    def call(self, ask: Callable[[Any], _T], *, alone: bool = False) -> _T:
        """Have a worker do it; `alone` waits for one that has nothing else in hand, and keeps it so.

        Raises:
            WorkerDiedError: it died during the call.
            RunStoppedError: the run was stopped before a worker was free.
            StopRunError: no worker is left, or they die whatever they do.
        """
        worker = self._acquire(alone=alone)
        try:
            answer = ask(worker.actor)
        except (RayTaskError, ObjectLostError):
            raise  # the worker lives: it could not send its answer, or a picture was lost
        except RayError as error:
            raise self._died(worker, error) from None
        finally:
            with self._changed:
                self._calls -= 1
                worker.in_hand -= 1
                worker.reserved = worker.reserved and not alone
                self._changed.notify_all()
        self._deaths = 0
        return answer

    def close(self) -> None:
        """End the workers, whatever they do; calls in flight raise."""
        with self._changed:
            self._closed = True
            for worker in self._workers:
                _kill(worker)
            self._changed.notify_all()

    def wait_until_idle(self) -> bool:
        """Wait a moment for the calls of workers that were ended; tell whether all have returned."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._calls, timeout=2)

    def _acquire(self, *, alone: bool) -> _Worker:
        with self._changed:
            while True:
                if self._closed or self._stop.is_set():
                    raise RunStoppedError
                self._poll_starting()
                free = [worker for worker in self._workers if worker.free]
                if free:
                    worker = min(free, key=lambda worker: worker.in_hand / worker.start.room)
                    if not alone or self._reserve(worker):
                        self._calls += 1
                        worker.in_hand += 1
                        return worker
                else:
                    self._changed.wait(0.2)

    def _reserve(self, worker: _Worker) -> bool:
        """Give the worker no other calls until it has none in hand; False if it dies before that."""
        worker.reserved = True
        while worker.in_hand and not worker.dead:
            self._changed.wait(0.2)
        return not worker.dead

    def _poll_starting(self) -> None:
        """Look at the workers that are starting: which are ready, and which have failed.

        Raises:
            StopRunError: no worker is left.
        """
        now = time.monotonic()
        if now - self._polled < 0.05:
            return
        self._polled = now
        for worker in [worker for worker in self._workers if not worker.ready]:
            if ray.wait([worker.prepared], timeout=0)[0]:
                self._on_prepared(worker)
            elif not worker.has_place:
                worker.has_place = bool(ray.wait([worker.placed], timeout=0)[0])
                if not worker.has_place and now - worker.since > PLACE_SECONDS:
                    self._remove(worker, "its processors or cards are taken by other jobs")
        if not self._workers:
            raise StopRunError(self._trouble)

    def _on_prepared(self, worker: _Worker) -> None:
        try:
            prepared = ray.get(worker.prepared)
        except RayError as error:
            if isinstance(error, RayTaskError) or getattr(error, "actor_init_failed", False):
                reason = str(error).strip().splitlines()[-1].strip()[:200]
                self._remove(worker, f"is this project there, at the same path? {reason}")
            else:
                self._replace(worker, error)
            return
        if isinstance(prepared, Failure):
            fault = prepared.exception()
            self._trouble = str(fault) if isinstance(fault, StopRunError) else ""
            self._remove(worker, " ".join(f"{type(fault).__name__}: {fault}".split())[:300])
            return
        worker.ready = True
        self._first.append(prepared)
        self._changed.notify_all()

    def _died(self, worker: _Worker, error: RayError) -> WorkerDiedError:
        with self._changed:
            if not worker.dead:
                worker.was_shared = worker.in_hand > 1
                self._replace(worker, error)
            excused = isinstance(error, OutOfMemoryError) or not _is_alive(worker.start.node)
            return WorkerDiedError(_first_line(error), alone=not worker.was_shared and not excused)

    def _replace(self, worker: _Worker, error: RayError) -> None:
        worker.dead = True
        _kill(worker)  # it may only be out of reach
        if self._closed or self._stop.is_set():
            return
        if not _is_alive(worker.start.node):
            self._remove(worker, "the node has died")
            return
        self._deaths += 1
        if self._deaths > DEATHS + len(self._workers):
            raise StopRunError(
                f"Ray's workers that {self._kind} die one after another ({_first_line(error)}): "
                "look into Ray's logs on the nodes, fix the cause and run the same command again."
            )
        self._workers[self._workers.index(worker)] = _Worker(worker.start)

    def _remove(self, worker: _Worker, reason: str) -> None:
        worker.dead = True
        _kill(worker)
        self._workers.remove(worker)
        self._changed.notify_all()
        if self._workers:
            _log.warning(f"Going on without a worker on node {worker.start.node[:8]}: {reason}.")
        else:
            self._trouble = self._trouble or (
                f"No Ray worker is left to {self._kind} ({reason}): check the cluster and run the same command again."
            )


class RemotePicture:
    """A picture that lies on a node, once it is decoded; it counts the workers that died with its photo."""

    decoded: DecodedPicture
    content: str | None = None

    def __init__(self, path: str, decoders: Pool) -> None:
        self._path = path
        self._decoders = decoders
        self._crashes = self._losses = 0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, once it is decoded."""
        return self.decoded.size

    def renew(self) -> None:
        """Decode the photo again: its picture was lost with a node."""
        self.lost(alone=False)
        before = self.content
        self.decode()
        if self.content != before:
            raise UnavailableImageError(self._path, "it was changed during the run")

    def lost(self, *, alone: bool) -> None:
        """Note that a worker or the picture was lost.

        Raises:
            CorruptImageError: it was this photo that ended its workers.
            UnavailableImageError: that happened too often, and it may not be the photo's fault.
        """
        self._crashes += alone
        self._losses += 1
        self.check()

    def check(self) -> None:
        """Raise what `lost` has found out about the photo, if it has."""
        if self._crashes >= CRASHES:
            raise CorruptImageError(self._path, f"it crashes its worker ({CRASHES} times)")
        if self._losses >= TRIES:
            raise UnavailableImageError(self._path, "its workers were lost again and again")

    def decode(self) -> None:
        """Decode the photo; `content` is known afterwards, also if there is no picture in it.

        Raises:
            CorruptImageError: there is none; or its subtype: it could not be read this time.
        """
        alone = False
        while True:
            try:
                loaded, pixels = self._decoders.call(partial(_load, self._path), alone=alone)
            except WorkerDiedError:
                # Never the photo's fault: a photo can crash only its decoding child, and the worker reports that. Most
                # likely the system has ended the worker because memory was short.
                self.lost(alone=False)
                alone = True
            except RunStoppedError:
                raise UnavailableImageError(self._path, "the run was stopped") from None
            else:
                self.content = loaded.content
                if isinstance(loaded.verdict, CorruptImageError):
                    raise loaded.verdict
                self.pixels = pixels
                self.decoded = DecodedPicture(os.path.basename(self._path), loaded.verdict)
                return


class RemoteDecoder:
    """A `Decoder` whose work is done by any worker of the pool; the engine has one for each call in flight."""

    def __init__(self, decoders: Pool) -> None:
        self.content: str | None = None
        self._decoders = decoders

    def load(self, path: str) -> Image:
        """Return a handle for the picture, which stays where it is; the engine only passes it on.

        Raises:
            UnavailableImageError: it could not be read this time.
            CorruptImageError: there is no picture in it, or it crashes what decodes it.
            StopRunError: no worker is left.
        """
        picture = RemotePicture(path, self._decoders)
        try:
            picture.decode()
        finally:
            self.content = picture.content
        return cast("Image", picture)

    def stop(self) -> None:
        """End the workers in the middle of their photos."""
        self._decoders.close()

    def close(self) -> None:
        """Do nothing: the workers are still needed for pictures that get lost, and end with the cluster."""


class RemoteBackend(CaptionBackend):
    """A `CaptionBackend` whose work is done by workers that each have the real one."""

    def __init__(self, workers: Pool, facts: Mapping[str, object], copies: int) -> None:
        vars(self).update(facts)
        self.copies = copies
        self._workers = workers

    def caption(self, image: Image) -> Caption | str:
        return self._one("caption", image)

    def recaption(self, image: Image) -> Caption | str:
        return self._one("recaption", image)

    def caption_batch(self, images: Sequence[Image]) -> list[Caption | str]:
        return self._several("caption", images)

    def recaption_batch(self, images: Sequence[Image]) -> list[Caption | str]:
        return self._several("recaption", images)

    def _several(self, method: str, images: Sequence[Image]) -> list[Caption | str]:
        try:
            return self._answers(f"{method}_batch", [cast("RemotePicture", image) for image in images])
        except WorkerDiedError:
            # Any of them may have been the cause, and most were not: one by one shows which.
            return [self._one(method, image, alone=True) for image in images]

    def _one(self, method: str, image: Image, *, alone: bool = False) -> Caption | str:
        picture = cast("RemotePicture", image)
        picture.check()
        while True:
            try:
                return self._answers(method, [picture], alone=alone)[0]
            except WorkerDiedError as error:
                picture.lost(alone=error.alone)
                alone = True

    def _answers(
        self, method: str, pictures: list[RemotePicture], *, alone: bool = False
    ) -> list[Caption | str]:
        while True:
            try:
                answer = self._workers.call(partial(_ask, method, pictures), alone=alone)
            except RunStoppedError:
                raise TransientAPIError("the run was stopped") from None
            except ObjectLostError:  # the node that held a picture has died
                for picture in pictures:
                    picture.renew()
                continue
            if isinstance(answer, Failure):
                raise answer.exception()
            return answer


def _load(path: str, actor: ActorHandle[DecodingWorker]) -> tuple[Loaded, ray.ObjectRef[PickleBuffer]]:
    refs: list[ray.ObjectRef[Any]] = actor.load.remote(path)  # two, as its decorator says
    return ray.get(refs[0]), refs[1]


def _ask(
    method: str, pictures: Sequence[RemotePicture], actor: ActorHandle[CaptioningWorker]
) -> list[Caption | str] | Failure:
    # Pixels as separate arguments: Ray brings them to the worker, which need not ask for them.
    decoded = [picture.decoded for picture in pictures]
    return ray.get(actor.ask.remote(method, decoded, *(picture.pixels for picture in pictures)))


def alive_nodes() -> list[dict[str, Any]]:
    """Return the machines that Ray says are alive."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"]]


def _kill(worker: _Worker) -> None:
    with suppress(Exception):  # it is dead already, or the cluster is
        ray.kill(worker.actor)


def _is_alive(node: str) -> bool:
    return any(one["NodeID"] == node for one in alive_nodes())


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
