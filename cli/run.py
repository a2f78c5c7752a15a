"""Owns one run of `caption.py run`: from checked flags to an exit code. Leaves the work to the engine and driver."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from backends import BACKENDS, load_backend
from cli.copies import copies_warning
from cli.exit import ExitCode
from cli.keeping import keep_dry_run, keep_records
from cli.log import log, start_log
from cli.money import ends_soon, spending_of, spent, used
from cli.open_files import allow_open_files
from cli.options import REPLACED
from cli.progress import Progress
from cli.redo import Redoing
from cli.selection import (
    done_records,
    keep_shard,
    last_label,
    leave_out_stand_ins,
    load_records,
    model_label,
    open_videos,
    pending_photos,
    photos_folder,
)
from cli.signals import Stopper
from cli.words import again, command, count
from config import load_settings
from engines.captioning import Captioner
from engines.checks import SameAnswerWatch
from engines.driver import Result, drive
from engines.known import Known, find_copies, replaced
from engines.ray.session import LOCAL, ray_cluster
from engines.threads import caption_photos, local_decoders
from engines.turns import Turns
from errors import StopRunError
from image_loader import MAX_SIDE
from journal import MOCK, CaptionJournal, Status, Tally, is_by_person, prompt_mark, tally
from library.video import check_packages
from library.walk import walk

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from backends.base import CaptionBackend
    from cli.options import RunOptions
    from engines.outcome import Outcome
    from engines.ray.cluster import Cluster
    from engines.threads import PictureSource
    from library.walk import Walk

# Never error_corrupt: a broken file stays broken.
_RETRIABLE: tuple[Status, ...] = ("error_api", "error_model")


@dataclass(frozen=True, slots=True)
class _Task:
    """One run, once photos and records are known: what is to be done of what is there."""

    options: RunOptions
    photos_dir: Path
    journal: CaptionJournal
    found: Walk
    known: Known
    turns: Turns
    prompt: str | None
    redoing: Redoing | None
    carried: int = 0

    @property
    def total(self) -> int:
        """How many photos the library has."""
        return len(self.found.photos)


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
        label = model_label(options.backend, options.model)
        if label:
            task = _carry_over(task, label)
        if not task.turns.quota:  # no model to load, no key to ask for
            result = Result(carried=task.carried, progress=task.carried)
            _summarise(task, result)
            return _end(task, result, None)
        cluster = stack.enter_context(_ray(options, stopper, task.turns.quota)) if options.ray else None
        load = cluster.load_backend if cluster else load_backend
        name = MOCK if options.mock else options.backend
        backend = load(name, options.model, settings, options.asked, **options.backend_options)
        if not label:
            task = _carry_over(task, f"{options.backend}/{backend.model}")
        result = _caption(task, backend, cluster.decoders if cluster else None, stopper)
        return _end(task, result, stopper.code)


def _task(options: RunOptions, photos_dir: Path, journal: CaptionJournal) -> _Task:
    """Look at the library and the journal, and say what is done already."""
    found = walk(photos_dir, options.exclude)
    for warning in found.warnings:
        log.warning(warning)
    if options.videos:
        open_videos(found)
    redoing = Redoing(options.redo, options, journal.path) if options.redo else None
    if options.force:
        _keep_what_people_wrote(journal)
    else:
        redo_mock, videos, mark = options.backend != MOCK, options.videos, redoing.mark if redoing else None
        load_records(
            journal,
            found,
            photos_dir,
            options.retry_statuses,
            redo_mock=redo_mock,
            videos=videos,
            redo_mark=mark,
        )
    if sentence := keep_shard(found, options.shard):
        log.info(sentence)
    if redoing:
        for line in redoing.choose(journal, found):
            log.info(line)
    leave_out_stand_ins(found, () if options.dry_run else journal.records)
    prompt = None if options.backend == MOCK else prompt_mark(options.prompt)
    if not options.dry_run:
        _look_for_replaced(options, journal, found)
        _say_what_is_done(journal, found, prompt, tags=bool(options.tags))
    known = find_copies(pending_photos(journal, found), journal, found.photos)
    turns = Turns(found.photos if options.dry_run else known.photos, _most(options))
    return _Task(options, photos_dir, journal, found, known, turns, prompt, redoing)


def _keep_what_people_wrote(journal: CaptionJournal) -> None:
    """Load only that: of all other records a forced run knows nothing."""
    with suppress(StopRunError):  # it is no journal, and is set aside as it is
        journal.load()
    journal.forget_machines()


def _look_for_replaced(options: RunOptions, journal: CaptionJournal, found: Walk) -> None:
    """Say how many photos were replaced under their name, or let them be done again if that is asked for."""
    names = replaced(journal, found.photos)
    if REPLACED in options.retry_statuses:
        journal.do_again(names)
    elif names:
        way = _again(options, "--retry-status", "--limit", adding=("--retry-status", REPLACED))
        log.info(
            f"Photos replaced since their records were made: {len(names):,}, such as {names[0]!r}. The records stay; to make "
            f"them again: {way}"
        )


def _most(options: RunOptions) -> int | None:
    """Return how many records this run makes at most."""
    return min((most for most in (options.limit, options.restart_every) if most), default=None)


def _carry_over(task: _Task, model: str) -> _Task:
    """Write the captions that `model` has made of the same photos under other names; return what is left to do."""
    if task.options.dry_run:
        return task
    most = _most(task.options)
    carried, left = task.known.carry_over(
        task.journal, model, task.prompt, most, tags=bool(task.options.tags)
    )
    return replace(task, turns=Turns(left, None if most is None else most - carried), carried=carried)


def _caption(
    task: _Task, backend: CaptionBackend, decoders: Sequence[PictureSource] | None, stopper: Stopper
) -> Result:
    """Make the captions and say what came of it."""
    options, journal = task.options, task.journal
    spending = spending_of(options, backend)
    if options.force and (backup := journal.set_aside()):
        log.info(f"The old captions are kept as {backup.name}.")
    workers = _workers(options, backend)
    label = MOCK if options.mock else f"{options.backend}/{backend.model}"
    _say_what_begins(task, backend, label, workers)
    if not options.dry_run:
        backend.get_ready(task.turns.quota)
    stopper.graceful = True
    watch = SameAnswerWatch()

    def seen(outcome: Outcome) -> None:
        progress.seen(outcome)
        if backend.checked and (warning := watch.see(outcome)):
            log.warning(warning)

    captioner = Captioner(backend, label, stop=stopper.event, spending=spending, vocabulary=options.tags)

    def batches() -> Generator[list[Outcome], None, None]:
        for photos in task.turns.rounds():
            hands = decoders if decoders is not None else local_decoders(MAX_SIDE, videos=options.videos)
            yield from caption_photos(photos, captioner, hands, workers=workers)
            if stopper.event.is_set():
                return

    done = task.total - task.turns.left
    with Progress(task.total, done=done, quota=task.turns.quota, spent=spent(spending)) as progress:
        result = drive(
            batches(),
            keep_dry_run(journal)
            if options.dry_run
            else keep_records(journal, task.prompt, task.turns, task.redoing, progress.carried),
            stop=stopper.event,
            photos_dir=task.photos_dir,
            redone=frozenset(journal.redo),
            seen=seen,
        )
    result.carried += task.carried
    result.progress += task.carried
    _summarise(task, result)
    if backend.host:
        log.info(used(spending))
    return result


def _say_what_begins(task: _Task, backend: CaptionBackend, label: str, workers: int) -> None:
    counts = f"{task.turns.quota:,} of {task.total:,} photos"
    if task.options.dry_run:
        log.info(f"Opening {counts}, without captioning them.")
    else:
        at_once = max(workers, backend.copies * backend.batch_size)
        log.info(f"Captioning {counts} with {label}, {at_once} at a time.")
    if backend.host and all(entry.get("model") != label for entry in task.journal.records.values()):
        log.info(
            f"The bare pixels of your photos go to {backend.host}; what that means: docs/api_providers.md"
        )
    if sentence := ends_soon(backend):
        log.warning(sentence)


def _begin(journal: CaptionJournal) -> None:
    allow_open_files()
    start_log(journal.path.with_name("caption.log"), "--captions-jsonl")
    if warning := copies_warning(journal.path):
        log.warning(warning)


def _say_what_is_done(
    journal: CaptionJournal, found: Walk, prompt: str | None, *, tags: bool = False
) -> None:
    """Say how many photos are skipped, and how many of their captions are otherwise than this run would make them."""
    done = [photo.rel_path for photo in found.photos if journal.is_done(photo.rel_path)]
    if done:
        log.info(tally(done_records(journal, found)).summary())
    entries = done_records(journal, found) if prompt else []
    if others := sum(e["status"] == "success" and e.get("prompt", prompt) != prompt for e in entries):
        log.info(
            f"{count(others, 'caption')} made with another prompt will stay. To make them again with this one, add "
            "--redo prompt."
        )
    if tags and (
        bare := sum(
            e["status"] == "success" and "tags" not in e and not is_by_person(e)
            for e in done_records(journal, found)
        )
    ):
        log.info(
            f"{count(bare, 'caption')} without tags will stay. To make them again with tags, add --redo tags."
        )


def _ray(options: RunOptions, stopper: Stopper, photos: int) -> AbstractContextManager[Cluster]:
    address = options.ray or LOCAL
    log.info("Starting Ray." if address == LOCAL else f"Joining Ray at {address}.")
    return ray_cluster(
        address,
        max_workers=options.max_workers,
        max_side=MAX_SIDE,
        videos=options.videos,
        stop=stopper.event,
        photos=0 if options.dry_run else photos,
    )


def _workers(options: RunOptions, backend: CaptionBackend) -> int:
    if not backend.single_threaded:
        return options.max_workers or backend.max_workers
    if (options.max_workers or 1) > 1:
        log.warning(
            f"{options.backend.capitalize()} backend is single-threaded (GPU memory constraint). Ignoring --max-workers."
        )
    return 1


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
    if sentence := _carried(task, result):
        log.info(sentence)
    if task.redoing and task.redoing.failures:
        log.info(
            f"{count(task.redoing.failures, 'caption')} could not be made again: the old ones stay. When all others are done, "
            "the same command tries these once more."
        )
    if result.unread:
        log.info(
            f"{count(result.unread, 'photo')} could not be read or captioned this time: still to be done."
        )
    if result.no_room:
        log.info(
            f"{count(result.no_room, 'photo')} found no room at --tier {task.options.tier}: still to be done."
        )
    if result.gone:
        log.info(f"{count(result.gone, 'photo')} vanished before their turn came.")
    for line in task.found.left_out(() if task.options.dry_run else task.journal.records):
        log.info(line)


def _carried(task: _Task, result: Result) -> str | None:
    """Say how many captions were carried over or, in a dry run, would be."""
    options, number, would = task.options, result.carried, ""
    if options.dry_run:
        label = model_label(options.backend, options.model) or last_label(task.journal, options.backend)
        copies, others = task.known.split(label or "", task.prompt, tags=bool(options.tags))
        number, would = len(copies) + Turns(others).alike, "would be "
    return f"{count(number, 'caption')} {would}carried over from moved or copied photos." if number else None


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
    turns = task.turns
    batch_ended = turns.left and task.carried + turns.size == options.restart_every != options.limit
    if result.no_room and not (batch_ended and result.progress):
        raise StopRunError(
            f"Not all photos found room at --tier {options.tier}. Later, or without --tier at the full price: {_again(options)}"
        )
    if (result.unread or task.found.unreadable) and not (batch_ended and result.progress):
        raise StopRunError(
            f"Not everything could be read or captioned this time; fix the cause, then try the rest with: {_again(options)}"
        )
    if batch_ended:
        if not result.progress:
            raise StopRunError(
                f"Photos left: {turns.left:,}, but this batch brought nothing new: leave out --retry-status, "
                "or fix the cause first."
            )
        log.info(f"Batch complete; photos left: {turns.left:,}.")
        code = ExitCode.MORE_TO_DO
    else:
        code = ExitCode.DONE
        log.info(_next_step(task))
        if task.redoing and not turns.left and not options.dry_run:
            task.redoing.end()
    _mention_compact(options, task.journal)
    return code


def _next_step(task: _Task) -> str:
    options = task.options
    if options.dry_run:
        way = _again(options, "--dry-run")
        return f"Nothing was captioned: this was a rehearsal. Caption them with: {way}"
    if task.turns.left:
        return f"Photos left: {task.turns.left:,}. Go on with: {_again(options)}"
    everywhere = all(task.journal.is_done(name) for name in task.found.away)
    every = "Every photo" if everywhere else "Every photo that is here"
    counted = tally(done_records(task.journal, task.found))
    retry = [status for status in _RETRIABLE if counted.statuses[status]]
    if retry:
        failures = count(sum(counted.statuses[status] for status in retry), "failure")
        way = _again(options, "--retry-status", "--limit", adding=("--retry-status", ",".join(retry)))
        return f"{every} has a record. To try the {failures} again: {way}"
    folder = ["--photos-dir", str(options.photos_dir)] if options.photos_dir else []
    for pattern in options.exclude.patterns if folder and options.exclude else ():
        folder += ["--exclude", pattern]
    way = command("stats", "--captions-jsonl", str(options.captions_jsonl), *folder)
    return f"{every} has a record. Count them with: {way}"


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
