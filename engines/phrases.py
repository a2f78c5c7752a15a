"""Owns the reading of phrase files: regular expressions with a heading a language."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Phrase(NamedTuple):
    """One line of a phrase file: its number, the heading above it, what it is for, and its regular expression."""

    number: int
    language: str
    kind: str
    pattern: str


def read(name: str) -> list[Phrase]:
    """Return the phrases of a file in this folder.

    Its lines are `[Language]`, `kind pattern`, comments that begin with `#`, or empty.
    """
    phrases = []
    language = ""
    for number, line in enumerate(Path(__file__).with_name(name).read_text("utf-8").splitlines(), 1):
        kind, _, pattern = line.partition(" ")
        if line.startswith("["):
            language = line[1:-1]
        elif line and not line.startswith("#"):
            phrases.append(Phrase(number, language, kind, pattern.strip()))
    return phrases
