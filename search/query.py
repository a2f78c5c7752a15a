"""Owns what someone asks for: words, phrases in quotes, dates. The rules of the page's search (templates/query.js)."""

from __future__ import annotations

import calendar
import locale
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import NamedTuple

from library.walk import PICTURE_EXTENSIONS, RAW_EXTENSIONS, VIDEO_EXTENSIONS, extension
from search.words import words_in

FILLERS = frozenset(
    words_in(
        """a an the of in on at with and or by to for from is are my our me some any all this that there show find
        photo photos picture pictures image images pic pics photograph photographs ein eine einen einem einer der die das
        dem den mit von vom im am und auf foto fotos bild bilder"""
    )
)
SEASONS = {
    "spring": (3, 4, 5), "summer": (6, 7, 8), "autumn": (9, 10, 11), "fall": (9, 10, 11), "winter": (12, 1, 2),
}  # fmt: skip
MOST_TERMS = 12
_EXTENSIONS = PICTURE_EXTENSIONS | RAW_EXTENSIONS | VIDEO_EXTENSIONS
_PIECE = re.compile(r'["“”„«»]([^"“”„«»]*)["“”«»]?|[^\s"“”„«»]+')
_ISO = re.compile(r"(\d{4})-(\d\d?)(?:-(\d\d?))?", re.ASCII)
_DOTTED = re.compile(r"(\d\d?)\.(\d\d?)\.(\d{4})", re.ASCII)
_NUMBER = re.compile(r"(\d+)(?:st|nd|rd|th|\.)?", re.ASCII)
_YEAR = re.compile(r"(1[89]|20)\d\d", re.ASCII)


class When(NamedTuple):
    """A part of a date; what is not said is 0 or empty. `is_word`: it is an ordinary word too, as in `may` or `fall`."""

    year: int = 0
    months: tuple[int, ...] = ()
    day: int = 0
    is_word: bool = False


class Span(NamedTuple):
    """The first and the last day that something can have been on, as numbers: 20190701, 20190731."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that a photo must fit: words that stand one after the other, or a date, which can be words too."""

    piece: str
    words: tuple[str, ...]
    is_quoted: bool = False
    when: When | None = None

    @property
    def text(self) -> str:
        return " ".join(self.words)


def terms_of(query: str, *, with_dates: bool) -> list[Term] | None:
    """Return the terms of a query: None where it has no word, none where it has only words that all photos fit."""
    pieces = [match for match, _ in zip(_PIECE.finditer(query), range(MOST_TERMS), strict=False)]
    terms = [Term(match[0], _words(match), match[1] is not None) for match in pieces]
    terms = [term for term in terms if term.words]
    if not terms:
        return None
    if len(terms) > 1:
        terms = [term for term in terms if term.is_quoted or not FILLERS.issuperset(term.words)]
    return _with_dates(terms) if with_dates else terms


def _words(match: re.Match[str]) -> tuple[str, ...]:
    """Return the words of a piece of the query; of the name of a file without its extension."""
    text = match[0] if match[1] is None else match[1]
    kind = extension(text) if match[1] is None else ""
    return tuple(words_in(text[: -len(kind)] if kind in _EXTENSIONS and len(text) > len(kind) else text))


def _with_dates(terms: list[Term]) -> list[Term]:
    """Return the terms with what they say of a date. A day of the month is one only beside a month."""
    has_month = any(_months_of(term) for term in terms if not term.is_quoted)
    return [term if term.is_quoted else replace(term, when=_when(term, has_month)) for term in terms]


def _when(term: Term, has_month: bool) -> When | None:
    text = term.piece.removesuffix(",")
    if iso := _ISO.fullmatch(text):
        return When(int(iso[1]), (int(iso[2]),), int(iso[3] or 0))
    if dotted := _DOTTED.fullmatch(text):
        return When(int(dotted[3]), (int(dotted[2]),), int(dotted[1]))
    if months := _months_of(term):
        return When(months=months, is_word=True)
    number = _NUMBER.fullmatch(text)
    if number and _YEAR.fullmatch(number[1]):
        return When(int(number[1]))
    if number and has_month and len(number[1]) < 4 and 0 < int(number[1]) < 32:
        return When(day=int(number[1]))
    return None


def _months_of(term: Term) -> tuple[int, ...]:
    if len(term.words) != 1:
        return ()
    month = _month_names().get(term.words[0])
    return SEASONS.get(term.words[0], (month,) if month else ())


@cache
def _month_names() -> dict[str, int]:
    """Return the months by their names, long and short, in English and in the language of this machine."""
    names = {"sept": 9}
    before = locale.setlocale(locale.LC_TIME)
    for language in ("C", ""):
        with suppress(locale.Error):
            locale.setlocale(locale.LC_TIME, language)
        for number in range(1, 13):
            for name in (calendar.month_name[number], calendar.month_abbr[number]):
                words = words_in(name)
                if len(words) == 1 and not words[0][0].isdigit():
                    names[words[0]] = number
    locale.setlocale(locale.LC_TIME, before)
    return names


def span_of(text: str) -> Span | None:
    """Return the days of a year, a month, a season or a day, as `2019`, `july 2019`, `2019-07-12`; None for another text."""
    terms = terms_of(text, with_dates=True) or []
    said = [term.when for term in terms if term.when]
    years = [when.year for when in said if when.year]
    months = [when.months for when in said if when.months]
    days = [when.day for when in said if when.day]
    if len(said) < len(terms) or len(years) != 1 or len(months) > 1 or len(days) > 1:
        return None
    among = months[0] if months else (1, 12)
    first, last = min(among), max(among)
    return span(years[0], first, last, *days)


def span(year: int, first: int = 1, last: int = 12, day: int = 0) -> Span | None:
    """Return the days from the first to the last of two months of a year, or one day of the first; None where there is none."""
    with suppress(ValueError):
        begin = date(year, first, day or 1)
        end = date(year, last, day or calendar.monthrange(year, last)[1])
        return Span(number_of(begin), number_of(end))
    return None


def number_of(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day
