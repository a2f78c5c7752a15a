"""Owns telling refusals from captions: a refusal begins with "I cannot" or "there is no picture".

A photo can show such words too. So only the beginning of the text counts, after a courtesy at most. An apology alone is
not a refusal, and if a description follows, the caption is good. The words of each language are in refusals.txt.
"""

# ruff: noqa: RUF001 (quotation marks of many scripts)

from __future__ import annotations

import re

from engines.phrases import any_of, read

QUOTED = re.compile(r"\"[^\"]*\"|“[^“”]*”|„[^„“”]*[“”]|«[^«»]*»|「[^「」]*」|『[^『』]*』")
"""Quoted words are in the photo."""
_ONLY_A_QUOTE = re.compile(r"^[\"“„«]([^\"“”»]*)[\"“”»]$")
_WITHOUT_SPACES = re.compile(r"[\u0e00-\u109f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LONGEST = 2_000
"""Characters that are looked at; a refusal is shorter."""

_GAP = "[^,،，、]{0,40}?"
_IMAGE = "(?:image|photo|picture|file|attachment)s?"


def expanded(way: str) -> str:
    """Return the regular expression for a way to refuse, as refusals.txt has it."""
    return _GAP.join(f"(?:{part})" for part in way.replace("IMAGE", _IMAGE).split(" ~ "))


_PHRASES = read("refusals.txt")
_REFUSAL = re.compile(any_of(map(expanded, _PHRASES["refuses"])))
# A courtesy is a whole word, where words have spaces between them.
_COURTESY = re.compile(
    r"(?:[\s,.!:;،、，。！…*_#>~`(—–-]|"
    + "|".join(
        f"(?:{row})" + ("" if _WITHOUT_SPACES.search(row) else r"(?!\w)") for row in _PHRASES["courtesy"]
    )
    + ")*"
)
_TURN = re.compile("|".join(_PHRASES["turn"]))
_OFFER = re.compile("|".join(_PHRASES["offer"]))


def is_refusal(text: str) -> bool:
    """Tell whether the text only says that the model cannot or will not describe the photo."""
    plain = _plain(text)
    if not _REFUSAL.match(_COURTESY.sub("", plain, count=1)):
        return False
    parts = [rest for part in _TURN.split(plain) if (rest := _COURTESY.sub("", part, count=1))]
    return bool(parts and _REFUSAL.match(parts[0])) and not any(map(_describes, parts[1:]))


def _plain(text: str) -> str:
    text = _ONLY_A_QUOTE.sub(r"\1", text[:_LONGEST].lower().replace("’", "'").strip(" *_"))
    return QUOTED.sub("“”", text)


def _describes(part: str) -> bool:
    long_enough = len(part.split()) >= 5 or len(_WITHOUT_SPACES.findall(part)) >= 8
    return long_enough and not _OFFER.search(part) and not _REFUSAL.match(part)
