"""Owns which things a caption names: its noun phrases, and the subjects of the vocabulary behind them. Judges no group.

There is no model here that tells nouns from verbs: words.txt has the words of English captions that are no names, an ending
tells most verbs, and what is left is a noun. A name needs half of a group's captions, so a single mistake does not matter. In
another language nearly every word counts as a noun, and what sets a group apart is mostly one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from library.forms import singular
from report.naming.naming import terms_of
from report.naming.vocabulary import MEANINGS, SUBJECTS, WRITTEN, base

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST = 3
"""Words of a name."""
_TOKEN = re.compile(r"[^\W\d_]+(?:['\-][^\W\d_]+)*|\d+|[^\w\s]")
_TIES = frozenset(("of", "and", "&"))
_PLACES = frozenset("in on at inside by near along through over across under around".split())
_ARTICLES = frozenset("a an the".split())
_BEFORE_NOUNS = _ARTICLES | frozenset("my your his her its our their this these those many".split())
_ENDINGS = re.compile(r"...(?:ing|ed|ly)$")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u0e00-\u0e7f]")
"""Scripts without spaces between words: what stands between two spaces is no name, but pairs of characters can be."""
_JOINED = re.compile(r" (?:of|in|on|at|with|and|from|being) ")


class Mention(NamedTuple):
    """A thing that a caption names.

    Attributes:
        key: the same for all words and forms of a thing.
        text: the thing as it stands there, in the singular.
        said: the caption says it by a word for it, not by a word for what belongs to it.
        many: it stands there in the plural.
        counted: one or several are meant, as by "a"; else it may be no thing to count, as "snow".
        main: it is the first thing of the caption, or goes with that by "and" or "of".
        place: what leads to it, as "on the", if it is where something is.
        described: the words before it that say what it is like.
        phrase: the number of the noun phrase it is from.
    """

    key: str
    text: str
    said: bool
    many: bool
    counted: bool
    main: bool
    place: str
    described: tuple[str, ...]
    phrase: int


def _word_lists() -> dict[str, frozenset[str]]:
    lists: dict[str, list[str]] = {}
    name = ""
    for line in Path(__file__).with_name("words.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            name = line.strip("[]")
        elif not line.startswith("#"):
            lists.setdefault(name, []).extend(line.split())
    return {name: frozenset(words) for name, words in lists.items()}


_WORDS = _word_lists()
_BETWEEN, _DESCRIBING, GENERAL = _WORDS["between"], _WORDS["describing"], _WORDS["general"]
VAGUE = _WORDS["vague"]
_VERBS, _THINGS = _WORDS["verbs"], _WORDS["things"]
_OWN = frozenset(words.replace("-", " ") for words in _WORDS["nouns of their own"])
_STARTS: dict[str, int] = {}
"""The most words that a phrase of the vocabulary has, by its first word."""
for _first, *_rest in map(str.split, MEANINGS):
    _STARTS[_first] = max(_STARTS.get(_first, 1), 1 + len(_rest))


@dataclass(slots=True)
class _Chunk:
    """Nouns that stand together, what led to them, and what describes them."""

    nouns: list[str] = field(default_factory=list)
    lead: list[str] = field(default_factory=list)
    described: list[str] = field(default_factory=list)
    is_tied: bool = False


def mentions(text: str) -> tuple[Mention, ...]:
    """Return the things that a caption names, each once, in its order."""
    plain = unicodedata.normalize("NFKC", text).replace("\u2019", "'")
    found: dict[str, Mention] = {}
    main = True
    for number, chunk in enumerate(_chunks(_TOKEN.findall(plain.lower() if plain.isupper() else plain))):
        if found and not chunk.is_tied:
            main = False
        lead = [word.lower() for word in chunk.lead[-2:]]
        last = chunk.nouns[-1].casefold().split()[-1]
        many = last != singular(last)
        counted = many or not {"a", "an", "one", "many"}.isdisjoint(lead)
        way = lead if lead[-1:] and lead[-1] in _ARTICLES else lead[-1:]
        place = " ".join(way) if way and way[0] in _PLACES else ""
        for key, thing, said in _named(chunk.nouns):
            found.setdefault(
                key, Mention(key, thing, said, many, counted, main, place, tuple(chunk.described), number)
            )
    if _UNSPACED.search(plain):
        for term in sorted(terms_of(plain)):
            found.setdefault(term, Mention(term, term, True, False, False, False, "", (), -1))
    return tuple(found.values())


def _chunks(tokens: list[str]) -> Iterator[_Chunk]:
    chunk = _Chunk()
    forms = [singular(word.casefold()) for word in tokens]
    index, starts = 0, True
    while index < len(tokens):
        count = _vocabulary_words(tokens, forms, index)
        # The first word of a sentence has its capital from there, unless the next one has one too.
        words = [
            word.lower()
            if starts and not number and not "".join(tokens[index + 1 : index + 2]).istitle()
            else word
            for number, word in enumerate(tokens[index : index + max(1, count)])
        ]
        word = words[0].lower()
        starts = word in {".", "!", "?"}
        index += max(1, count)
        led = not chunk.nouns and bool(chunk.described or _BEFORE_NOUNS.intersection(chunk.lead[-1:]))
        if count > 1 or _is_noun(word, known=count == 1, led=led):
            chunk.nouns.append(" ".join(words))
            continue
        if chunk.nouns:
            yield chunk
            chunk = _Chunk(is_tied=word in _TIES)
        if not word[0].isalnum():
            chunk = _Chunk(is_tied=word in _TIES)
        elif word in _BETWEEN or word[0].isdecimal():
            chunk.lead.append("many" if word[0].isdecimal() else word)
            chunk.described.clear()
            chunk.is_tied &= word in _ARTICLES or word in _TIES
        else:
            chunk.described.append(word)
    if chunk.nouns:
        yield chunk


def _vocabulary_words(tokens: list[str], forms: list[str], index: int) -> int:
    """Return how many of the next words are a phrase of the vocabulary, 0 for none.

    One with a preposition in it ends its noun phrase: "screenshot of a chat" is none in "screenshot of a chat window".
    """
    most = min(_STARTS.get(forms[index], 0), len(tokens) - index)
    for count in range(most, 0, -1):
        phrase = " ".join(forms[index : index + count])
        if phrase in MEANINGS and not (_JOINED.search(phrase) and _goes_on(tokens, index + count)):
            return count
    return 0


def _goes_on(tokens: list[str], index: int) -> bool:
    return index < len(tokens) and _is_noun(tokens[index].casefold(), known=False, led=False)


def _is_noun(word: str, *, known: bool, led: bool) -> bool:
    """Tell whether a word is a noun: `known` to the vocabulary, `led` to by an article or an adjective."""
    if (
        not word[0].isalpha()
        or len(word) < 2
        or word in _BETWEEN
        or word in _DESCRIBING
        or word.endswith("'s")
    ):
        return False
    if not {word, singular(word)}.isdisjoint(_VERBS):
        return led or word in _THINGS
    if known or not {word, singular(word)}.isdisjoint(_THINGS):
        return True
    return not _ENDINGS.search(word) and not _UNSPACED.search(word)


def _named(nouns: list[str]) -> Iterator[tuple[str, str, bool]]:
    """Yield what a noun phrase stands for, as key, text and whether it is said: its last one to three words, and what they belong to."""
    nouns = list(nouns)
    while nouns and base(nouns[-1]) in GENERAL and base(nouns[-1]) not in MEANINGS:
        nouns.pop()
    phrase = ""
    for start in range(max(0, len(nouns) - _LONGEST), len(nouns)):
        phrase = base(" ".join(nouns[start:]))
        if phrase in MEANINGS:
            yield from _meant(phrase)
        elif len(phrase.split()) <= _LONGEST:
            *before, last = nouns[start:]
            yield phrase, " ".join([*before, _one(last)]), True
    head = phrase.rpartition(" ")[2]
    if head != phrase and head not in GENERAL and phrase not in _OWN and not _JOINED.search(phrase):
        yield from _meant(head) if head in MEANINGS else [(head, head, True)]
    for noun in map(base, nouns[:-1]):
        if noun in MEANINGS:
            yield from _meant(noun)


def _one(noun: str) -> str:
    """Return a noun in the singular; a name, which has a capital, as it is."""
    return singular(noun) if noun.islower() else noun


def _meant(phrase: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the subjects behind a phrase of the vocabulary, and the phrase itself if it is but a kind of them."""
    names = MEANINGS[phrase]
    first = SUBJECTS[names[0]]
    is_first = phrase in {base(words) for words in (first.name, *first.same)}
    yield base(names[0]) if is_first else phrase, WRITTEN[phrase], True
    for name in names[is_first:]:
        yield base(name), name, False
