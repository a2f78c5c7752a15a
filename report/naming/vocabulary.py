"""Owns the everyday subjects that photos and groups may be called, their themes, and their CLIP prompts. Never loads a model.

The subjects are in vocabulary.txt, which says how it is written and where it comes from.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from library.forms import singular


class Subject(NamedTuple):
    """A subject as it is written with its article, its theme, whether a group of it is called in the singular, and other words.

    `same` are words for the same thing, `kinds` are words for what belongs to it.
    """

    phrase: str
    theme: str
    one: bool
    same: tuple[str, ...]
    kinds: tuple[str, ...]

    @property
    def name(self) -> str:
        """The subject without its article."""
        return re.sub(r"^(an?|the) ", "", self.phrase)


def _read() -> list[Subject]:
    text = Path(__file__).with_name("vocabulary.txt").read_text(encoding="utf-8")
    subjects, theme, one = [], "", False
    for line in text.splitlines():
        if line.startswith("["):
            theme, _, flag = line.strip("[]").partition("; ")
            one = flag == "one"
        elif line and not line.startswith("#"):
            for entry in line.split(";"):
                before, _, kinds = entry.partition("<")
                phrase, _, same = before.partition("=")
                subjects.append(Subject(phrase.strip(), theme, one, _listed(same), _listed(kinds)))
    return subjects


def _listed(words: str) -> tuple[str, ...]:
    return tuple(filter(None, (word.strip() for word in words.split(","))))


SUBJECTS = {subject.name: subject for subject in _read()}
VOCABULARY: tuple[str, ...] = tuple(SUBJECTS)
"""What a photo without a caption may be called: plain words, no two for the same thing."""
THEMES: tuple[str, ...] = tuple(dict.fromkeys(subject.theme for subject in SUBJECTS.values()))


def prompt(subject: str) -> str:
    """Return the sentence that stands for a subject of `VOCABULARY` before CLIP's text encoder.

    CLIP was trained on sentences; "a photo of a {label}." instead of the bare word gained 1.3 points on ImageNet
    (Radford et al. 2021, arXiv:2103.00020, section 3.1.4).
    """
    return f"a photo of {SUBJECTS[subject].phrase}."


def base(words: str) -> str:
    """Return what the forms of a phrase have in common: lower case, each word in the singular."""
    return " ".join(singular(word) for word in words.casefold().split())


def _meanings() -> dict[str, tuple[str, ...]]:
    """Return the subjects that a phrase stands for, by its `base`: first the one that it names, then those it belongs to."""
    named: dict[str, list[str]] = {}
    for name, subject in SUBJECTS.items():
        for words in (name, *subject.same):
            named.setdefault(base(words), []).append(name)
    for name, subject in SUBJECTS.items():
        for words in subject.kinds:
            named.setdefault(base(words), [])
            if name not in named[base(words)]:
                named[base(words)].append(name)
    return {words: tuple(names) for words, names in named.items()}


MEANINGS = _meanings()
WRITTEN = {
    base(words): words
    for subject in SUBJECTS.values()
    for words in (*subject.kinds, *subject.same, subject.name)
}
"""How each phrase of the vocabulary is written: "Christmas tree", "QR code"."""
