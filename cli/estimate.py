"""Owns the `estimate` command: what a run would cost and take. Needs no key and no extra, calls nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends import BACKENDS
from cli.exit import ExitCode
from cli.log import log
from cli.selection import (
    done_records,
    keep_shard,
    load_records,
    open_videos,
    pending_photos,
    photos_folder,
)
from cli.words import count
from config import load_settings
from costs.estimate import FRAME_SIZE, Estimate, estimate, sample_sizes
from costs.pace import pace
from costs.prices import dollars, is_priced, source
from image_loader import sent_size
from journal import MOCK, CaptionJournal, tally
from library.walk import VIDEO_EXTENSIONS, extension, walk

if TYPE_CHECKING:
    from cli.options import Options
    from library.walk import Walk


def print_estimate(options: Options) -> ExitCode:
    """Print what is left to do, and the tokens, money and time it would take; without a backend, for every provider.

    Raises:
        StopRunError: a folder or journal is not as it must be, or the model is not known.
    """
    folder = photos_folder(options.photos_dir, load_settings())
    found = walk(folder)
    journal = CaptionJournal(options.captions_jsonl)
    for warning in found.warnings:
        log.warning(warning)
    redo_mock, videos = options.backend != MOCK, options.videos
    if videos:
        open_videos(found)
    load_records(
        journal, found, folder, options.retry_statuses, redo_mock=redo_mock, videos=videos, with_stamps=True
    )
    keep_shard(found, options.shard)
    pending = pending_photos(journal, found)
    _print_photos(options, journal, found, len(pending))
    photos, sizes = sample_sizes(pending[: options.limit], _size)

    def row(name: str) -> Estimate:
        model = options.model or BACKENDS[name].default_model or _last_model(journal, name)
        label = MOCK if name == MOCK else f"{name}/{model}"
        workers = options.max_workers
        return estimate(
            name,
            model,
            photos=photos,
            sizes=sizes,
            prompt=options.prompt,
            workers=workers,
            # The journal does not say with how many workers its pace was measured.
            pace=pace(journal.stamps.get(label, ())) if workers is None else None,
            base_url=options.base_url,
        )

    if options.backend:
        _print_one(row(options.backend))
    else:
        _print_all(sorted((row(name) for name in BACKENDS if is_priced(name)), key=lambda row: row.cost))
    return ExitCode.DONE


def _size(path: str) -> tuple[int, int] | None:
    return FRAME_SIZE if extension(path) in VIDEO_EXTENSIONS else sent_size(path)


def _print_photos(options: Options, journal: CaptionJournal, found: Walk, pending: int) -> None:
    total, limit = len(found.photos), options.limit or pending
    limited = f"; --limit {limit:,}" if limit < pending else ""
    print(
        f"Photos remaining:  {min(limit, pending):,} / {total:,} ({total - pending:,} already done{limited})"
    )
    counted = tally(done_records(journal, found))
    if counted.errors or counted.videos:
        print(f"Already done:      {counted.line()}")
    if found.other_files:
        print(found.other_files_line())


def _last_model(journal: CaptionJournal, backend: str) -> str:
    """Return the backend's model that made the last caption here; without --model the hardware chose it."""
    models = (str(entry.get("model", "")) for entry in reversed(journal.records.values()))
    return next((model for model in models if model.startswith(f"{backend}/")), "").removeprefix(
        f"{backend}/"
    )


def _print_one(row: Estimate) -> None:
    print(f"Backend:           {row.backend} / {row.model}")
    if row.input_tokens is None or row.input_cost is None or row.output_cost is None:
        print("Estimated cost:    none")
    else:
        average = round(row.input_tokens / row.photos) if row.photos else 0
        print(f"Estimated tokens:  ~{row.input_tokens:,}  (avg {average:,} tokens/image)")
        print(
            f"Estimated cost:    ~{dollars(row.input_cost)}  (input) + ~{dollars(row.output_cost)}  (output) "
            f"= ~{dollars(row.cost)}"
        )
    workers = count(row.workers, "worker")
    print(f"Estimated time:    ~{_duration(row.seconds)} at {workers} ({_measure(row)})")
    if row.end_date is not None:
        print(f"Model ends:        {row.end_date}")
    if row.input_tokens is not None:
        print(f"Prices:            {source()}")


def _print_all(rows: list[Estimate]) -> None:
    print(f"{'Backend':<38}{'tokens/image':>12}{'cost':>12}{'time':>14}")
    for row in rows:
        average = round((row.input_tokens or 0) / row.photos) if row.photos else 0
        print(
            f"{f'{row.backend} / {row.model}':<38}{average:>12,}{f'~{dollars(row.cost)}':>12}"
            f"{f'~{_duration(row.seconds)}':>14}"
        )
    print(f"Prices: {source()}. Time: {', '.join(sorted({_measure(row) for row in rows}))}.")


def _measure(row: Estimate) -> str:
    return "the pace of this journal" if row.measured else "a first guess of 2026-11"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
