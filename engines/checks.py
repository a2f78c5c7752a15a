"""Owns the check of a caption. The rules never reject a good caption, even one that quotes a refusal.

Rejected are: an empty answer, a refusal, a sentence that the token limit cut off, a repetition loop.
"""

# ruff: noqa: RUF001 (marks of many scripts)

from __future__ import annotations

import math
import re
import zlib
from collections import deque
from operator import eq
from typing import TYPE_CHECKING, NamedTuple

from engines.answers import is_nothing, unwrapped
from engines.refusals import QUOTED, is_refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engines.outcome import Outcome

ALIKE = 20
"""When this many answers in a row are alike, the model does not look at the photos."""

# What servers and SDKs call the reason why an answer ended, in lower case and without a prefix like FINISH_REASON_.
_CUT_OFF = re.compile(
    r"length|.*(?:max|limit|truncat|exceeded|context_length|model_length|incomplete|too_long).*"
)
_FILTERED = re.compile(
    r".*(?:filter|safety|moderat|sensitive|prohibited|blocklist|blocked|content_policy|guardrail).*"
    r"|spii|recitation|image_recitation|flagged"
)
_REFUSED = re.compile(r"refus(?:al|ed)|declined")
_BROKEN_OFF = re.compile(r"abort(?:ed)?|error|cancel(?:l?ed)?|interrupted")

_OPEN_THINKING = re.compile(r"^<think(?:ing)?>(?! (?:is|are) )")
# The end of a sentence, and what may follow it: quotes, brackets, marks of emphasis, a smiley.
_ENDED = re.compile(r"[.!?…。！？।॥؟۔։።။][^\w.!?,;:(\[{<–—-]*_*$")
_WORD = re.compile(r"\w+(?:['’]\w+)?")

_LONGEST = 4_000
"""Characters at the end of a text that are looked at: a loop runs to the end."""
_COMPRESSION = 4.0
"""A text that zlib compresses by more than this repeats itself. Whisper's threshold is 2.4, for half a minute of speech; a
list of people or a refrain reaches 2.5, and a bus timetable 3.9."""
_COVERED = 0.6
# Words in a unit: how often in a row it makes a loop. The same for characters, where words have no spaces between them.
_TIMES_OF_WORDS = {1: 7, 2: 5, 3: 4, **dict.fromkeys(range(4, 26), 3)}
_TIMES_OF_CHARACTERS = {1: 12, 2: 8, 3: 6, 4: 5, **dict.fromkeys(range(5, 26), 4)}
_TIMES_WITHOUT_LETTERS = 40


def one_line(text: str) -> str:
    """Return the text as one line."""
    return " ".join(text.split())


class Judgement(NamedTuple):
    """The caption in a model's answer, as one line, and what is wrong with it or None."""

    caption: str
    problem: str | None


def judged(said: str, finish_reason: str | None = None, prompt: str = "") -> Judgement:
    """Return the caption in a model's answer and what is wrong with it."""
    text = one_line(unwrapped(said, prompt))
    reason = problem(text, finish_reason)
    if reason is None and is_nothing(text):
        reason = f"no caption: the answer was {text[:60]!r}"
    return Judgement(text, reason)


def problem(text: str, finish_reason: str | None = None) -> str | None:
    """Return what is wrong with a caption, given as one line; None if it is good.

    `finish_reason` may be in any spelling: `length`, `MAX_TOKENS`, `maxTokens`, `FINISH_REASON_SAFETY`.
    """
    finish = _plain(finish_reason or "")
    if _FILTERED.fullmatch(finish):
        return "content filter"
    if _REFUSED.fullmatch(finish) or is_refusal(text):
        return "refusal"
    cut_off = bool(_CUT_OFF.fullmatch(finish))
    if not text and cut_off:
        return "cut off by the token limit before a word"
    if not any(character.isalpha() for character in text):
        return "empty caption"
    if _OPEN_THINKING.match(text):
        return "cut off by the token limit while thinking"
    if is_loop(text, cut_off=cut_off):
        return "repetition loop"
    if _ENDED.search(text):
        return None
    if _BROKEN_OFF.fullmatch(finish):
        return f"cut off by the server ({finish})"
    return "cut off by the token limit" if cut_off else None


def _plain(finish_reason: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", finish_reason).lower()
    words = re.sub(r"[^a-z0-9]+", "_", words).strip("_")
    return re.sub(r"^(?:finish_?reason|stop_?reason|done_?reason)_", "", words)


def is_loop(text: str, *, cut_off: bool = False) -> bool:
    """Tell whether most of the text, or a long part at its end, repeats one thing.

    Words in quotes are in the photo, where a sentence may be repeated: only a long run of them is a loop.
    """
    text = text[-_LONGEST:].casefold()
    # One byte for each character: in UTF-8 a script with three bytes a character seems to repeat itself.
    data = text.encode("utf-16-le", "surrogatepass")[::2]
    if len(data) >= 200 and len(data) > _COMPRESSION * len(zlib.compress(data)):
        return True
    unquoted = QUOTED.sub(" ", text)
    return (
        _covers(_WORD.findall(unquoted), _TIMES_OF_WORDS)
        or _covers(unquoted, _TIMES_OF_CHARACTERS)
        or _ends(_WORD.findall(text), _TIMES_OF_WORDS, cut_off=cut_off)
        or _ends(text, _TIMES_OF_CHARACTERS, cut_off=cut_off)
    )


class SameAnswerWatch:
    """Notices from a run's answers that a model does not look at the photos."""

    def __init__(self) -> None:
        self._last: deque[frozenset[str]] = deque(maxlen=ALIKE)
        self._warned = False

    def see(self, outcome: Outcome) -> str | None:
        """Return a warning, only once, if the last answers are all alike."""
        if outcome.status != "success" and not outcome.answered:
            return None
        answer = outcome.caption or outcome.error or ""
        self._last.append(frozenset(_WORD.findall(answer.casefold())) or frozenset(answer))
        if self._warned or len(self._last) < ALIKE:
            return None
        first = self._last[0]
        if not all(len(first & words) >= 0.8 * len(first | words) for words in self._last):
            return None
        self._warned = True
        return (
            f"The last {ALIKE} answers are all alike ({answer[:80]!r}): does this model see pictures at all? "
            "Look at the journal, and if they are wrong stop with Ctrl-C and choose another --model."
        )


def _covers(items: Sequence[str], times: dict[int, int]) -> bool:
    """Tell whether a repeated unit of consecutive items covers most of them."""
    size = len(items)
    for unit, least in times.items():
        shortest = max(least * unit, math.ceil(_COVERED * size))
        if shortest > size:
            break
        middle = items[size - shortest : shortest]  # every long enough run covers it
        if middle[unit:] != middle[:-unit]:
            continue
        again = bytes(map(eq, items, items[unit:]))
        longest = max(map(len, again.split(b"\0")))
        start = again.find(b"\1" * longest)
        if longest + unit >= max(shortest, _least(items[start : start + unit], least) * unit):
            return True
    return False


def _ends(items: Sequence[str], times: dict[int, int], *, cut_off: bool) -> bool:
    """Tell whether the items end in a long run of one unit; a last word that was cut off may follow."""
    for whole in (items, items[:-1]):
        for unit, least in times.items():
            if len(whole) < least * unit:
                break
            if whole[-1] != whole[-1 - unit]:
                continue
            run = _least(whole[-unit:], least if cut_off else 2 * least) * unit
            if len(whole) >= run and whole[-run:-unit] == whole[unit - run :]:
                return True
    return False


def _least(unit: Sequence[str], times: int) -> int:
    """Return how often in a row the unit makes a loop. Characters with a space among them are words: never."""
    letters = "".join(unit)
    if any(map(str.isalpha, letters)):
        return _LONGEST if " " in letters else times
    return max(times, _TIMES_WITHOUT_LETTERS)
