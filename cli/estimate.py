"""Owns the `estimate` command: what a run would cost and take. Needs no key and no extra, calls nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backends import BACKENDS
from cli.exit import ExitCode
from cli.log import log
from cli.options import REPLACED
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
from cli.words import count
from config import load_settings
from costs.estimate import FRAME_SIZE, Estimate, Work, estimate, sample_sizes
from costs.pace import pace
from costs.prices import dollars, is_priced, source
from engines.known import Known, find_copies, replaced
from engines.turns import Turns
from image_loader import sent_size
from journal import MOCK, CaptionJournal, prompt_mark, tally
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
    found = walk(folder, options.exclude)
    journal = CaptionJournal(options.captions_jsonl)
    for warning in found.warnings:
        log.warning(warning)
    redo_mock, videos = options.backend != MOCK, options.videos
    if videos:
        open_videos(found)
    redoing = Redoing(options.redo, options, journal.path) if options.redo else None
    load_records(
        journal,
        found,
        folder,
        options.retry_statuses,
        redo_mock=redo_mock,
        videos=videos,
        with_stamps=True,
        redo_mark=redoing.mark if redoing else None,
    )
    keep_shard(found, options.shard)
    again = redoing.choose(journal, found) if redoing else []
    leave_out_stand_ins(found, journal.records)
    if REPLACED in options.retry_statuses:
        journal.do_again(replaced(journal, found.photos))
    known = find_copies(pending_photos(journal, found)[: options.limit], journal, found.photos)
    names = [options.backend] if options.backend else [name for name in BACKENDS if is_priced(name)]
    rows = [_row(name, options, journal, known) for name in names]
    _print_photos(options, journal, found, rows)
    for line in again:
        print(line)
    if options.backend:
        _print_one(rows[0].estimate)
    else:
        _print_all(sorted((row.estimate for row in rows), key=lambda row: row.cost))
    return ExitCode.DONE


def _size(path: str) -> tuple[int, int] | None:
    return FRAME_SIZE if extension(path) in VIDEO_EXTENSIONS else sent_size(path)


@dataclass(frozen=True, slots=True)
class _Row:
    """What a backend would cost, how many photos it would be asked about, and how many would get the caption of another."""

    estimate: Estimate
    asked: int
    carried: int


def _row(name: str, options: Options, journal: CaptionJournal, known: Known) -> _Row:
    label = model_label(name, options.model) or last_label(journal, name) or ""
    copies, others = known.split(
        label, None if name == MOCK else prompt_mark(options.prompt), tags=bool(options.tags)
    )
    turns = Turns(others)
    sample = sample_sizes(next(turns.rounds(), []), _size)
    work = Work(*sample, options.asked, options.max_workers, options.base_url, bool(options.tags))
    # The journal does not say with how many workers its pace was measured.
    measured = pace(journal.stamps.get(label, ())) if options.max_workers is None else None
    made = estimate(name, label.partition("/")[2], work, measured)
    return _Row(made, turns.quota, len(copies) + turns.alike)


def _print_photos(options: Options, journal: CaptionJournal, found: Walk, rows: list[_Row]) -> None:
    total, done = len(found.photos), done_records(journal, found)
    asked, carried = max(row.asked for row in rows), max(row.carried for row in rows)
    limited = f"; --limit {options.limit:,}" if options.limit and asked + carried + len(done) < total else ""
    print(f"Photos remaining:  {asked:,} / {total:,} ({len(done):,} already done{limited})")
    if carried:
        less = "up to " if any(row.carried < carried for row in rows) else ""
        print(
            f"Carried over:      {less}{count(carried, 'caption')} from moved or copied photos, which cost nothing"
        )
    counted = tally(done)
    if counted.errors or counted.videos:
        print(f"Already done:      {counted.line()}")
    for line in found.left_out(journal.records):
        print(line)


def _print_one(row: Estimate) -> None:
    print(f"Backend:           {' / '.join(filter(None, (row.backend, row.model)))}")
    if row.input_tokens is None or row.input_cost is None or row.output_cost is None:
        print("Estimated cost:    none")
    else:
        average = round(row.input_tokens / row.photos) if row.photos else 0
        print(f"Estimated tokens:  ~{row.input_tokens:,}  (avg {average:,} tokens/image)")
        print(
            f"Estimated cost:    ~{dollars(row.input_cost)}  (input) + ~{dollars(row.output_cost)}  (output) "
            f"= ~{dollars(row.cost)}"
        )
        for tier in row.tiers:
            print(f"With --tier {tier + ':':<7}~{dollars(row.cost_at(tier))}, slower")
    workers = count(row.workers, "worker")
    print(f"Estimated time:    ~{_duration(row.seconds)} at {workers} ({_measure(row)})")
    if row.end_date is not None:
        print(f"Model ends:        {row.end_date}")
    if row.input_tokens is not None:
        print(f"Prices:            {source()}")


def _print_all(rows: list[Estimate]) -> None:
    print(f"{'Backend':<38}{'tokens/image':>12}{'cost':>12}{'--tier flex':>13}{'time':>14}")
    for row in rows:
        average = round((row.input_tokens or 0) / row.photos) if row.photos else 0
        flex = f"~{dollars(row.cost_at('flex'))}" if "flex" in row.tiers else "-"
        print(
            f"{f'{row.backend} / {row.model}':<38}{average:>12,}{f'~{dollars(row.cost)}':>12}{flex:>13}"
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
