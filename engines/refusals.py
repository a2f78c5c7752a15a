"""Owns the judgement on refusals: the model says first that it cannot do its work or has no picture.

What a photo shows may be sorry, unable or an error message as well. So a refusal stands at the very beginning, after no
more than a courtesy; an apology alone is none; and where a description follows the caption is good all the same. The
words of each language stand in refusals.txt.
"""

# ruff: noqa: RUF001 (quotation marks of many scripts)

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

QUOTED = re.compile(r"\"[^\"]*\"|“[^“”]*”|„[^„“”]*[“”]|«[^«»]*»|「[^「」]*」|『[^『』]*』")
"""What is quoted stands in the photo."""
_ONLY_A_QUOTE = re.compile(r"^[\"“„«]([^\"“”»]*)[\"“”»]$")
_WITHOUT_SPACES = re.compile(r"[\u0e00-\u109f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LONGEST = 2_000
"""So many characters tell; a longer text is no refusal that leaves it at that."""

_FILE = Path(__file__).with_suffix(".txt")
_GAP = "[^,،，、]{0,40}?"
_IMAGE = "(?:image|photo|picture|file|attachment)s?"


class Line(NamedTuple):
    """One way to refuse: its number in refusals.txt, its language and its pattern."""

    number: int
    language: str
    pattern: re.Pattern[str]


def _read() -> tuple[list[Line], dict[str, list[str]]]:
    """Return the ways to refuse, and the patterns of every other kind."""
    ways: list[Line] = []
    others: dict[str, list[str]] = {"courtesy": [], "turn": [], "offer": []}
    language = ""
    for number, line in enumerate(_FILE.read_text("utf-8").splitlines(), 1):
        kind, _, pattern = line.partition(" ")
        if line.startswith("["):
            language = line[1:-1]
        elif kind == "refuses":
            columns = pattern.strip().replace("IMAGE", _IMAGE).split(" ~ ")
            ways.append(Line(number, language, re.compile(_GAP.join(f"(?:{one})" for one in columns))))
        elif line and kind != "#":
            others[kind].append(pattern.strip())
    return ways, others


WAYS, _OTHERS = _read()
_REFUSAL = re.compile("|".join(f"(?:{way.pattern.pattern})" for way in WAYS))
# A courtesy is a whole word, where words have spaces between them.
_COURTESY = re.compile(
    r"(?:[\s,.!:;،、，。！…*_#>~`(—–-]|"
    + "|".join(f"(?:{row})" + ("" if _WITHOUT_SPACES.search(row) else r"(?!\w)") for row in _OTHERS["courtesy"])
    + ")*"
)
_TURN = re.compile("|".join(_OTHERS["turn"]))
_OFFER = re.compile("|".join(_OTHERS["offer"]))


def is_refusal(text: str) -> bool:
    """Tell whether the text says that the model cannot or will not describe the photo, and leaves it at that."""
    plain = _plain(text)
    if not _REFUSAL.match(_COURTESY.sub("", plain, count=1)):
        return False
    parts = [rest for part in _TURN.split(plain) if (rest := _COURTESY.sub("", part, count=1))]
    return bool(parts and _REFUSAL.match(parts[0])) and not any(map(_describes, parts[1:]))


def matching(text: str) -> list[Line]:
    """Return the lines of refusals.txt that the text begins with, whatever follows."""
    begin = _COURTESY.sub("", _plain(text), count=1)
    return [way for way in WAYS if way.pattern.match(begin)]


def _plain(text: str) -> str:
    text = _ONLY_A_QUOTE.sub(r"\1", text[:_LONGEST].lower().replace("’", "'").strip(" *_"))
    return QUOTED.sub("“”", text)


def _describes(part: str) -> bool:
    long_enough = len(part.split()) >= 5 or len(_WITHOUT_SPACES.findall(part)) >= 8
    return long_enough and not _OFFER.search(part) and not _REFUSAL.match(part)
