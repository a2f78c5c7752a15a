"""Owns one run of `caption.py run`: from checked flags to an exit code. Leaves the work to the engine and driver."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from backends import BACKENDS, backend_class, load_backend
from cli.copies import copies_warning
from cli.exit import ExitCode
from cli.log import log, start_log
from cli.open_files import allow_open_files
from cli.progress import Progress
from cli.selection import (
    done_records,
    keep_shard,
    load_records,
    open_videos,
    pending_photos,
    photos_folder,
)
from cli.signals import Stopper
from cli.words import again, command, count
from config import load_settings
from costs.estimate import text_tokens
from costs.prices import dollars, price_of, source
from costs.spending import Spending
from engines.captioning import Captioner
from engines.checks import SameAnswerWatch
from engines.driver import Result, drive, record
from engines.ray.session import LOCAL, ray_cluster
from engines.threads import caption_photos, local_decoders
from errors import StopRunError
from image_loader import MAX_SIDE
from journal import MOCK, CaptionJournal, Status, Tally, prompt_mark, tally
from library.video import check_packages
from library.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from decimal import Decimal
    from pathlib import Path

    from backends.base import CaptionBackend
    from cli.options import RunOptions
    from engines.outcome import Outcome
    from engines.ray.cluster import Cluster
    from engines.threads import PictureSource
    from library.walk import Photo, Walk

# Never error_corrupt: a broken file stays broken.
_RETRIABLE: tuple[Status, ...] = ("error_api", "error_model")


@dataclass(frozen=True, slots=True)
class _Task:
    """One run, once photos and records are known: what is to be done of what is there."""

    options: RunOptions
    photos_dir: Path
    journal: CaptionJournal
    found: Walk
    pending: list[Photo]
    prompt: str | None

    @property
    def quota(self) -> int:
        """How many photos this run attempts."""
        most = len(self.pending)
        return min(most, self.options.limit or most, self.options.restart_every or most)

    @property
    def left(self) -> int:
        """How many are to be done after it."""
        return len(self.pending) - self.quota


def run(options: RunOptions) -> ExitCode:
    """Caption the photos that have no caption yet.

    Raises:
        StopRunError: the run cannot begin.
        SystemExit: a signal came before the first photo.
    """
    stopper = Stopper()
    if options.videos:
        check_packages()
    settings = load_settings()
    photos_dir = photos_folder(options.photos_dir, settings)
    journal = CaptionJournal(options.captions_jsonl)
    with journal.lock(), ExitStack() as stack:
        _begin(journal)
        task = _task(options, photos_dir, journal)
        if not task.quota:  # no model to load, no key to ask for
            result = Result()
            _summarise(task, result)
            return _end(task, result, None)
        cluster = stack.enter_context(_ray(options, stopper)) if options.ray else None
        load = cluster.load_backend if cluster else load_backend
        name = MOCK if options.mock else options.backend
        backend = load(name, options.model, settings, options.prompt, **options.backend_options)
        result = _caption(task, backend, cluster.decoders if cluster else None, stopper)
        return _end(task, result, stopper.code)


def _task(options: RunOptions, photos_dir: Path, journal: CaptionJournal) -> _Task:
    """Look at the library and the journal, and say what is done already."""
    found = walk(photos_dir)
    for warning in found.warnings:
        log.warning(warning)
    if options.videos:
        open_videos(found)
    if not options.force:
        redo_mock, videos = not options.mock, options.videos
        load_records(journal, found, photos_dir, options.retry_statuses, redo_mock=redo_mock, videos=videos)
    if sentence := keep_shard(found, options.shard):
        log.info(sentence)
    prompt = None if options.mock else prompt_mark(options.prompt)
    if not options.dry_run:
        _say_what_is_done(journal, found, prompt)
    pending = found.photos if options.dry_run else pending_photos(journal, found)
    return _Task(options, photos_dir, journal, found, pending, prompt)


def _caption(
    task: _Task, backend: CaptionBackend, decoders: Sequence[PictureSource] | None, stopper: Stopper
) -> Result:
    """Make the captions and say what came of it."""
    options, journal = task.options, task.journal
    spending = _spending(options, backend)
    if options.force and (backup := journal.set_aside()):
        log.info(f"The old captions are kept as {backup.name}.")
    workers = _workers(options, backend)
    label = MOCK if options.mock else f"{options.backend}/{backend.model}"
    _say_what_begins(task, backend, label, workers)
    stopper.graceful = True
    watch = SameAnswerWatch()

    def seen(outcome: Outcome) -> None:
        progress.seen(outcome)
        if backend.checked and (warning := watch.see(outcome)):
            log.warning(warning)

    total = len(task.found.photos)
    done = total - len(task.pending)
    with Progress(total, done=done, quota=task.quota, spent=_spent(spending)) as progress:
        result = drive(
            caption_photos(
                task.pending[: task.quota],
                Captioner(backend, label, stop=stopper.event, spending=spending),
                decoders if decoders is not None else local_decoders(MAX_SIDE, videos=options.videos),
                workers=workers,
            ),
            _keep_dry_run(journal) if options.dry_run else _keep(journal, task.prompt),
            stop=stopper.event,
            photos_dir=task.photos_dir,
            redone=frozenset(journal.redo),
            seen=seen,
        )
    _summarise(task, result)
    if backend.host:
        log.info(_used(spending))
    return result


def _say_what_begins(task: _Task, backend: CaptionBackend, label: str, workers: int) -> None:
    counts = f"{task.quota:,} of {len(task.found.photos):,} photos"
    if task.options.dry_run:
        log.info(f"Opening {counts}, without captioning them.")
    else:
        at_once = max(workers, backend.copies * backend.batch_size)
        log.info(f"Captioning {counts} with {label}, {at_once} at a time.")
    if backend.host and all(entry.get("model") != label for entry in task.journal.records.values()):
        log.info(
            f"The bare pixels of your photos go to {backend.host}; what that means: docs/api_providers.md"
        )
    if sentence := _ends_soon(backend):
        log.warning(sentence)


def _begin(journal: CaptionJournal) -> None:
    allow_open_files()
    start_log(journal.path.with_name("caption.log"), "--captions-jsonl")
    if warning := copies_warning(journal.path):
        log.warning(warning)


def _say_what_is_done(journal: CaptionJournal, found: Walk, prompt: str | None) -> None:
    """Say how many photos are skipped, and how many of their captions were made with another prompt."""
    done = [photo.rel_path for photo in found.photos if journal.is_done(photo.rel_path)]
    if done:
        log.info(tally(done_records(journal, found)).summary())
    entries = done_records(journal, found) if prompt else []
    if others := sum(e["status"] == "success" and e.get("prompt", prompt) != prompt for e in entries):
        log.info(
            f"{count(others, 'caption')} made with another prompt will stay. To make all captions again with this one, "
            "add --force; the old journal is kept beside the new one."
        )


def _ray(options: RunOptions, stopper: Stopper) -> AbstractContextManager[Cluster]:
    address = options.ray or LOCAL
    log.info("Starting Ray." if address == LOCAL else f"Joining Ray at {address}.")
    return ray_cluster(
        address,
        max_workers=options.max_workers,
        max_side=MAX_SIDE,
        videos=options.videos,
        stop=stopper.event,
    )


def _workers(options: RunOptions, backend: CaptionBackend) -> int:
    if not backend.single_threaded:
        return options.max_workers or backend.max_workers
    if (options.max_workers or 1) > 1:
        log.warning(
            f"{options.backend.capitalize()} backend is single-threaded (GPU memory constraint). Ignoring --max-workers."
        )
    return 1


def _spending(options: RunOptions, backend: CaptionBackend) -> Spending:
    """Return what counts tokens and money.

    Raises:
        StopRunError: there is a budget, and no known price.
    """
    if options.mock:
        return Spending()
    try:
        price = price_of(options.backend, backend.model)
    except StopRunError:
        if options.budget is not None:
            raise
        return Spending()
    tokens = backend_class(options.backend).picture_tokens(backend.model, MAX_SIDE, MAX_SIDE) or 0
    most = price.of(tokens + text_tokens(options.prompt), backend.max_output_tokens)
    return Spending(price, options.budget, most)


def _ends_soon(backend: CaptionBackend) -> str | None:
    """Return a warning about a model that its provider ends soon: new photos will need another one."""
    if backend.end_date is None:
        return None
    days = (backend.end_date - datetime.now(UTC).date()).days
    if days > 60:
        return None
    when = f"ends on {backend.end_date} (in {days} days)" if days > 0 else f"ended on {backend.end_date}"
    return f"{backend.model} {when}: choose another --model, so that one model captions all of the library."


def _spent(spending: Spending) -> Callable[[], Decimal | None]:
    return lambda: spending.cost if spending.price or spending.billed else None


def _used(spending: Spending) -> str:
    lost = f"; {spending.lost:,} requests brought no answer and may be billed too" if spending.lost else ""
    return _used_tokens(spending).removesuffix(".") + f"{lost}."


def _used_tokens(spending: Spending) -> str:
    tokens = f"Used {spending.input_tokens:,} input and {spending.output_tokens:,} output tokens"
    if spending.billed:
        return f"{tokens}: {dollars(spending.cost)} by the server's own bill."
    if spending.price is None:
        return f"{tokens}; their price is not known here."
    return f"{tokens}: {dollars(spending.cost)} at the list prices of {source()}."


def _keep(journal: CaptionJournal, prompt: str | None = None) -> Callable[[list[Outcome]], None]:
    return lambda outcomes: journal.write_many([record(outcome, prompt) for outcome in outcomes])


def _keep_dry_run(journal: CaptionJournal) -> Callable[[list[Outcome]], None]:
    """Write everything to the dry run's own journal; to the real one only broken photos without a record."""
    path = journal.path
    rehearsal = CaptionJournal(path.with_name(f"{path.stem}.dry-run{path.suffix}"))
    rehearsal.clear()

    def keep(outcomes: list[Outcome]) -> None:
        records = [record(outcome) for outcome in outcomes]
        rehearsal.write_many(records)
        journal.write_many(
            [r for r in records if r.status == "error_corrupt" and not journal.is_known(r.rel_path)]
        )

    return keep


def _summarise(task: _Task, result: Result) -> None:
    counted = Tally(result.statuses, result.videos)
    text = f"{'Opened' if task.options.dry_run else 'Captioned'} {count(counted.done, 'photo')}"
    if counted.total:
        text += f" in {result.seconds:,.1f} s ({counted.total / max(result.seconds, 1e-3):,.1f} photos/s)"
    text += f"; {count(counted.errors, 'error')}"
    if failed := sorted(counted.failed.items()):
        text += f" ({', '.join(f'{number:,} {status}' for status, number in failed)})"
    if counted.videos:
        text += f", {count(counted.videos, 'video')}"
    log.info(text + ".")
    if result.unread:
        log.info(
            f"{count(result.unread, 'photo')} could not be read or captioned this time: still to be done."
        )
    if result.gone:
        log.info(f"{count(result.gone, 'photo')} vanished before their turn came.")
    if task.found.other_files:
        log.info(task.found.other_files_line())


def _end(task: _Task, result: Result, signalled: ExitCode | None) -> ExitCode:
    """Say what to do next, and return the exit code."""
    options = task.options
    if result.stopped:
        # The sentence says to run the same command again, which with --force would start again and pay again.
        if options.force:
            raise StopRunError(f"{result.stopped} Without --force: {_again(options)}")
        raise result.stopped
    if signalled is not None:
        go_on = "Begin it again" if options.dry_run else "Go on"
        log.warning(f"Stopped; everything written is safe. {go_on} with: {_again(options)}")
        return signalled
    batch_ended = task.left and options.restart_every and task.quota == options.restart_every != options.limit
    if (result.unread or task.found.unreadable) and not (batch_ended and result.progress):
        raise StopRunError(
            f"Not everything could be read or captioned this time; fix the cause, then try the rest with: {_again(options)}"
        )
    if batch_ended:
        if not result.progress:
            raise StopRunError(
                f"Photos left: {task.left:,}, but this batch brought nothing new: leave out --retry-status, "
                "or fix the cause first."
            )
        log.info(f"Batch complete; photos left: {task.left:,}.")
        code = ExitCode.MORE_TO_DO
    else:
        code = ExitCode.DONE
        log.info(_next_step(task))
    _mention_compact(options, task.journal)
    return code


def _next_step(task: _Task) -> str:
    options = task.options
    if options.dry_run:
        way = _again(options, "--dry-run")
        return f"Nothing was captioned: this was a rehearsal. Caption them with: {way}"
    if task.left:
        return f"Photos left: {task.left:,}. Go on with: {_again(options)}"
    counted = tally(done_records(task.journal, task.found))
    retry = [status for status in _RETRIABLE if counted.statuses[status]]
    if retry:
        failures = count(sum(counted.statuses[status] for status in retry), "failure")
        way = _again(options, "--retry-status", "--limit", adding=("--retry-status", ",".join(retry)))
        return f"Every photo has a record. To try the {failures} again: {way}"
    folder = ("--photos-dir", str(options.photos_dir)) if options.photos_dir else ()
    way = command("stats", "--captions-jsonl", str(options.captions_jsonl), *folder)
    return f"Every photo has a record. Count them with: {way}"


def _mention_compact(options: RunOptions, journal: CaptionJournal) -> None:
    surplus = [f"{journal.repeated:,} older"] if journal.repeated else []
    surplus += [f"{len(journal.malformed):,} malformed"] if journal.malformed else []
    if surplus:
        way = command("compact", "--captions-jsonl", str(options.captions_jsonl))
        log.info(
            f"{journal.name} holds {' and '.join(surplus)} lines that do not count; "
            f'to make "as many lines as photos" true: {way}'
        )


def _again(options: RunOptions, *without: str, adding: tuple[str, ...] = ()) -> str:
    """Return the command that goes on from here: the one that was given, never with --force."""
    extras = [
        BACKENDS[options.backend].extra,
        "ray" if options.ray else "",
        "videos" if options.videos else "",
    ]
    return again(("--force", "--restart-every", *without), adding, filter(None, extras))
