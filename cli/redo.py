"""Owns `--redo`: which captions are made again, and how a second start knows those that were made again already.

A record that takes the place of a caption carries the redo's mark, so that all that is needed stands in the journal. Failures
leave no record, because the old caption stays: they stand in a file beside the journal until all photos had their turn.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import TYPE_CHECKING

from cli.doors import WrongUseError
from cli.selection import model_label
from cli.words import count
from errors import StopRunError
from journal import is_by_person, prompt_mark
from library.disk import sync, sync_folder, write_problem
from library.exclusion import Exclusion

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cli.options import Options
    from journal import CaptionJournal, Entry
    from library.walk import Walk

_AND = re.compile(r"\s+and\s+(?=(?:prompt|tags)\s*(?:\Z|\sand\s)|model\s*=|path\s*=)", re.IGNORECASE)
"""Between conditions, not within the name of a folder."""
_CONDITION = re.compile(r"(?:(prompt|tags)|(model|path)\s*=\s*(\S.*))\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Redo:
    """Which captions are to be made again: those for which all of this is so.

    Attributes:
        text: as it was given.
        prompt: made with another prompt than today's. A caption that does not say its prompt counts as made with today's.
        tags: it has no tags.
        models: globs for who made it.
        paths: patterns for where it is.
    """

    text: str
    prompt: bool
    tags: bool
    models: tuple[str, ...]
    paths: tuple[Exclusion, ...]

    def covers(self, rel_path: str, entry: Entry, prompt: str) -> bool:
        """Tell whether a photo's caption is to be made again; `prompt` is the mark of today's prompt."""
        if entry["status"] != "success" or is_by_person(entry):
            return False
        if self.prompt and entry.get("prompt", prompt) == prompt:
            return False
        if self.tags and "tags" in entry:
            return False
        model = entry.get("model", "").casefold()
        return all(fnmatchcase(model, glob) for glob in self.models) and all(
            path.covers(rel_path) for path in self.paths
        )


def redo_of(text: str) -> Redo:
    """Return what an expression says: conditions joined by `and`."""
    conditions = [_CONDITION.match(part.strip()) for part in _AND.split(text.strip())]
    try:
        found = [condition.groups() for condition in conditions if condition]
        if len(found) < len(conditions):
            raise ValueError
        words = {word.lower() for word, _, _ in found if word}
        values = [(name.lower(), value.strip("\"' ")) for _, name, value in found if name]
        return Redo(
            " ".join(text.split()),
            prompt="prompt" in words,
            tags="tags" in words,
            models=tuple(value.casefold() for name, value in values if name == "model"),
            paths=tuple(Exclusion([value]) for name, value in values if name == "path"),
        )
    except ValueError:
        raise WrongUseError(
            f"--redo {text!r} says nothing: give prompt, tags, model=GLOB or path=GLOB, or several with and between them, as in "
            "'path=2019/* and model=openai/*'."
        ) from None


class Redoing:
    """One redo: the same expression for the same model and prompt, with tags or without.

    Attributes:
        mark: what the records that it makes carry.
        failed: photos that failed since it last came to its end: it does not try them in every batch.
        failures: those of them that failed in this run.
    """

    def __init__(self, redo: Redo, options: Options, journal: Path) -> None:
        self.redo = redo
        self._prompt = prompt_mark(options.prompt)
        label = (options.backend and model_label(options.backend, options.model)) or options.backend
        asked = f"{redo.text}\n{label}\n{self._prompt}" + "\ntags" * bool(options.tags)
        self.mark = sha256(asked.encode("utf-8", "replace")).hexdigest()[:8]
        self.path = journal.with_name(f"{journal.stem}.redo-{self.mark}.jsonl")
        self.failed: set[str] = set()
        self.failures = 0
        with suppress(OSError), self.path.open("rb") as file:
            for line in file:
                with suppress(ValueError, TypeError):  # a kill has torn it
                    self.failed.add(str(json.loads(line)["rel_path"]))

    def choose(self, journal: CaptionJournal, found: Walk) -> list[str]:
        """Let the captions that are to be made again no longer count; return sentences about how many they are."""
        here = {photo.rel_path for photo in found.photos}
        covered = [
            name
            for name, entry in journal.records.items()
            if name in here and self.redo.covers(name, entry, self._prompt)
        ]
        names = [name for name in covered if name not in journal.remade and name not in self.failed]
        made = [name for name in journal.remade if name in here]
        journal.do_again(names, keep=True)
        lines = [f"Captions to make again: {len(names):,}; the old ones stay until the new ones are there."]
        if made:
            lines.append(
                f"This redo has made {count(len(made), 'caption')} again already. To make them once more, give "
                f"--redo '{self.redo.text} and path=*'."
            )
        if self.failed:
            lines.append(f"Failed, and tried again when all others are done: {len(self.failed):,}.")
        unsaid = sum("model" in e and "prompt" not in e for e in journal.records.values())
        if self.redo.prompt and unsaid:
            lines.append(
                f"{count(unsaid, 'caption')} from before 0.2 or by the mock do not say their prompt and stay. Choose them by "
                "model or path."
            )
        return lines

    def note(self, rel_paths: Iterable[str]) -> None:
        """Remember that these photos failed.

        Raises:
            StopRunError: the file cannot be written.
        """
        lines = [json.dumps({"rel_path": rel_path}, ensure_ascii=False) for rel_path in rel_paths]
        if not lines:
            return
        self.failures += len(lines)
        try:
            with self.path.open("ab") as file:
                file.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
                file.flush()
                sync(file.fileno())
        except OSError as error:
            raise StopRunError(write_problem(self.path, error)) from None

    def end(self) -> None:
        """All photos had their turn: the next start may try those that failed."""
        with suppress(OSError):
            os.unlink(self.path)
            sync_folder(self.path.parent)
