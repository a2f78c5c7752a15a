"""Owns the words of texts: how they are folded, and the forms of a word. The rules of the page's search (templates/words.js)."""

from __future__ import annotations

import functools
import re
import unicodedata

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Scripts without spaces: each character is a word, and what is written together is a phrase."""
_MARKS = re.compile(r"[\W_]+")
_PLAIN_MARKS = re.compile(r"[^a-z0-9]+")

_IRREGULAR = dict(
    pair.split("/")
    for pair in (
        "children/child people/person men/man women/woman mice/mouse geese/goose feet/foot teeth/tooth ran/run swam/swim ate/eat "
        "rode/ride sat/sit stood/stand wore/wear held/hold flew/fly sang/sing"
    ).split()
)
_ENDINGS = (
    (re.compile("ies$"), ("y", "ie")),
    (re.compile("ves$"), ("f", "fe", "ve")),
    (re.compile("([sxzo]|ch|sh)es$"), (r"\1", r"\1e")),
    (re.compile("([^su])s$"), (r"\1",)),
)
_VERB = re.compile("([aeiouy].*)(ing|(?<!e)ed)$")
_DOUBLED = re.compile(r"([bdgmnprt])\1$")
_DIGIT = re.compile(r"\d")


def separated(text: str) -> str:
    """Return the words of a text with one space between them, without regard to case and accents."""
    if text.isascii():
        return _PLAIN_MARKS.sub(" ", text.lower()).strip()
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c)[0] != "M")
    folded = bare.lower().replace("ß", "ss")
    return _MARKS.sub(" ", _UNSPACED.sub(r" \g<0> ", folded)).strip()


def words_in(text: str) -> list[str]:
    return separated(text).split()


@functools.cache
def forms(word: str) -> frozenset[str]:
    """Return what a word may be a form of: words that have one of these in common are the same to a search."""
    if word in _IRREGULAR:
        return frozenset({_IRREGULAR[word]})
    if len(word) <= 3 or _DIGIT.search(word):
        return frozenset({word})
    for pattern, others in _ENDINGS:
        if pattern.search(word):
            found = [pattern.sub(other, word) for other in others]
            break
    else:
        if not _VERB.search(word):
            return frozenset({word})
        stem = word[: -len(_VERB.search(word)[2])]  # type: ignore[index]  # searched above
        found = [stem, stem + "e"]
    return frozenset({word, *found, _DOUBLED.sub(r"\1", found[0])})


@functools.cache
def variants(word: str) -> tuple[str, ...]:
    """Return all words that are the same to a search, the word itself first: the other way round of `forms`."""
    own = forms(word)
    guesses = set(own)
    for form in own:
        guesses |= {plural for plural, one in _IRREGULAR.items() if one == form}
        doubled = form + form[-1]
        for stem in (form, doubled):
            guesses |= {stem + "s", stem + "es", stem + "ing", stem + "ed"}
        if form.endswith("e"):
            guesses |= {form[:-1] + "ing", form[:-1] + "ed", form[:-2] + "ves"}
        guesses |= {form[:-1] + "ies", form[:-1] + "ves"}
    return (word, *sorted(guess for guess in guesses - {word} if forms(guess) & own))
