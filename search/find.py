"""Owns what is found: the photos by their captions and by their pictures, joined by reciprocal ranks, and why each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from search.captions import condition, ranked
from search.query import terms_of
from search.words import separated, variants

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from report.vectors.embed import Floats
    from search.index import Index, Shown
    from search.pictures import Pictures
    from search.query import Span, Term

Column = Literal["caption", "tags", "path", "names"]
COLUMNS: tuple[Column, ...] = ("caption", "tags", "path", "names")
_DEPTH = 1000
"""Photos of each kind of search that are joined."""
_FLAT = 60
"""Cormack, Clarke and Buettcher (SIGIR 2009): the first of one list counts for less than what is well up in both."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What someone asks for: a query, the days between which photos were taken, and how many to show."""

    query: str
    days: Span | None = None
    limit: int = 20
    by_caption: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """A photo, and why it was found: the words by where they stand, those that stand nowhere, how near its picture is."""

    photo: Shown
    words: dict[Column, list[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    near: float | None = None


def text_for_pictures(query: str) -> str:
    """Return what a query says of the picture: all but its dates; empty where there is nothing else."""
    terms = terms_of(query, with_dates=True) or []
    dates = {term.piece for term in terms if term.when}
    if all(term.when for term in terms):
        return ""
    return " ".join(piece for piece in query.split() if piece not in dates)


def find(
    index: Index, asked: Asked, pictures: Pictures | None = None, text: Floats | None = None
) -> list[Found]:
    """Return the photos that fit best, best first; by their `pictures` too, where there is a vector of the text, (d,)."""
    terms = terms_of(asked.query, with_dates=index.has_dates())
    if terms is None and (asked.query.strip() or not asked.days):
        return []
    terms = terms or []
    must = condition(terms, asked.days)
    lists = [ranked(index, terms, must, asked.limit, _DEPTH)] if asked.by_caption or text is None else []
    near = dict(pictures.ranked(index, text, must, _DEPTH)) if pictures and text is not None else {}
    best = joined([*lists, list(near)])[: asked.limit]
    return [_why(one, terms, near.get(number)) for number, one in zip(best, index.shown(best), strict=True)]


def joined(lists: Iterable[Sequence[int]]) -> list[int]:
    """Return what is in any list, by the sum of 1 / (60 + rank) over the lists."""
    scores: dict[int, float] = defaultdict(float)
    for one in lists:
        for rank, number in enumerate(one, 1):
            scores[number] += 1 / (_FLAT + rank)
    return sorted(scores, key=lambda number: -scores[number])


def _why(photo: Shown, terms: Sequence[Term], near: float | None) -> Found:
    found = Found(photo, near=near)
    texts = {
        "caption": separated(photo.caption or ""),
        "tags": separated(photo.tags),
        "path": separated(photo.path),
        "names": separated(photo.names),
    }
    for term in terms:
        among = COLUMNS[:2] if term.when and not term.when.is_word else COLUMNS
        where = next((column for column in among if _stands_in(term, f" {texts[column]} ")), None)
        if where:
            found.words.setdefault(where, []).append(term.text)
        elif not term.when:
            found.missing.append(term.text)
    return found


def _stands_in(term: Term, text: str) -> bool:
    *before, last = term.words
    begin = " ".join(["", *before, ""])
    return f"{begin}{last}" in text or any(f"{begin}{form} " in text for form in variants(last))
