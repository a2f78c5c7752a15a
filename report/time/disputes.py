"""Owns which bursts have captions that contradict each other: another number of the same thing, or other names.

The frames of a burst show the same, so one of two such captions is wrong. It is a hint for people: no caption is changed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from library.forms import singular

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report.naming.naming import Label

_NUMBERS = {word: number for number, word in enumerate("one two three four five six seven eight nine ten eleven twelve".split(), 1)} | {"a": 1, "an": 1}  # fmt: skip
_LINKS = frozenset(
    "and or of in on at with by to for from near under over behind beside while as is are who that which their his her its".split()
)
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*|[.!?]")
_MOST_WORDS = 3
"""Words from a number to the thing that is counted: "two small brown dogs"."""


class _Claims(NamedTuple):
    """What a caption says that another can contradict: how many of what, numbers alone, and names; and all its words."""

    counts: dict[str, set[int]]
    numbers: set[int]
    names: set[str]
    words: set[str]


def disputed(bursts: Sequence[int], labels: Sequence[Label]) -> list[int]:
    """Return the files whose burst has captions that contradict each other.

    Args:
        bursts: for each file the place of the frame that stands for its burst, -1 outside of bursts.
        labels: of all files; only captions count.
    """
    frames: dict[int, list[int]] = defaultdict(list)
    for place, stands in enumerate(bursts):
        if stands >= 0:
            frames[stands].append(place)
    found: list[int] = []
    for inside in frames.values():
        texts = {labels[place].text for place in inside if labels[place].source == "caption" and not labels[place].is_mock}  # fmt: skip
        if any(_contradict(one, other) for one, other in combinations(map(_claims, sorted(texts)), 2)):
            found += inside
    return sorted(found)


def _contradict(one: _Claims, other: _Claims) -> bool:
    if any(one.counts[thing].isdisjoint(other.counts[thing]) for thing in one.counts.keys() & other.counts.keys()):  # fmt: skip
        return True
    if one.numbers and other.numbers and one.numbers.isdisjoint(other.numbers):
        return True
    # A name at the beginning is not known to be one, but it may be the other's.
    return (
        bool(one.names and other.names)
        and one.names.isdisjoint(other.words)
        and other.names.isdisjoint(one.words)
    )


def _claims(caption: str) -> _Claims:
    words = _WORD.findall(caption)
    claims = _Claims(defaultdict(set), set(), set(), set(words))
    has_more = not {"another", "other", "second"}.isdisjoint(map(str.lower, words))  # then one is not all
    for at, word in enumerate(words):
        number = int(word) if word.isdecimal() else _NUMBERS.get(word.lower())
        if number is not None:
            thing = _counted(words[at + 1 : at + 1 + _MOST_WORDS], is_one=number == 1)
            if thing and number == 1 and has_more:
                continue
            if thing:
                claims.counts[thing].add(number)
            elif word.isdecimal():
                claims.numbers.add(number)
        elif word[0].isupper() and at and words[at - 1] not in {".", "!", "?"} and word != "I":
            claims.names.add(word)
    return claims


def _counted(after: Sequence[str], *, is_one: bool) -> str:
    """Return what a number counts, in the singular: the first plural behind it, or behind "one" and "a" the last word."""
    thing = ""
    for word in after:
        if word.lower() in _LINKS or not word[0].isalpha():
            break
        if is_one:
            thing = word.lower()
        elif singular(word.lower()) != word.lower():
            return singular(word.lower())
    return thing
