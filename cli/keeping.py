"""Owns what becomes of a run's outcomes: records in the journal or, in a dry run, in the dry run's journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.driver import record
from journal import CaptionJournal

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.redo import Redoing
    from engines.outcome import Outcome
    from engines.turns import Turns


def keep_records(
    journal: CaptionJournal,
    prompt: str | None = None,
    turns: Turns | None = None,
    redoing: Redoing | None = None,
    carried: Callable[[int], None] = lambda _: None,
) -> Callable[[list[Outcome]], int]:
    """Write records, and with a new caption those of the photos with the same content; tell `carried` how many."""

    def keep(outcomes: list[Outcome]) -> int:
        records = [record(outcome, prompt) for outcome in outcomes]
        copies = [copy for made in records for copy in turns.copies_of(made)] if turns else []
        if redoing:
            redoing.note(r.rel_path for r in records if r.status != "success" and r.rel_path in journal.kept)
        journal.write_many(records + copies)
        carried(len(copies))
        return len(copies)

    return keep


def keep_dry_run(journal: CaptionJournal) -> Callable[[list[Outcome]], int]:
    """Write everything to the dry run's own journal; to the real one only broken photos without a record."""
    path = journal.path
    rehearsal = CaptionJournal(path.with_name(f"{path.stem}.dry-run{path.suffix}"))
    rehearsal.clear()

    def keep(outcomes: list[Outcome]) -> int:
        records = [record(outcome) for outcome in outcomes]
        rehearsal.write_many(records)
        journal.write_many(
            [r for r in records if r.status == "error_corrupt" and not journal.is_known(r.rel_path)]
        )
        return 0

    return keep
