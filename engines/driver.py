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
        progress: records for photos that had none, and successes.
        stopped: the sentence that says why the run stopped before its end, or None.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    videos: int = 0
    unread: int = 0
    gone: int = 0
    progress: int = 0
    seconds: float = 0.0
    stopped: str | None = None


def drive(
    batches: Generator[list[Outcome], None, None],
    keep: Callable[[list[Outcome]], None],
    *,
    stop: threading.Event,
    photos_dir: Path,
    redone: Container[str],
    seen: Callable[[Outcome], None],
) -> Result:
    """Take outcomes until the engine has no more; set `stop` when the run cannot go on.

    `keep` writes outcomes to disk; `seen` is called with each as it comes; `redone` are the photos that had a record
    before. Photos in flight when the run stops are still kept if they succeed. Backend failures wait in memory until a
    success, or the end of the run, shows that the photos themselves caused them.
    """
    result = Result()
    start = time.monotonic()
    waiting: list[Outcome] = []
    unread_streak = 0

    def write(outcomes: list[Outcome]) -> None:
        keep(outcomes)
        for outcome in outcomes:
            result.statuses[outcome.status or ""] += 1
            result.videos += is_video(outcome.status, outcome.error)
            result.progress += outcome.status == "success" or outcome.photo.rel_path not in redone

    try:
        with closing(batches):
            for batch in batches:
                ready: list[Outcome] = []
                for outcome in batch:
                    seen(outcome)
                    if outcome.status is None:
                        unread_streak += 1
                        result.gone += outcome.gone
                        result.unread += not outcome.gone and not outcome.fatal
                        result.stopped = result.stopped or _reason_to_stop(outcome, unread_streak, photos_dir)
                        continue
                    if outcome.error != VIDEO:  # a video is not read, so it says nothing about the disk
                        unread_streak = 0
                    if outcome.status in {"error_api", "error_model"} and not outcome.answered:
                        waiting.append(outcome)
                        if len(waiting) >= STREAK:
                            result.stopped = result.stopped or _streak_sentence(outcome)
                        continue
                    if outcome.status == "success" and not result.stopped:
                        ready += waiting
                        waiting.clear()
                    ready.append(outcome)
                write(ready)
                if result.stopped:
                    stop.set()
            if not stop.is_set():
                write(waiting)
    except StopRunError as error:  # the journal cannot be written: what is in hand stays undone
        result.stopped = str(error)
    result.seconds = time.monotonic() - start
    return result


def _streak_sentence(outcome: Outcome) -> str:
    return (
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
        status=outcome.status,
        model=outcome.model,
        error=outcome.error,
        prompt=prompt if outcome.model else None,
    )


def _reason_to_stop(outcome: Outcome, streak: int, photos_dir: Path) -> str | None:
    if outcome.fatal:
        return outcome.error
    if not _holds_anything(photos_dir):
        return (
            f"The photos folder {photos_dir} is gone or empty: mount the disk and run the same command again."
        )
    if streak >= STREAK:
        return (
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
