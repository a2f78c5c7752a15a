"""Owns how short names that are alike get told apart: by what is said of one group and not of its twins. Finds no name.

"Cars" and "Cars" become "Red cars" and "Cars in the snow", as a person would say it; and "Cars 2" where the captions tell no
difference.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from report.naming.phrases import GENERAL, VAGUE
from report.naming.short import lowered, worded
from report.naming.vocabulary import base

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from report.naming.short import Mentions, ShortName

    _Say = Callable[[Mentions, tuple[str, ...]], set[str]]

_SHARE = 0.5
"""At least this share of the captions of a group says what sets it apart; of each twin, at most half of it."""


def told_apart(
    names: Sequence[ShortName],
    members: Sequence[Sequence[int]],
    things: Sequence[Mentions | None],
    *,
    fixed: Container[int] = (),
) -> list[ShortName]:
    """Make names unlike each other, whatever their case and number; empty ones and those of the sets `fixed` stay.

    Args:
        names: of sets of photos.
        members: the photos of each set, as places in `things`.
        things: what the caption of each photo names.
        fixed: numbers of sets.
    """
    alike: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        if name.text:
            alike.setdefault(base(name.text), []).append(number)
    result = list(names)
    taken = {
        shared for shared, twins in alike.items() if len(twins) == 1 or any(one in fixed for one in twins)
    }
    for twins in alike.values():
        texts = [[some for row in members[one] if (some := things[row])] for one in twins]
        for place, one in sorted(enumerate(twins), key=lambda pair: -len(members[pair[1]])):
            if len(twins) == 1 or one in fixed:
                continue
            others = texts[:place] + texts[place + 1 :]
            text = next(
                each for each in _variants(names[one], texts[place], others) if base(each) not in taken
            )
            taken.add(base(text))
            result[one] = replace(names[one], text=text)
    return result


def _variants(
    name: ShortName, texts: Sequence[Mentions], others: Sequence[Sequence[Mentions]]
) -> Iterator[str]:
    """Yield what a set may be called: by its kind, by what it is like, by where it is or what is with it, by a number."""

    def peculiar(say: _Say) -> list[str]:
        return _peculiar(texts, others, lambda some: say(some, name.keys))

    if not name.keys:
        others = ()
    for key in peculiar(_kinds):
        yield worded(key, texts)
    for word in peculiar(_likes):
        yield f"{word[:1].upper()}{word[1:]} {lowered(name.text)}"
    for key in peculiar(_beside):
        places = Counter(thing.place for some in texts for thing in some if thing.key == key)
        place = places.most_common(1)[0][0]
        if place:
            written = Counter(thing.text for some in texts for thing in some if thing.key == key)
            yield f"{name.text} {place} {written.most_common(1)[0][0]}"
        else:
            yield f"{name.text} with {lowered(worded(key, texts))}"
    yield name.text
    number = 2
    while True:
        yield f"{name.text} {number}"
        number += 1


def _peculiar(
    texts: Sequence[Mentions], others: Sequence[Sequence[Mentions]], say: Callable[[Mentions], set[str]]
) -> list[str]:
    """Return what most of the texts say and hardly any of each of the others, the commonest first."""
    here = _shares(texts, say)
    elsewhere = [_shares(some, say) for some in others]
    return sorted(
        (
            what
            for what, share in here.items()
            if others and share >= _SHARE and all(2 * shares.get(what, 0) <= share for shares in elsewhere)
        ),
        key=lambda what: (-here[what], what),
    )


def _shares(texts: Sequence[Mentions], say: Callable[[Mentions], set[str]]) -> dict[str, float]:
    counts = Counter(what for some in texts for what in say(some))
    return {what: number / len(texts) for what, number in counts.items()}


def _kinds(some: Mentions, keys: tuple[str, ...]) -> set[str]:
    """Return what else the things of a name are called: "golden retriever" for a dog."""
    phrases = {thing.phrase for thing in some if thing.key in keys}
    return {thing.key for thing in some if thing.phrase in phrases and thing.said and thing.key not in keys}


def _likes(some: Mentions, keys: tuple[str, ...]) -> set[str]:
    words = {word for thing in some if thing.key in keys for word in thing.described}
    return {word for word in words if not word.endswith(("'s", "ing"))}


def _beside(some: Mentions, keys: tuple[str, ...]) -> set[str]:
    phrases = {thing.phrase for thing in some if thing.key in keys}
    return {
        thing.key
        for thing in some
        if thing.phrase not in phrases and thing.said and thing.key not in VAGUE | GENERAL
    }
