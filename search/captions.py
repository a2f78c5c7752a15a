"""Owns the search in captions, tags and names: what a query is in SQL, and the photos that fit it, best first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from search.words import variants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from search.index import Index
    from search.query import Span, Term, When


class Condition(NamedTuple):
    """What a photo must fit, as SQL over the table `photos`; an empty one fits all."""

    sql: str
    values: tuple[int | str, ...]


def condition(terms: Sequence[Term], days: Span | None) -> Condition:
    """Return what photos must fit: dates, phrases in quotes, and days between which they were taken."""
    parts: list[str] = []
    values: list[int | str] = []
    if days:
        parts.append("last >= ? AND first <= ?")
        values += days
    for term in terms:
        said = "+id IN (SELECT rowid FROM words WHERE words MATCH ?)"
        if term.when:
            dated, numbers = _dated(term.when)
            parts.append(f"({dated} OR {said})")
            values += [*numbers, _any_form(term) if term.when.is_word else _in_what_is_said(_whole(term))]
        elif term.is_quoted:
            parts.append(said)
            values.append(_any_form(term))
    return Condition(" AND ".join(parts), tuple(values))


def _dated(when: When) -> tuple[str, list[int]]:
    """Return the condition that a photo was taken then; of an unknown month or day it is not known."""
    parts, values = ["first IS NOT NULL"], []
    if when.year:
        parts.append("first / 10000 = ?")
        values.append(when.year)
    if when.months:
        parts.append(
            f"first / 100 = last / 100 AND first / 100 % 100 IN ({', '.join('?' * len(when.months))})"
        )
        values += when.months
    if when.day:
        parts.append("first = last AND first % 100 = ?")
        values.append(when.day)
    return f"({' AND '.join(parts)})", values


def ranked(index: Index, terms: Sequence[Term], must: Condition, enough: int, most: int) -> list[int]:
    """Return the photos that fit, best first: all words in caption and tags, all words, some words.

    The next kind is looked for only as long as there are fewer than `enough`; at most `most` are returned.
    """
    wanted = [term for term in terms if not term.when]
    if not wanted:
        where = f" WHERE {must.sql}" if must.sql else ""
        query = f"SELECT id FROM photos{where} ORDER BY first IS NULL, first, path LIMIT ?"  # noqa: S608 - ours
        return [number for (number,) in index.database.execute(query, (*must.values, most))]
    kinds = [_in_what_is_said(_all(wanted, _whole)), _all(wanted, _any_form)]
    if len(wanted) > 1:
        kinds.append(" OR ".join(map(_any_form, wanted)))
    among = f" AND +rowid IN (SELECT id FROM photos WHERE {must.sql})" if must.sql else ""  # noqa: S608
    query = f"SELECT rowid FROM words WHERE words MATCH ?{among} ORDER BY rank LIMIT ?"  # noqa: S608 - ours
    found: dict[int, None] = {}
    for kind in kinds:
        if len(found) < enough:
            rows = index.database.execute(query, (kind, *must.values, most + len(found)))
            found |= {number: None for (number,) in rows}
    return list(found)[:most]


def _all(terms: Iterable[Term], spell: Callable[[Term], str]) -> str:
    return " AND ".join(map(spell, terms))


def _in_what_is_said(expression: str) -> str:
    return f"{{caption tags}} : ({expression})"


def _whole(term: Term) -> str:
    """Return the FTS5 expression for the words one after the other, the last in all its forms unless it is quoted.

    Words are letters and digits only, so that no text of a user can be anything but a string here.
    """
    *before, last = term.words
    lasts = (last,) if term.is_quoted else variants(last)
    return f"({' OR '.join(_string(*before, one) for one in lasts)})"


def _any_form(term: Term) -> str:
    """Return the same, also where the last word only begins a word."""
    return f"({_whole(term)} OR {_string(*term.words)} *)"


def _string(*words: str) -> str:
    return f'"{" ".join(words)}"'
