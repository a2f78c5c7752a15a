"""Owns reading what a server's reply says apart from an answer: codes, texts, how long to wait."""

from __future__ import annotations

import math
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EPOCH = 1e9
"""From this many seconds on, a wait is a time since 1970; from a thousand times as many, one in milliseconds."""
_NO_WAIT = 31 * 86400.0
"""A longer wait is a mistake of the server."""


def retry_after(headers: Mapping[str, str], body: object) -> float | None:
    """Return the seconds that the server asks to wait; it may say them in five ways. Nonsense counts as none."""
    try:
        if (milliseconds := headers.get("retry-after-ms")) is not None:
            return _bounded(float(milliseconds) / 1000)
        in_body = next(values(body, ("retryDelay",)), "").removesuffix("s")  # as in "19s"
        value = headers.get("retry-after", in_body)
        try:
            return _bounded(float(value))
        except ValueError:
            moment = parsedate_to_datetime(value)
            return _bounded((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None


def _bounded(seconds: float) -> float | None:
    """Return seconds from now, where `seconds` may be meant as a time; None if that makes no sense."""
    if seconds >= _EPOCH * 1000:
        seconds /= 1000
    if seconds >= _EPOCH:
        seconds = max(0.0, seconds - time.time())
    return seconds if math.isfinite(seconds) and 0 <= seconds <= _NO_WAIT else None


def values(body: object, fields: tuple[str, ...]) -> Iterator[str]:
    """Yield the values of these fields, wherever in the body they stand."""
    if isinstance(body, list):
        for item in body:
            yield from values(item, fields)
    elif isinstance(body, dict):
        for name, value in body.items():
            if name in fields and isinstance(value, str | int):
                yield str(value)
            yield from values(value, fields)


def texts(body: object) -> Iterator[str]:
    """Yield the body's texts for people, the most useful first."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, dict):
        yield from (
            text for name in ("message", "error", "detail") if isinstance(text := body.get(name), str)
        )
        yield from texts(body.get("error"))
    elif isinstance(body, list):
        for item in body:
            yield from texts(item)
