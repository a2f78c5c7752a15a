"""Owns the judgement on refusals: the model says first that it cannot do its work or has no picture.

What a photo shows may be sorry, unable or an error message as well. So a refusal stands at the very beginning, after no
more than a courtesy; an apology alone is none; and where a description follows the caption is good all the same. The
words of each language stand in refusals.txt.
"""

# ruff: noqa: RUF001 (quotation marks of many scripts)

from __future__ import annotations

import re
from typing import NamedTuple

from engines.phrases import Phrase, read

QUOTED = re.compile(r"\"[^\"]*\"|“[^“”]*”|„[^„“”]*[“”]|«[^«»]*»|「[^「」]*」|『[^『』]*』")
"""What is quoted stands in the photo."""
_ONLY_A_QUOTE = re.compile(r"^[\"“„«]([^\"“”»]*)[\"“”»]$")
_WITHOUT_SPACES = re.compile(r"[\u0e00-\u109f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LONGEST = 2_000
"""So many characters tell; a longer text is no refusal that leaves it at that."""

_GAP = "[^,،，、]{0,40}?"
_IMAGE = "(?:image|photo|picture|file|attachment)s?"


class Way(NamedTuple):
    """A way to refuse, and the line of refusals.txt that it stands in."""

    phrase: Phrase
    pattern: re.Pattern[str]


_PHRASES = read("refusals.txt")
WAYS = [
    Way(
        phrase,
        re.compile(_GAP.join(f"(?:{one})" for one in phrase.pattern.replace("IMAGE", _IMAGE).split(" ~ "))),
    )
    for phrase in _PHRASES
    if phrase.kind == "refuses"
]
_OTHERS = {
    kind: [phrase.pattern for phrase in _PHRASES if phrase.kind == kind]
    for kind in ("courtesy", "turn", "offer")
}
_REFUSAL = re.compile("|".join(f"(?:{way.pattern.pattern})" for way in WAYS))
# A courtesy is a whole word, where words have spaces between them.
_COURTESY = re.compile(
    r"(?:[\s,.!:;،、，。！…*_#>~`(—–-]|"
    + "|".join(
        f"(?:{row})" + ("" if _WITHOUT_SPACES.search(row) else r"(?!\w)") for row in _OTHERS["courtesy"]
    )
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


def matching(text: str) -> list[Phrase]:
    """Return the lines of refusals.txt that the text begins with, whatever follows."""
    begin = _COURTESY.sub("", _plain(text), count=1)
    return [way.phrase for way in WAYS if way.pattern.match(begin)]


def _plain(text: str) -> str:
    text = _ONLY_A_QUOTE.sub(r"\1", text[:_LONGEST].lower().replace("’", "'").strip(" *_"))
    return QUOTED.sub("“”", text)


def _describes(part: str) -> bool:
    long_enough = len(part.split()) >= 5 or len(_WITHOUT_SPACES.findall(part)) >= 8
    return long_enough and not _OFFER.search(part) and not _REFUSAL.match(part)
