"""Owns names by a language model: what it is asked about sets of photos, which answers are taken, what stays. Sends nothing.

A set is a group, a theme, an event or a trip. The model gets the captions nearest to its centre, what sets it apart, and what is called
alike, and answers for several sets at once. A name counts if it is short and its nouns stand in the captions. Sets with one
name are asked about a second time. A name stays for as long as half of the captions that it was made of are still in the set.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Protocol

from library.forms import singular
from report.naming.naming import one_line, shorten
from report.naming.phrases import mentions
from report.naming.short import capital
from report.naming.vocabulary import base

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TOGETHER = 8
"""Sets that one question is about."""
_SHOWN = 8
"""Captions of each that the model sees."""
_JUDGED = 200
"""Captions of each by which an answer is judged."""
_LONGEST_CAPTION = 180
_LEAST = 3
"""Fewer captions say no more than a caption."""
_WORDS, _LETTERS = 5, 40
LONGEST_QUESTION = 1_500 + _TOGETHER * (_SHOWN * (_LONGEST_CAPTION + 8) + 400)
"""Characters; no question has more."""
_TASK = """Photos of one family were sorted into {kind}s. Give each {kind} below the name that a person would write on an album:
one to four words, a noun first, in the plural where there are several, in the language of the captions. Name what most of its
captions have in common, with words of those captions, and what tells it from what is called alike. No two names are equal.
Answer with one JSON object and nothing else, a number and a name for each, as in {{"1": "Sports cars", "2": "Birthday cake"}}."""
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019\-][^\W\d_]+)*")


class Asker(Protocol):
    """What puts questions to a language model, which is called `model`."""

    model: str

    def ask(self, questions: Sequence[str], what: str) -> list[str]:
        """Return the answer to each question, empty where there is none; `what` says what they are about."""


class Kept(NamedTuple):
    """A name that a model gave: to what kind of set, the marks of the captions that it was made of, and which model it was.

    Where the name is empty, that model gave none that could be taken: it is not asked again, and paid, for the same.
    """

    kind: str
    name: str
    marks: tuple[str, ...]
    model: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A set of photos to be named.

    Attributes:
        captions: real ones, nearest to its centre first.
        inside: names of what it holds.
        terms: what sets it apart.
        alike: names of what is most like it.
    """

    captions: Sequence[str]
    inside: Sequence[str] = ()
    terms: Sequence[str] = ()
    alike: Sequence[str] = ()

    def words(self) -> frozenset[str]:
        """Return the words that a name may have, in the singular."""
        texts = " ".join((*self.captions[:_JUDGED], *self.inside)).casefold()
        return frozenset(form for word in _WORD.findall(texts) for form in (word, singular(word)))


class NamesByModel:
    """Names sets of photos by what a model has said before and, with an `asker`, by what it says now.

    Attributes:
        made: the names that were used, for the next report.
    """

    def __init__(self, kept: Sequence[Kept] = (), asker: Asker | None = None) -> None:
        self.made: list[Kept] = []
        self._kept = kept
        self._asker = asker

    def names(self, kind: str, subjects: Sequence[Subject]) -> list[str]:
        """Return a name for each set, empty where the model gave none that can be taken; two may be alike in the end.

        Args:
            kind: `group`, `theme`, `event` or `trip`.
            subjects: the sets; one without captions is not asked about.
        """
        found = self._of_before(kind, subjects)
        if self._asker:
            self._ask(kind, subjects, found, self._asker)
        self.made += [
            Kept(kind, one.name, _marks(subjects[place].captions[:_SHOWN]), one.model)
            for place, one in sorted(found.items())
        ]
        return [found[place].name if place in found else "" for place in range(len(subjects))]

    def _ask(self, kind: str, subjects: Sequence[Subject], found: dict[int, Kept], asker: Asker) -> None:
        """Ask about the sets of which nothing is `found`, and once more where the names of two are alike."""
        places = [n for n, one in enumerate(subjects) if n not in found and len(one.captions) >= _LEAST]
        new = self._asked(kind, subjects, places, asker, f"{kind}s")
        found |= {place: Kept(kind, name, (), asker.model) for place, name in new.items()}
        alike = Counter(base(one.name) for one in found.values())
        again = [place for place, name in new.items() if name and alike[base(name)] > 1]
        again.sort(key=lambda place: base(new[place]))  # so that one question has them all
        told = [_beside(one, new.get(place, "")) for place, one in enumerate(subjects)] if again else []
        for place, name in self._asked(kind, told, again, asker, f"{kind}s named alike").items():
            if name and base(name) not in alike:
                found[place] = found[place]._replace(name=name)
                alike[base(name)] += 1

    def _of_before(self, kind: str, subjects: Sequence[Subject]) -> dict[int, Kept]:
        """Return what stays, by place: each goes to the set that has most of its captions, if that is half of them."""
        kept = [one for one in self._kept if one.kind == kind and one.marks]
        if self._asker:
            kept = [one for one in kept if one.name or one.model == self._asker.model]
        of: dict[str, list[int]] = {}
        for place, subject in enumerate(subjects if kept else ()):
            for mark in set(_marks(subject.captions)):
                of.setdefault(mark, []).append(place)
        shared = Counter(
            (number, place)
            for number, one in enumerate(kept)
            for mark in one.marks
            for place in of.get(mark, ())
        )
        found: dict[int, Kept] = {}
        gone: set[int] = set()
        for (number, place), common in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
            one = kept[number]
            if number in gone or place in found or 2 * common < len(one.marks):
                continue
            if not one.name or taken(one.name, subjects[place]):
                gone.add(number)
                found[place] = one
        return found

    def _asked(
        self, kind: str, subjects: Sequence[Subject], places: Sequence[int], asker: Asker, what: str
    ) -> dict[int, str]:
        """Ask about the sets at these places; return what was answered, by place: empty where that cannot be taken."""
        parts = [places[start : start + _TOGETHER] for start in range(0, len(places), _TOGETHER)]
        if not parts:
            return {}
        questions = [question(kind, [subjects[place] for place in part]) for part in parts]
        answers = asker.ask(questions, f"{len(places):,} {what}")
        return {
            place: taken(name, subjects[place])
            for part, answer in zip(parts, answers, strict=True)
            if answer
            for place, name in zip(part, read(answer, len(part)), strict=True)
        }


def question(kind: str, subjects: Sequence[Subject]) -> str:
    """Return what the model is asked about these sets, at most `LONGEST_QUESTION` characters."""
    lines = [_TASK.format(kind=kind)]
    for number, one in enumerate(subjects, 1):
        lines += ["", f"{kind.capitalize()} {number}"]
        for what, words in (("Holds", one.inside), ("Set apart by", one.terms), ("Called alike", one.alike)):
            if words:
                lines.append(f"{what}: {shorten(', '.join(words), 120)}")
        lines += [f"- {shorten(one_line(caption), _LONGEST_CAPTION)}" for caption in one.captions[:_SHOWN]]
    return "\n".join(lines)


def read(answer: str, count: int) -> list[str]:
    """Return the names in an answer, in the order of the sets; empty where it has none."""
    for said in _objects(answer):
        values = said.get("names", said) if isinstance(said, dict) else said
        if isinstance(values, dict):
            values = [values.get(str(number), "") for number in range(1, count + 1)]
        if isinstance(values, list) and len(values) == count and any(values):
            return [name if isinstance(name, str) else "" for name in values]
    return [""] * count


def _objects(answer: str) -> Iterator[object]:
    """Yield the JSON values in a text, the last first: a model may think, and wrap what it says."""
    decoder = json.JSONDecoder()
    found = []
    place = 0
    while begin := re.compile(r"[{\[]").search(answer, place):
        try:
            value, place = decoder.raw_decode(answer, begin.start())
            found.append(value)
        except (ValueError, RecursionError):
            place = begin.end()
    yield from reversed(found)


def taken(name: str, subject: Subject) -> str:
    """Return a name as it is used; empty if it is too long, names nothing, or names what the captions do not."""
    text = one_line(name).strip(" .,;:!?\"'`*_\u201c\u201d\u201e\u00ab\u00bb")
    if not text or len(text) > _LETTERS or len(text.split()) > _WORDS:
        return ""
    nouns = {word for thing in mentions(text) if thing.said for word in _WORD.findall(thing.text.casefold())}
    known = subject.words()
    return capital(text) if nouns and all({word, singular(word)} & known for word in nouns) else ""


def _beside(subject: Subject, name: str) -> Subject:
    """Return a set beside the ones that have its name: the model shall find what tells it from them."""
    return Subject(subject.captions, subject.inside, subject.terms, (name, *subject.alike))


def _marks(captions: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        blake2b(caption.encode("utf-8", "backslashreplace"), digest_size=4).hexdigest()
        for caption in captions
    )
