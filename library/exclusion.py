"""Owns which names `--exclude` leaves out: the rules of .gitignore, upper and lower case alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.walk import folded

if TYPE_CHECKING:
    from collections.abc import Sequence


class Exclusion:
    """What some patterns leave out of a library."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Read the patterns.

        Raises:
            ValueError: one of them is no pattern; the error's text is that one.
        """
        from pathspec import GitIgnoreSpec  # noqa: PLC0415 - takes a tenth of a second, and most runs have no pattern

        self.patterns = tuple(patterns)
        lines = [_line(pattern) for pattern in patterns]
        for pattern, line in zip(patterns, lines, strict=True):
            try:
                read = GitIgnoreSpec.from_lines([line]).patterns
            except ValueError:
                read = []
            if all(one.include is None for one in read):
                raise ValueError(pattern)
        self._spec = GitIgnoreSpec.from_lines(lines)

    def covers(self, rel_path: str) -> bool:
        """Tell whether a file, or a folder with `/` at its end, is left out. What lies in such a folder is too."""
        return self._spec.match_file(folded(rel_path))


def _line(pattern: str) -> str:
    """Return the pattern as a line of .gitignore, where a `#` at the start would make it a comment."""
    return folded(f"\\{pattern}" if pattern.startswith("#") else pattern)
