"""Owns the dates in names of files and folders: what cameras, phones, messengers, screenshots and people write there."""

from __future__ import annotations

import re
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING

from library.dates import after_noon, date_of, date_of_instant

if TYPE_CHECKING:
    from collections.abc import Collection

    from library.dates import Date

_HASH = re.compile(
    r"(?<![0-9a-f])(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?=\d*[a-f])[0-9a-f]{16,})(?![0-9a-f])",
    re.IGNORECASE,
)
"""Random names, in which eight digits may look like a day."""
_DAY = re.compile(
    r"""(?<!\d)(?P<year>1[89]\d\d|20\d\d)
    (?: (?P<between>[-_.]) (?P<month>\d\d?) (?P=between) (?P<day>\d\d?) (?!\d)
      | (?P<mm>\d\d)(?P<dd>\d\d) (?= (?:\d{6}(?:\d{3})?)? (?!\d)) (?![A-SU-Za-z]) )""",
    re.VERBOSE | re.ASCII,
)
"""2019-07-12, 2019_7_12, 20190712; also before the six digits of a time, or nine with its milliseconds."""
_TIGHT_TIME = re.compile(r"[-_. T]{0,3}(\d\d)(\d\d)(\d\d)(?:\d{3})?(?!\d)", re.ASCII)
_TIME = re.compile(
    r"""(?P<before>[^\d]{1,16}) (?P<hour>\d\d?) (?P<between>[-_.: ]) (?P<minute>\d\d) (?P=between) (?P<second>\d\d) (?!\d)
    (?: \s* (?P<half>[ap])\.?\s?m\b )?""",
    re.VERBOSE | re.IGNORECASE,
)
"""`at 14.30.00`, `um 14.30.00`, `_14_30_00`, `-14-30-00-123`, `at 2.30.00 PM`, and Chinese and Korean halves of the day."""
_MORNING, _AFTERNOON = (
    ("\u4e0a\u5348", "\uc624\uc804", "\u5348\u524d"),
    ("\u4e0b\u5348", "\uc624\ud6c4", "\u5348\u5f8c"),
)
_UTC = re.compile(r"PXL_", re.ASCII)
"""Pixel phones name their photos by the time in UTC; all others by the local time."""
_INSTANT = re.compile(r"(?:FB_IMG_|mmexport|)(1[0-7]\d{11})(?!\d)", re.ASCII)
"""Milliseconds since 1970, as Facebook, WeChat and LINE name what they save."""

# English, German, French, Spanish, Italian, Portuguese and Dutch, January first.
_MONTHS = (
    "january januar janvier enero gennaio janeiro januari", "february februar février febrero febbraio fevereiro februari",
    "march märz mars marzo março maart", "april avril abril aprile", "may mai mayo maggio maio mei",
    "june juni juin junio giugno junho", "july juli juillet julio luglio julho", "august août agosto augustus",
    "september septembre septiembre settembre setembro", "october oktober octobre octubre ottobre outubro",
    "november novembre noviembre novembro", "december dezember décembre diciembre dicembre dezembro",
)  # fmt: skip
_NUMBER = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names.split()}
_MONTH = rf"(?P<name>{'|'.join(_NUMBER)})"
_SPOKEN = (
    re.compile(
        rf"\b(?:(?P<day>\d\d?)\.?\s+(?:de\s+)?)?{_MONTH}\s+(?:de\s+)?(?P<year>\d{{4}})\b", re.IGNORECASE
    ),
    re.compile(rf"\b{_MONTH}\s+(?P<day>\d\d?),?\s+(?P<year>\d{{4}})\b", re.IGNORECASE),
    re.compile(rf"\b(?P<year>\d{{4}})\s+{_MONTH}\b", re.IGNORECASE),
)
_YEAR = r"(?P<year>1[89]\d\d|20\d\d)"
_MONTH_OF_YEAR = re.compile(rf"(?<![\d.-]){_YEAR}[-_.](?P<month>\d\d?)(?!\d)(?![-_.]\d)", re.ASCII)
_SIX_DIGITS = re.compile(rf"{_YEAR}(?P<month>\d\d)(?:_.*)?", re.ASCII)
"""As an iPhone names its folders: `201907__`."""
_LONE_YEAR = re.compile(rf"(?<![^\W_])(?<!\d{{4}}[-.\u2013]){_YEAR}(?![^\W_])(?![-.\u2013]\d)")
_COUNTED = re.compile(r"(\d\d)(?!\d)|(\d)$", re.ASCII)
"""A folder that begins with the number of a month or a day."""


def date_of_name(rel_path: str) -> Date | None:
    """Return the date in the name of a file, at least a day, by the local time of the place; None if there is none."""
    name = rel_path.rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    instant = _INSTANT.match(stem)
    if instant and (instant[0] == stem or instant.start(1)):  # a number alone must be the whole name
        return date_of_instant(int(instant[1]) / 1000)
    stem = _HASH.sub("~", stem)
    for day in _DAY.finditer(stem):
        parts = int(day["year"]), int(day["month"] or day["mm"]), int(day["day"] or day["dd"])
        if not date_of(*parts):
            continue
        clock = _clock(stem, day.end())
        timed = date_of(*parts, clock) if clock else None
        if timed and _UTC.match(stem):
            return date_of_instant(timed.at.replace(tzinfo=UTC).timestamp())
        if timed or not stem[day.end() : day.end() + 1].isdigit():
            return timed or date_of(*parts)
    return None


def _clock(stem: str, start: int) -> tuple[int, int, int] | None:
    """Return the time that stands behind a day, which ends at `start`."""
    if tight := _TIGHT_TIME.match(stem, start):
        hour, minute, second = map(int, tight.groups())
        return hour, minute, second
    if not (found := _TIME.match(stem, start)):
        return None
    hour, before = int(found["hour"]), found["before"]
    half = (found["half"] or "").lower()
    if half == "p" or before.strip().endswith(_AFTERNOON):
        hour = after_noon(hour, is_afternoon=True)
    elif half == "a" or before.strip().endswith(_MORNING):
        hour = after_noon(hour, is_afternoon=False)
    return hour, int(found["minute"]), int(found["second"])


def date_of_folders(rel_path: str) -> Date | None:
    """Return the date in the names of the folders that a file is in; the innermost counts most."""
    return _of_folders(rel_path.rpartition("/")[0])


@lru_cache(1024)
def _of_folders(path: str) -> Date | None:
    date = above = None
    for folder in path.split("/"):
        above = _of_folder(folder) or _counted(folder, above)
        if above and not (date and above.covers(date)):
            date = above
    return date


def _of_folder(name: str) -> Date | None:
    """Return the day, month or year in the name of one folder; of several the month or year that they share."""
    name = _HASH.sub("~", name)
    if six := _SIX_DIGITS.fullmatch(name):
        return _made(six)
    for patterns in ((_DAY,), _SPOKEN, (_MONTH_OF_YEAR,), (_LONE_YEAR,)):
        dates = {date for pattern in patterns for found in pattern.finditer(name) if (date := _made(found))}
        if dates:
            return _shared(dates)
    return None


def _made(found: re.Match[str]) -> Date | None:
    parts = found.groupdict()
    month = parts.get("month") or parts.get("mm") or _NUMBER.get((parts.get("name") or "").casefold()) or 0
    return date_of(int(parts["year"]), int(month), int(parts.get("day") or parts.get("dd") or 0))


def _shared(dates: Collection[Date]) -> Date | None:
    """Return the only date, or else the month or the year that all lie in."""
    first = min(dates)
    if len(dates) == 1:
        return first
    for month in (first.at.month, 0):
        span = date_of(first.at.year, month)
        if span and all(span.covers(date) for date in dates):
            return span
    return None


def _counted(name: str, above: Date | None) -> Date | None:
    """Return the month or day of a folder that only counts it, such as `07` in `2019`, and `12` in that."""
    if above is None or above.precision not in {"year", "month"}:
        return None
    found = _COUNTED.match(name)
    number = int(found[1] or found[2]) if found else _NUMBER.get(name.casefold(), 0)
    if not number:
        return None
    return (
        date_of(above.at.year, number)
        if above.precision == "year"
        else date_of(above.at.year, above.at.month, number)
    )
