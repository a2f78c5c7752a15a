"""Owns one run of `caption.py run`: from checked flags to an exit code. Leaves the work to the engine and driver."""

from __future__ import annotations

import shlex
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backends import BACKENDS, load_backend
from backends.image_tokens import image_tokens
from cli.copies import copies_warning
from cli.exit import ExitCode
from cli.log import log, start_log
from cli.open_files import allow_open_files
from cli.progress import Progress
from cli.selection import Shard, done_records, keep_shard, load_records, pending_photos, photos_folder
from cli.signals import Stopper
from config import load_settings
from costs.estimate import text_tokens
from costs.prices import dollars, price_of, source
from costs.spending import Spending
from engines.checks import Alike
from engines.driver import Result, drive, record
from engines.ray.session import ray_cluster
from engines.threads import caption_photos
from errors import StopRunError
from image_loader import MAX_SIDE
from journal import MOCK, CaptionJournal, Status, Tally, prompt_mark, tally
from library.walk import Walk, walk

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from decimal import Decimal
    from pathlib import Path

    from backends.base import CaptionBackend
    from engines.outcome import Outcome
    from engines.ray.cluster import Cluster

# Never error_corrupt: a broken file stays broken.
_RETRIABLE: tuple[Status, ...] = ("error_api", "error_model")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the user asked for, checked."""

    backend: str
    model: str | None
    photos_dir: Path | None
    captions_jsonl: Path
    prompt: str
    base_url: str | None
    budget: Decimal | None
    max_workers: int | None
    limit: int | None
    retry_statuses: frozenset[Status]
    force: bool
    dry_run: bool
    restart_every: int
    shard: Shard | None
    ray: bool
    ray_address: str | None
    quantize: str | None
    trust_remote_code: bool
    mock_options: dict[str, float]

    @property
    def mock(self) -> bool:
        """Whether the mock makes the captions, whatever --backend says."""
        return self.dry_run or self.backend == MOCK

    @property
    def backend_options(self) -> dict[str, Any]:
        """The backend's further constructor arguments, after model, settings and prompt."""
        if self.mock:
            return self.mock_options
        if self.backend == "local":
            return {"quantize": self.quantize, "trust_remote_code": self.trust_remote_code}
        return {"base_url": self.base_url} if self.base_url else {}


def run(options: RunOptions) -> ExitCode:
    """Caption the photos that have no caption yet.

    Raises:
        StopRunError: the run cannot begin.
        SystemExit: a signal came before the first photo.
    """
    stopper = Stopper()
    settings = load_settings()
    photos_dir = photos_folder(options.photos_dir, settings)
    journal = CaptionJournal(options.captions_jsonl)
    with journal.lock(), ExitStack() as stack:
        _begin(journal)
        found = walk(photos_dir)
        for warning in found.warnings:
            log.warning(warning)
        if not options.force:
            load_records(journal, found, photos_dir, options.retry_statuses, redo_mock=not options.mock)
        if sentence := keep_shard(found, options.shard):
            log.info(sentence)
        prompt = None if options.mock else prompt_mark(options.prompt)
        if not options.dry_run:
            _say_what_is_done(journal, found, prompt)
        name = MOCK if options.mock else options.backend
        pending = found.photos if options.dry_run else pending_photos(journal, found)
        quota = min(len(pending), options.limit or len(pending), options.restart_every or len(pending))
        if not quota:  # no model to load, no key to ask for
            _summarise(options, found, Result())
            return _end(options, journal, found, Result(), quota=0, left=0, signalled=None)
        cluster = stack.enter_context(_ray(options, stopper)) if options.ray else None
        load = cluster.load_backend if cluster else load_backend
        backend = load(name, options.model, settings, options.prompt, **options.backend_options)
        spending = _spending(options, backend)
        if options.force and (backup := journal.set_aside()):
            log.info(f"The old captions are kept as {backup.name}.")
        workers = _workers(options, backend)
        label = MOCK if name == MOCK else f"{name}/{backend.model}"
        counts = f"{quota:,} of {len(found.photos):,} photos"
        if options.dry_run:
            log.info(f"Opening {counts}, without captioning them.")
        else:
            log.info(
                f"Captioning {counts} with {label}, {max(workers, backend.copies * backend.batch_size)} at a time."
            )
        if backend.host and all(entry.get("model") != label for entry in journal.records.values()):
            log.info(
                f"The bare pixels of your photos go to {backend.host}; what that means: docs/api_providers.md"
            )
        if sentence := _ends_soon(backend):
            log.warning(sentence)
        stopper.graceful = True
        alike = Alike()

        def seen(outcome: Outcome) -> None:
            progress.seen(outcome)
            if backend.checked and (warning := alike.see(outcome)):
                log.warning(warning)

        total = len(found.photos)
        with Progress(total, done=total - len(pending), quota=quota, spent=_spent(spending)) as progress:
            result = drive(
                caption_photos(
                    pending[:quota],
                    backend,
                    label,
                    workers=workers,
                    max_side=MAX_SIDE,
                    stop=stopper.event,
                    spending=spending,
                    decoders=cluster.decoders if cluster else None,
                ),
                _keep_dry_run(journal) if options.dry_run else _keep(journal, prompt),
                stop=stopper.event,
                photos_dir=photos_dir,
                redone=frozenset(journal.redo),
                seen=seen,
            )
        _summarise(options, found, result)
        if backend.host:
            log.info(_used(spending))
        return _end(
            options, journal, found, result, quota=quota, left=len(pending) - quota, signalled=stopper.code
        )


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
            f"{_count(others, 'caption')} made with another prompt will stay. To make all captions again with this one, "
            "add --force; the old journal is kept beside the new one."
        )


def _ray(options: RunOptions, stopper: Stopper) -> AbstractContextManager[Cluster]:
    log.info(f"Joining Ray at {options.ray_address}." if options.ray_address else "Starting Ray.")
    return ray_cluster(
        options.ray_address, max_workers=options.max_workers, max_side=MAX_SIDE, stop=stopper.event
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
    tokens = image_tokens(options.backend, backend.model, MAX_SIDE, MAX_SIDE) or 0
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


def _summarise(options: RunOptions, found: Walk, result: Result) -> None:
    counted = Tally(result.statuses, result.videos)
    text = f"{'Opened' if options.dry_run else 'Captioned'} {_count(counted.done, 'photo')}"
    if counted.total:
        text += f" in {result.seconds:,.1f} s ({counted.total / max(result.seconds, 1e-3):,.1f} photos/s)"
    text += f"; {_count(counted.errors, 'error')}"
    if failed := sorted(counted.failed.items()):
        text += f" ({', '.join(f'{count:,} {status}' for status, count in failed)})"
    if counted.videos:
        text += f", {_count(counted.videos, 'video')}"
    log.info(text + ".")
    if result.unread:
        log.info(
            f"{_count(result.unread, 'photo')} could not be read or captioned this time: still to be done."
        )
    if result.gone:
        log.info(f"{_count(result.gone, 'photo')} vanished before their turn came.")
    if found.left_out:
        log.info(found.left_out_line())


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _end(
    options: RunOptions,
    journal: CaptionJournal,
    found: Walk,
    result: Result,
    *,
    quota: int,
    left: int,
    signalled: ExitCode | None,
) -> ExitCode:
    """Say what to do next, and return the exit code."""
    if result.stopped:
        if (
            options.force
        ):  # the sentence says to run the same command again, which would begin anew and pay anew
            raise StopRunError(f"{result.stopped} Without --force: {_command(options)}")
        raise StopRunError(result.stopped)
    if signalled is not None:
        go_on = "Begin it again" if options.dry_run else "Go on"
        log.warning(f"Stopped; everything written is safe. {go_on} with: {_command(options)}")
        return signalled
    batch_ended = left and options.restart_every and quota == options.restart_every != options.limit
    if (result.unread or found.unread) and not (batch_ended and result.progress):
        raise StopRunError(
            f"Not everything could be read or captioned this time; fix the cause, then try the rest with: {_command(options)}"
        )
    if batch_ended:
        if not result.progress:
            raise StopRunError(
                f"Photos left: {left:,}, but this batch brought nothing new: leave out --retry-status, "
                "or fix the cause first."
            )
        log.info(f"Batch complete; photos left: {left:,}.")
        code = ExitCode.MORE_TO_DO
    else:
        code = ExitCode.DONE
        log.info(_next_step(options, journal, found, left))
    _mention_compact(options, journal)
    return code


def _next_step(options: RunOptions, journal: CaptionJournal, found: Walk, left: int) -> str:
    if options.dry_run:
        return f"Nothing was captioned: this was a rehearsal. Caption them with: {_command(options, without=('--dry-run',))}"
    if left:
        return f"Photos left: {left:,}. Go on with: {_command(options)}"
    counted = tally(done_records(journal, found))
    again = [status for status in _RETRIABLE if counted.statuses[status]]
    if again:
        count = sum(counted.statuses[status] for status in again)
        retry = _command(
            options, without=("--retry-status", "--limit"), adding=("--retry-status", ",".join(again))
        )
        return f"Every photo has a record. To try the {_count(count, 'failure')} again: {retry}"
    folder = f" --photos-dir {shlex.quote(str(options.photos_dir))}" if options.photos_dir else ""
    return f"Every photo has a record. Count them with: {_prefix(options)} stats {_journal_flag(options)}{folder}"


def _mention_compact(options: RunOptions, journal: CaptionJournal) -> None:
    surplus = [f"{journal.repeated:,} older"] if journal.repeated else []
    surplus += [f"{len(journal.malformed):,} malformed"] if journal.malformed else []
    if surplus:
        log.info(
            f"{journal.name} holds {' and '.join(surplus)} lines that do not count; "
            f'to make "as many lines as photos" true: {_prefix(options)} compact {_journal_flag(options)}'
        )


def _prefix(options: RunOptions, *, extra: bool = False) -> str:
    needed = [BACKENDS[options.backend].extra, "ray" if options.ray else None] if extra else []
    extras = "".join(f"--extra {name} " for name in needed if name)
    return f"uv run {extras}python {shlex.quote(sys.argv[0])}"


def _journal_flag(options: RunOptions) -> str:
    return f"--captions-jsonl {shlex.quote(str(options.captions_jsonl))}"


def _command(options: RunOptions, *, without: tuple[str, ...] = (), adding: tuple[str, ...] = ()) -> str:
    """Return the command that goes on from here: the one that was given, never with --force."""
    dropped = {"--force", "--restart-every", *without}
    words = ["run"]
    given = iter(sys.argv[1:])
    for word in given:
        name, _, value = word.partition("=")
        if name in dropped:
            if name not in {"--force", "--dry-run"} and not value:
                next(given, None)  # the next word is its value
        elif word != "run" or len(words) > 1:
            words.append(word)
    return f"{_prefix(options, extra=True)} {shlex.join([*words, *adding])}"
