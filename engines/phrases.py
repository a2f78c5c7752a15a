"""Owns reading phrase files: regular expressions under a heading for each language."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Phrase(NamedTuple):
    """One line of a phrase file: its number, its language, what it is for, and its regular expression."""

    number: int
    language: str
    kind: str
    pattern: str


def read(name: str) -> list[Phrase]:
    """Return the phrases of a file in this folder.

    A line is `[Language]`, `kind pattern`, a comment that begins with `#`, or empty.
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
