"""Owns what tokens cost: the list prices of `genai-prices`, with their date. Money is Decimal, in US dollars.

An unknown model is an error that names similar ones, never a price of zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from importlib.metadata import version
from typing import TYPE_CHECKING

from backends import BACKENDS, backend_class
from errors import PackagesError, StopRunError

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

_RELEASED = {"0.2.3": "2026-11-10"}
"""When releases of genai-prices came out; the package itself does not say."""


_TIERS = {"flex": Decimal("0.5"), "priority": Decimal(2)}
"""What service tiers cost, as shares of the list price; others cost the list price. Sources: docs/api_providers.md."""


@dataclass(frozen=True, slots=True)
class Price:
    """What one model's tokens cost at its own provider, as of now."""

    _provider: Provider
    _model: ModelInfo

    def parts(self, input_tokens: int, output_tokens: int) -> tuple[Decimal, Decimal]:
        """Return the dollars of a request's input and of its output."""
        from genai_prices.types import Usage

        cost = self._model.calc_price(
            Usage(input_tokens=input_tokens, output_tokens=output_tokens),
            self._provider,
            genai_request_timestamp=datetime.now(UTC),
        )
        return cost.input_price, cost.output_price

    def of(self, input_tokens: int, output_tokens: int, tier: str | None = None) -> Decimal:
        """Return the dollars of one request that was answered at this service tier; None: the standard one."""
        return sum(self.parts(input_tokens, output_tokens), Decimal(0)) * share_of(tier)


def price_of(backend: str, model: str) -> Price:
    """Return the price of a provider's model.

    Raises:
        StopRunError: it is not known; the sentence names near matches.
    """
    from genai_prices.data_snapshot import get_snapshot

    if not is_priced(backend):
        raise StopRunError(f"No prices are known for the {backend} backend: leave out --budget.")
    kind = backend_class(backend)
    provider = next(p for p in get_snapshot().providers if p.id == kind.price_provider)
    if found := provider.find_model(kind.priced_as(model)):
        return Price(provider, found)
    near = get_close_matches(model, [known.id for known in provider.models], n=4, cutoff=0.5)
    raise PackagesError(
        f"{source()} knows no price of {backend}'s {model}: check --model (near matches: {', '.join(near) or 'none'}; "
        f"the default is {BACKENDS[backend].default_model}), or get newer prices.",
        package="genai-prices",
    )


def share_of(tier: str | None) -> Decimal:
    """Return what a service tier costs, as a share of the list price."""
    return _TIERS.get(tier or "", Decimal(1))


def is_priced(backend: str) -> bool:
    """Tell whether the backend's tokens are paid for by a price list."""
    return backend_class(backend).price_provider is not None


def source() -> str:
    """Return where the prices are from, and their date."""
    release = version("genai-prices")
    return f"genai-prices {release}" + (f" of {_RELEASED[release]}" if release in _RELEASED else "")


def dollars(amount: Decimal) -> str:
    """Return the sum for people: in cents, or as much of a cent as there is."""
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4f}"
