"""What a person wrote survives a kill or a power cut at any step of setting it, of compacting and of starting over."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from journal import PERSON, CaptionJournal
from tests.helpers.crashes import MODES, Death, Stable, caption, shim, stable, until_one_survives
from tests.helpers.journals import line

__all__ = ["shim", "stable"]  # fixtures

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
]
PHOTOS = ("a ü.jpg", "b.jpg")
OLD = (
    line("old.jpg")
    + line("b.jpg", None, "error_api")
    + line("mine.jpg", "mine", by=PERSON)
    + line("mine.jpg")
)


@pytest.mark.parametrize("mode", MODES)
def test_a_persons_words_survive_a_death_at_any_step(stable: Stable, tmp_path: Path, mode: str) -> None:
    def attempt(path: Path, step: int) -> Death:
        path.write_bytes(OLD)
        death = stable.send("people", path, step, mode, photos=PHOTOS)
        journal = CaptionJournal(path)
        with journal.lock():
            records = journal.load()
            people = {name: entry["caption"] for name, entry in records.items() if entry.get("by")}
            assert people.pop("mine.jpg") == "mine"
            assert set(death.said) <= set(people), "acknowledged but lost"
            assert all(text == caption(name) for name, text in people.items())
        if death.killed:
            assert not stable.send("people", path, photos=PHOTOS).killed
            records = CaptionJournal(path).load()
            assert records.keys() == {"mine.jpg", "new.jpg", *PHOTOS}
            assert all(records[name].get("by") for name in ("mine.jpg", *PHOTOS))
        return death

    survivor = until_one_survives(tmp_path / "deaths", attempt)
    assert {"open", "write", "fsync", "replace"} <= survivor.calls
    assert survivor.said == [*PHOTOS]
