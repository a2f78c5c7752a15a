"""Owns what a picture costs in tokens at each provider, by its documented rule, and the detail that is asked for.

Sources and dates: docs/api_providers.md. Backends ask for what `detail` says, and `estimate` reckons with the same.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

_T = TypeVar("_T")

# By the beginning of the model's name, the longest that fits. A whole number is the tokens of a picture at low detail
# (models that count tiles), a fraction the tokens of each patch of 32 pixels.
_OPENAI: dict[str, float] = {
    "gpt-4o": 85,
    "gpt-4o-mini": 2833,
    "gpt-4.1": 85,
    "gpt-4.1-mini": 1.62,
    "gpt-4.1-nano": 2.46,
    "gpt-5": 70,
    "gpt-5-mini": 1.62,
    "gpt-5-nano": 2.46,
    "gpt-5.": 1.2,
    "gpt-5.1": 70,
    "gpt-5.4-mini": 1.62,
    "gpt-5.4-nano": 2.46,
    "gpt-6": 1.2,
    "o1": 75,
    "o3": 75,
    "o4-mini": 1.72,
}
_XAI_TILE, _XAI_TILES = 448, 6


def detail(model: str) -> Literal["low", "high"]:
    """Return the detail to ask an OpenAI model for.

    At 1024 pixels `high` is cheap where patches are counted; where tiles are, it is 8 to 9 times the price of `low`.
    """
    return "low" if isinstance(for_model(_OPENAI, model), int) else "high"


def image_tokens(backend: str, model: str, width: int, height: int) -> int | None:
    """Return the input tokens of one picture of `width` x `height` pixels as it is sent; None if no rule is known."""
    if backend == "openai":
        rule = for_model(_OPENAI, model)
        return (
            rule
            if rule is None or isinstance(rule, int)
            else ceil(rule * ceil(width / 32) * ceil(height / 32))
        )
    if backend == "anthropic":
        return ceil(width / 28) * ceil(height / 28) if model.startswith("claude-") else None
    if backend == "gemini":  # by media_resolution alone: MEDIUM for 2.5 and older, LOW for 3 and later
        return (256 if is_gemini_2(model) else 280) if model.startswith("gemini-") else None
    if backend == "xai":
        tiles = ceil(width / _XAI_TILE) * ceil(height / _XAI_TILE)
        return 256 * (min(tiles, _XAI_TILES) + 1) if model.startswith("grok-") else None
    return None


def is_gemini_2(model: str) -> bool:
    """Tell whether a Gemini model counts and thinks as those before Gemini 3 did."""
    return model.startswith(("gemini-1", "gemini-2"))


def for_model(table: Mapping[str, _T], model: str) -> _T | None:
    """Return the table's entry for a model: the one with the longest name that the model's name begins with."""
    best = max((name for name in table if model.startswith(name)), key=len, default=None)
    return None if best is None else table[best]
