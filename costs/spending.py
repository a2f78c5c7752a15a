"""Owns what a run has used: tokens and money, and the budget that it must not pass."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

from backends.base import Caption
from costs.prices import dollars
from errors import APIError, CorruptImageError, StopRunError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from costs.prices import Price


class Spending:
    """Counts every answer, used or not. Safe for threads.

    A call begins only if the budget has room for it and for those in flight, each at the price of the dearest call so
    far (at first `most`, the highest price possible). Until the first has come back, one is in flight at a time.

    Attributes:
        input_tokens, output_tokens: as the server counts them.
        cost: US dollars.
        billed: whether the server itself has said what its answers cost.
        tiers: how many answers came at each service tier that a server has named, and what they cost.
        lost: requests that went out and brought no answer. They may be billed, so a budget counts each as the dearest.
    """

    def __init__(
        self,
        price: Price | None = None,
        budget: Decimal | None = None,
        most: Decimal = Decimal(0),
        thing: str = "photo",
    ) -> None:
        """`thing` is what a call is about, in messages."""
        self.price = price
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost = Decimal(0)
        self.billed = False
        self.tiers: dict[str, tuple[int, Decimal]] = {}
        self.lost = 0
        self._budget = budget
        self._most = most
        self._thing = thing
        self._in_flight = 0
        self._answers = 0
        self._changed = threading.Condition()

    @contextmanager
    def call(self, stopping: Callable[[], bool]) -> Generator[Callable[[Caption | str], None]]:
        """Reserve room in the budget for one call while it lasts; call what this yields with the answer.

        Raises:
            StopRunError: the budget has no room for another call.
        """
        if self._budget is not None:
            self._take_room(self._budget, stopping)
        try:
            yield self._book
        except Exception as error:
            if _may_be_billed(error):
                with self._changed:
                    self.lost += 1
                    if self._budget is not None:
                        self.cost += self._most
            raise
        finally:
            if self._budget is not None:
                with self._changed:
                    self._in_flight -= 1
                    self._changed.notify_all()

    def _take_room(self, budget: Decimal, stopping: Callable[[], bool]) -> None:
        with self._changed:
            while not stopping():
                first = not self._answers and self._in_flight
                if not first and self.cost + self._most * (self._in_flight + 1) <= budget:
                    break
                if not self._in_flight:
                    if not self._answers and not self.lost:
                        raise StopRunError(
                            f"The budget of ${budget:f} is less than one {self._thing} may cost ({dollars(self._most)}): "
                            "give a larger --budget."
                        )
                    lost = f"{self.lost:,} request{'' if self.lost == 1 else 's'} without an answer"
                    counted = f"; {lost} counted at the most they can cost" if self.lost else ""
                    raise StopRunError(
                        f"The budget of ${budget:f} has no room for another {self._thing} (spent: {dollars(self.cost)}"
                        f"{counted}). Run the same command again to spend as much again, or give another --budget."
                    )
                self._changed.wait(0.2)
            self._in_flight += 1

    def _book(self, answer: Caption | str) -> None:
        with self._changed:
            self._answers += 1
            usage = answer if isinstance(answer, Caption) else Caption(answer)
            self.input_tokens += usage.input_tokens or 0
            self.output_tokens += usage.output_tokens or 0
            if usage.cost is not None:
                cost = usage.cost
                self.billed = True
            elif self.price and usage.input_tokens is not None and usage.output_tokens is not None:
                cost = self.price.of(usage.input_tokens, usage.output_tokens, usage.tier)
            else:
                cost = self._most if self._budget is not None else Decimal(0)  # it may have cost that much
            self.cost += cost
            answers, paid = self.tiers.get(usage.tier or "standard", (0, Decimal(0)))
            self.tiers[usage.tier or "standard"] = (answers + 1, paid + cost)
            self._most = max(self._most, cost)


def _may_be_billed(error: Exception) -> bool:
    if isinstance(error, APIError):
        return error.billed
    # Any other error of an SDK comes from an answer that it could not read.
    return not isinstance(error, StopRunError | CorruptImageError | MemoryError)
