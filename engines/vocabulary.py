"""Owns which words may be a photo's tags: any good ones, or those of the user's own list, in its spelling.

A list has a tag on each line, `Animals > Dog` below another; or it is a keyword export of Lightroom, which shows levels by tabs
and synonyms in braces. A tag with levels is kept as one text, `Animals > Dog`.
"""

# ruff: noqa: RUF001 (marks of many scripts)

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from library.forms import singular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LEAST, MOST = 3, 12
"""Tags of a photo, if all words may be."""
LEVELS = " > "
"""What stands between the levels of a tag."""
_LONGEST, _WORDS = 40, 4
"""Characters and words of a tag; more are a sentence."""
_LISTED = 500
"""A list of up to this many tags goes with every request; from a longer one the model is not told the words."""
_BELOW = re.compile(r"\s*[>|→»]\s*|\s*(?<![\s\d])/\s*")
_AROUND = "\"'“”„‘’«»`*_#•·-–—.,;:!()[]{}<> \t"
_ENDINGS = re.compile(r"(?:e|en|er|n|nen|s)$")


class Vocabulary:
    """The tags that count: those of a list, or without one all that look like a tag."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._tags: dict[str, str] = {}
        """The tags of the list by the keys of what they are called."""
        self._all: list[str] = []
        for levels, synonyms in _read(lines):
            tag = LEVELS.join(levels)
            self._all.append(tag)
            self._tags[_key(tag)] = tag
            for word in (levels[-1], *synonyms):
                self._tags.setdefault(_key(word), tag)

    @property
    def is_strict(self) -> bool:
        """Whether only words of a list count."""
        return bool(self._all)

    def asked(self, prompt: str) -> str:
        """Return the prompt with the words that may be taken, if they are few enough to say them."""
        if not self._all or len(self._all) > _LISTED:
            return prompt
        return (
            f"{prompt}\nTake the tags only from this list, as they are spelled there: {'; '.join(self._all)}."
        )

    def chosen(self, words: Iterable[str]) -> tuple[str, ...]:
        """Return the tags among a model's words: each once, without twins in the plural, `MOST` at most."""
        found: dict[str, str] = {}
        for word in words:
            text = " ".join(unicodedata.normalize("NFC", word).split()).strip(_AROUND)
            if not self._all:
                text = _BELOW.split(text)[-1].strip(_AROUND)
                if (
                    _is_tag(text)
                    and not any(map(text.__eq__, found.values()))
                    and not _twin(text, found.values())
                ):
                    found.setdefault(_key(text), text)
            elif tag := self._tags.get(_key(text)) or self._tags.get(_key(_BELOW.split(text)[-1])):
                found.setdefault(tag, tag)
        return tuple(found.values())[:MOST]


def _read(lines: Iterable[str]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield the levels of each tag of a list, and its synonyms."""
    above: list[tuple[int, str]] = []
    last: tuple[tuple[str, ...], list[str]] | None = None
    for line in lines:
        text = " ".join(unicodedata.normalize("NFC", line.strip("\ufeff")).split())
        if not any(map(str.isalnum, text)) or text.startswith(("# ", "//")):
            continue
        if text.startswith("{") and text.endswith("}"):  # a synonym of the line above
            if last:
                last[1].append(text.strip("{} "))
            continue
        if last:
            yield last
        # A keyword in brackets is one that Lightroom only sorts others by.
        is_group, text = text.startswith("["), text.strip("[]")
        depth = len(line) - len(line.lstrip("\ufeff\t")) - line.startswith("\ufeff")
        above = [one for one in above if one[0] < depth]
        own = [level for level in re.split(r"\s*[>|]\s*", text) if level]
        levels = (*(name for _, name in above), *own)
        above += [(depth, level) for level in own]
        last = (levels, []) if not is_group else None
    if last:
        yield last


def _key(text: str) -> str:
    """Return what is the same for a tag in all its spellings, in the singular and the plural."""
    levels = _BELOW.split(unicodedata.normalize("NFKC", text).casefold())
    return LEVELS.join(
        " ".join([*words[:-1], singular(words[-1])]) for level in levels if (words := _split(level))
    )


def _split(text: str) -> list[str]:
    return re.split(r"[\s_-]+", text.strip(_AROUND)) if text.strip(_AROUND) else []


def _is_tag(text: str) -> bool:
    return any(map(str.isalpha, text)) and len(text) <= _LONGEST and len(text.split()) <= _WORDS


def _twin(text: str, others: Iterable[str]) -> bool:
    """Tell whether a noun with a capital, as German has them, is another's plural or singular: Hund and Hunde, Baum and Bäume."""
    if not text[:1].isupper():
        return False
    return any(other[:1].isupper() and _stem(text) == _stem(other) for other in others)


def _stem(word: str) -> str:
    bare = "".join(
        one for one in unicodedata.normalize("NFD", word.casefold()) if not unicodedata.combining(one)
    )
    return _ENDINGS.sub("", bare) if len(bare) > 4 else bare
