"""Owns reading phrase files: regular expressions under a heading for each language."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def read(name: str) -> dict[str, list[str]]:
    """Return the regular expressions of a file in this folder by what they are for, whatever their language.

    A line is `[Language]`, `kind pattern`, a comment that begins with `#`, or empty.
    """
    patterns = defaultdict(list)
    for line in Path(__file__).with_name(name).read_text("utf-8").splitlines():
        kind, _, pattern = line.partition(" ")
        if pattern and not line.startswith(("[", "#")):
            patterns[kind].append(pattern.strip())
    return patterns


def any_of(patterns: Iterable[str]) -> str:
    """Return a regular expression for whatever one of these is for."""
    return "|".join(f"(?:{pattern})" for pattern in patterns)
