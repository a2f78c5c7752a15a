"""Owns the run: takes outcomes from an engine, keeps them in the journal, and decides when the run must stop.

It is the only writer of a run's journal. Outcomes that are ready together are written with one fsync.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from errors import StopRunError, out_of_files
from journal import VIDEO, CaptionRecord, is_video

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Container, Generator
    from pathlib import Path

    from engines.outcome import Outcome

STREAK = 20
"""After this many failures in a row, the cause is not the photos: a spent account, a broken GPU, a lost disk."""


@dataclass(slots=True)
class Result:
    """What a run did.

    Attributes:
        statuses: records written, by status.
        videos: how many of them are videos.
        unread: photos that stay open because they could not be read.
        gone: photos that do not exist any more.
        no_room: photos that stay open because the service tier had no room for them.
        carried: captions of other photos with the same content, written for photos about which no one was asked.
        progress: records for photos that had none, and successes, carried ones too.
        stopped: why the run stopped before its end, or None.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    videos: int = 0
    unread: int = 0
    gone: int = 0
    no_room: int = 0
    carried: int = 0
    progress: int = 0
    seconds: float = 0.0
    stopped: StopRunError | None = None


def drive(
    batches: Generator[list[Outcome], None, None],
    keep: Callable[[list[Outcome]], int],
    *,
    stop: threading.Event,
    photos_dir: Path,
    redone: Container[str],
    seen: Callable[[Outcome], None],
) -> Result:
    """Take outcomes until the engine has no more; set `stop` when the run cannot go on.

    `keep` writes outcomes to disk, and tells how many captions it has carried over; `seen` is called with each as it comes; `redone` are the photos that had a record
    before. Photos in flight when the run stops are still kept if they succeed. Backend failures wait in memory until a
    success, or the end of the run, shows that the photos themselves caused them.
    """
    start = time.monotonic()
    run = _Run(keep, photos_dir, redone)
    try:
        with closing(batches):
            for batch in batches:
                ready: list[Outcome] = []
                for outcome in batch:
                    seen(outcome)
                    ready += run.ready_after(outcome)
                run.write(ready)
                if run.result.stopped:
                    stop.set()
            if not stop.is_set():
                run.write(run.waiting)
    except StopRunError as error:  # the journal cannot be written: what is in hand stays undone
        run.result.stopped = error
    run.result.seconds = time.monotonic() - start
    return run.result


class _Run:
    """What a run has done so far, and the failures that wait to be written."""

    def __init__(
        self, keep: Callable[[list[Outcome]], int], photos_dir: Path, redone: Container[str]
    ) -> None:
        self._keep = keep
        self._photos_dir = photos_dir
        self._redone = redone
        self._unread_streak = 0
        self.result = Result()
        self.waiting: list[Outcome] = []

    def write(self, outcomes: list[Outcome]) -> None:
        carried = self._keep(outcomes)
        self.result.carried += carried
        self.result.progress += carried
        for outcome in outcomes:
            self.result.statuses[outcome.status or ""] += 1
            self.result.videos += is_video(outcome.status, outcome.error)
            self.result.progress += outcome.status == "success" or outcome.photo.rel_path not in self._redone

    def ready_after(self, outcome: Outcome) -> list[Outcome]:
        """Return what can be written now that this outcome is known."""
        if outcome.status is None:
            self._leave_open(outcome)
            return []
        self.result.stopped = self.result.stopped or outcome.stop
        if outcome.error != VIDEO:  # a video is not read, so it says nothing about the disk
            self._unread_streak = 0
        if outcome.status in {"error_api", "error_model"} and not outcome.answered:
            self.waiting.append(outcome)
            if len(self.waiting) >= STREAK:
                self.result.stopped = self.result.stopped or _too_many_failures(outcome)
            return []
        if outcome.status != "success" or self.result.stopped:
            return [outcome]
        ready = [*self.waiting, outcome]
        self.waiting.clear()
        return ready

    def _leave_open(self, outcome: Outcome) -> None:
        self._unread_streak += 1
        self.result.gone += outcome.gone
        self.result.no_room += outcome.no_room
        self.result.unread += not (outcome.gone or outcome.stop or outcome.no_room)
        self.result.stopped = self.result.stopped or _reason_to_stop(
            outcome, self._unread_streak, self._photos_dir
        )


def _too_many_failures(outcome: Outcome) -> StopRunError:
    return StopRunError(
        f"{STREAK} photos in a row failed ({outcome.status}: {outcome.error}); none of them is recorded, they stay undone. "
        "Most likely it is the server, the account or the model: fix it and run the same command again. If it is "
        f"these photos, --limit {STREAK - 1} records them as errors, and the next run skips them."
    )


def record(outcome: Outcome, prompt: str | None = None) -> CaptionRecord:
    """Return the outcome as the journal's record; `prompt` is the prompt's mark, if a model was asked."""
    assert outcome.status is not None  # noqa: S101 - open photos have no record
    return CaptionRecord(
        rel_path=outcome.photo.rel_path,
        caption=outcome.caption,
        tags=list(outcome.tags) if outcome.tags else None,
        status=outcome.status,
        model=outcome.model,
        error=outcome.error,
        prompt=prompt if outcome.model else None,
        content=outcome.photo.content,
    )


def _reason_to_stop(outcome: Outcome, streak: int, photos_dir: Path) -> StopRunError | None:
    if outcome.stop:
        return outcome.stop
    if not _holds_anything(photos_dir):
        return StopRunError(
            f"The photos folder {photos_dir} is gone or empty: mount the disk and run the same command again."
        )
    if streak >= STREAK:
        return StopRunError(
            f"{STREAK} photos in a row could not be read or captioned ({outcome.error}); they stay undone. "
            "Fix that and run the same command again."
        )
    return None


def _holds_anything(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError as error:
        return out_of_files(error)  # this says nothing about the folder
