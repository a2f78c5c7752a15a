"""Owns a run's money: its budget, what it has used, and a model that its provider will end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from backends import backend_class
from cli.words import count
from costs.estimate import text_tokens
from costs.prices import dollars, price_of, source
from costs.spending import Spending
from errors import StopRunError
from image_loader import MAX_SIDE

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from backends.base import CaptionBackend
    from cli.options import RunOptions


def spending_of(options: RunOptions, backend: CaptionBackend) -> Spending:
    """Return what counts tokens and money.

    Raises:
        StopRunError: there is a budget, and no known price.
    """
    if options.mock:
        return Spending()
    try:
        price = price_of(options.backend, backend.model)
    except StopRunError:
        if options.budget is not None:
            raise
        return Spending()
    tokens = backend_class(options.backend).picture_tokens(backend.model, MAX_SIDE, MAX_SIDE) or 0
    most = price.of(tokens + text_tokens(options.asked, tags=backend.tags), backend.max_output_tokens)
    return Spending(price, options.budget, most)


def ends_soon(backend: CaptionBackend) -> str | None:
    """Return a warning about a model that its provider ends soon: new photos will need another one."""
    if backend.end_date is None:
        return None
    days = (backend.end_date - datetime.now(UTC).date()).days
    if days > 60:
        return None
    when = f"ends on {backend.end_date} (in {days} days)" if days > 0 else f"ended on {backend.end_date}"
    return f"{backend.model} {when}: choose another --model, so that one model captions all of the library."


def spent(spending: Spending) -> Callable[[], Decimal | None]:
    """Return a function that says what has been spent so far, None where no price is known."""
    return lambda: spending.cost if spending.price or spending.billed else None


def used(spending: Spending) -> str:
    """Say which tokens were used and what they cost."""
    tiers = ""
    if spending.price and set(spending.tiers) - {"standard"}:
        paid = (
            f"{count(n, 'answer')} at {tier}, {dollars(cost)}"
            for tier, (n, cost) in sorted(spending.tiers.items())
        )
        tiers = f" ({'; '.join(paid)})"
    lost = f"; {spending.lost:,} requests brought no answer and may be billed too" if spending.lost else ""
    return _used_tokens(spending).removesuffix(".") + f"{tiers}{lost}."


def _used_tokens(spending: Spending) -> str:
    tokens = f"Used {spending.input_tokens:,} input and {spending.output_tokens:,} output tokens"
    if spending.billed:
        return f"{tokens}: {dollars(spending.cost)} by the server's own bill."
    if spending.price is None:
        return f"{tokens}; their price is not known here."
    return f"{tokens}: {dollars(spending.cost)} at the list prices of {source()}."
