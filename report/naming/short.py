"""Owns short names: what a person would call a group, a theme or an event, in one to three words. Never opens a model.

A name is a thing that at least half of the captions name and that sets these photos apart from all others; where a model of
pictures and texts is at hand, what it sees decides between such things, and names photos that have no captions. What has
neither keeps its number. A name stays from report to report for as long as half of the captions still name the thing.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from library.forms import plural
from report.naming.phrases import VAGUE, Mention, mentions
from report.naming.vocabulary import SUBJECTS, base

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from report.naming.naming import Label

Mentions = tuple[Mention, ...]

MIXED = "Mixed photos"
"""The name of photos whose captions agree on nothing."""
_HALF = 0.5
_ENOUGH = 0.2
"""So large a part of a group needs captions before they name it against a model."""
_PAIR, _PAIR_EACH = 0.7, 0.3
"""At least this share of the captions names one of two things, and each of them: "Cats and dogs"."""
_SUBJECT_OF = {base(name): subject for name, subject in SUBJECTS.items()}
_VAGUE = 0.5


@dataclass(frozen=True, slots=True)
class ShortName:
    """A name; `keys` are the things behind it, `theme` is what the vocabulary puts them under, or empty."""

    text: str
    keys: tuple[str, ...] = ()
    theme: str = ""


def said(labels: Sequence[Label]) -> list[Mentions | None]:
    """Return the things that each photo's caption and tags name; None without a real caption."""
    shared: dict[Mention, Mention] = {}  # a million captions name the same things
    return [
        tuple(shared.setdefault(thing, thing) for thing in _named_in(label))
        if label.source == "caption" and label.text and not label.is_mock
        else None
        for label in labels
    ]


def _named_in(label: Label) -> Iterable[Mention]:
    """Yield the things that a caption names, and those that only its tags name: each by its last level alone."""
    found = {thing.key: thing for thing in mentions(label.text)}
    for number, tag in enumerate(label.tags, 1):
        for thing in mentions(tag.rpartition(" > ")[2]):
            # No thing of the caption's own phrases, nor its first one.
            found.setdefault(thing.key, thing._replace(main=False, phrase=-number))
    return found.values()


def short_names(
    members: Sequence[Sequence[int]],
    things: Sequence[Mentions | None],
    *,
    seen: Sequence[Sequence[str]] | None = None,
    kept: Mapping[int, str] | None = None,
) -> list[ShortName]:
    """Name sets of photos; a name is empty where nothing is known of them. Two may be alike: see `told_apart`.

    Args:
        members: the photos of each set, as places in `things`.
        things: what the caption of each photo names, of the whole library.
        seen: for each set the subjects of the vocabulary that a model finds most typical of it, best first.
        kept: names of an earlier report, by the number of the set.
    """
    whole = Counter(thing.key for some in things if some for thing in some)
    captioned = sum(some is not None for some in things)
    names = []
    for number, rows in enumerate(members):
        texts = [some for row in rows if (some := things[row]) is not None]
        subjects = seen[number] if seen else ()
        old = (kept or {}).get(number, "")
        if subjects and len(texts) < max(2, _ENOUGH * len(rows)):
            names.append(_of_before(old) if old and not texts else _of_subject(subjects[0]))
        elif not texts:
            names.append(_of_before(old))
        else:
            names.append(_kept(old, texts) or _by_captions(texts, whole, captioned, subjects))
    return names


def theme_names(
    gathered: Sequence[Sequence[int]], names: Sequence[ShortName], sizes: Sequence[int]
) -> list[str]:
    """Name themes by what the vocabulary puts most of their photos under, else by their largest groups; no two alike.

    Args:
        gathered: for each theme its groups, largest first; the largest theme comes first.
        names: of the groups; an empty one says nothing.
        sizes: how many photos each group has.
    """
    found: list[str] = []
    for inside in gathered:
        photos = Counter[str]()
        for group in inside:
            photos[names[group].theme] += sizes[group]
        theme, number = photos.most_common(1)[0]
        told = [names[group].text for group in inside if names[group].text and names[group].text != MIXED]
        largest = " and ".join([*told[:1], *map(lowered, told[1:2])]) or MIXED
        name = theme if theme and 2 * number >= photos.total() and theme not in found else largest
        alone, count = name, 2
        while name in found:
            name, count = f"{alone} {count}", count + 1
        found.append(name)
    return found


def _by_captions(
    texts: Sequence[Mentions], whole: Counter[str], captioned: int, subjects: Sequence[str]
) -> ShortName:
    ranked = _ranked(texts, whole, captioned, subjects)
    holders = sum(any(thing.key in ranked[:1] for thing in some) for some in texts)
    two = _of_two(texts, whole, captioned) if holders < _PAIR * len(texts) else None
    if ranked and not (two and ranked[0] in two.keys):
        return _of_thing(ranked[0], texts)
    return two or _of_theme(texts) or ShortName(MIXED)


def _ranked(
    texts: Sequence[Mentions], whole: Counter[str], captioned: int, subjects: Sequence[str]
) -> list[str]:
    """Return the things that half of the texts name, the best name first.

    The share of the texts that name it, squared, times the log of how much more often they do than all others: the first
    thing of a caption counts three times what stands elsewhere in it, a subject that the model sees up to half as much more.
    """
    count, others = len(texts), captioned - len(texts)
    here = Counter(thing.key for some in texts for thing in some)
    main = Counter(thing.key for some in texts for thing in some if thing.main)
    literal = Counter(thing.key for some in texts for thing in some if thing.said)
    rank = {base(subject): place for place, subject in enumerate(subjects)}
    scores = {}
    for key, number in here.items():
        if number < max(_HALF * count, min(2, count)):
            continue
        share, elsewhere = number / count, (whole[key] - number + 1) / (others + 2)
        score = share**2 * math.log1p(share / elsewhere) * (1 + 2 * main[key] / number)
        score *= 1 + 0.5 / (1 + rank[key]) if key in rank else 1
        score *= 1.1 if key in _SUBJECT_OF else 1
        score *= 0.9 + 0.1 * literal[key] / number
        score *= _VAGUE if key.rpartition(" ")[2] in VAGUE else 1
        scores[key] = score
    return sorted(scores, key=lambda key: (-scores[key], -len(key), key))


def _of_thing(key: str, texts: Sequence[Mentions]) -> ShortName:
    return ShortName(worded(key, texts), (key,), _theme_of(key))


def worded(key: str, texts: Sequence[Mentions]) -> str:
    """Return how a person would name a thing of these texts: by the word they use most, several in the plural."""
    found = [thing for some in texts for thing in some if thing.key == key]
    subject = _SUBJECT_OF.get(key)
    words = Counter(base(thing.text) for thing in found if thing.said)
    if words:
        commonest = words.most_common(1)[0][0]
        text = next(thing.text for thing in found if thing.said and base(thing.text) == commonest)
    else:
        text = subject.name if subject else found[0].text
    return capital(_form(text, key, found, len(texts)))


def _form(text: str, key: str, found: Sequence[Mention], photos: int) -> str:
    """Return a thing in the plural if a person would: not the place where all of it is, nor what is no thing to count."""
    subject = _SUBJECT_OF.get(key)
    if subject and subject.phrase == plural(subject.phrase):
        return plural(text)
    if photos == 1 or (subject and subject.one):
        return text
    number = len(found)
    if 2 * sum(bool(thing.place) for thing in found) > number:
        return text
    if subject and not subject.phrase.startswith(("a ", "an ")):
        return text
    counted = sum(thing.counted for thing in found)
    return plural(text) if subject or 3 * counted >= number else text


def _of_subject(name: str) -> ShortName:
    """Name photos by what a model sees, without a caption."""
    subject = SUBJECTS[name]
    several = not subject.one and subject.phrase.startswith(("a ", "an "))
    return ShortName(capital(plural(name) if several else name), (base(name),), subject.theme)


def _of_two(texts: Sequence[Mentions], whole: Counter[str], captioned: int) -> ShortName | None:
    """Return "Cats and dogs" where one of the two is in most texts, and both hardly ever."""
    count, others = len(texts), captioned - len(texts)
    holders: dict[str, set[int]] = {}
    for place, some in enumerate(texts):
        for thing in some:
            if thing.main:
                holders.setdefault(thing.key, set()).add(place)
    frequent = [
        key
        for key, inside in sorted(holders.items(), key=lambda item: (-len(item[1]), item[0]))
        if len(inside) >= max(2, _PAIR_EACH * count)
        and len(inside) * (others + 1) > count * (whole[key] - len(inside))
    ]
    for place, one in enumerate(frequent):
        for other in frequent[place + 1 :]:
            both, either = holders[one] & holders[other], holders[one] | holders[other]
            if len(either) >= _PAIR * count and 10 * len(both) < len(either):
                names = [_of_thing(key, texts) for key in (one, other)]
                theme = names[0].theme if names[0].theme == names[1].theme else ""
                return ShortName(f"{names[0].text} and {lowered(names[1].text)}", (one, other), theme)
    return None


def _of_theme(texts: Sequence[Mentions]) -> ShortName | None:
    """Return the theme of the vocabulary that most texts begin with a subject of."""
    themes = Counter(
        theme for some in texts for theme in {_theme_of(thing.key) for thing in some if thing.main} if theme
    )
    for theme, number in themes.most_common(1):
        if number >= max(2, _HALF * len(texts)):
            return ShortName(theme, (), theme)
    return None


def _theme_of(key: str) -> str:
    """Return the theme of a thing, or of what it is a kind of by its last word."""
    words = key.split()
    for start in range(len(words)):
        subject = _SUBJECT_OF.get(" ".join(words[start:]))
        if subject:
            return subject.theme
    return ""


def _kept(name: str, texts: Sequence[Mentions]) -> ShortName | None:
    """Return the name of an earlier report if half of the texts still name its thing."""
    before = _of_before(name)
    agree = sum(any(thing.key in before.keys for thing in some) for some in texts)
    return before if before.keys and agree >= _HALF * len(texts) else None


def _of_before(name: str) -> ShortName:
    things = mentions(name)
    keys = tuple(thing.key for thing in things)
    return ShortName(name, keys, next(filter(None, map(_theme_of, keys)), ""))


def capital(text: str) -> str:
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]


def lowered(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:].islower() else text
