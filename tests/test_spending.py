"""The budget, from many threads at once: it is never passed, and spent as far as it goes."""

from __future__ import annotations

import threading
import time
from decimal import Decimal

import pytest

from backends.base import Caption
from costs.prices import price_of
from costs.spending import Spending
from errors import StopRunError

PRICE = price_of("openai", "gpt-4o-mini")
EACH = PRICE.of(1000, 20)


def spend(spending: Spending, *, seconds: float = 0.0) -> tuple[int, list[int], list[str]]:
    """Call from eight threads until there is no room; return the calls, how many were at once, and why each ended."""
    lock = threading.Lock()
    calls = at_once = 0
    seen: list[int] = []
    reasons: list[str] = []

    def work() -> None:
        nonlocal calls, at_once
        try:
            while True:
                with spending.call(lambda: False) as book:
                    with lock:
                        calls += 1
                        at_once += 1
                        seen.append(at_once)
                    time.sleep(seconds)
                    with lock:
                        at_once -= 1
                    book(Caption("A dog.", "stop", 1000, 20))
        except StopRunError as error:
            reasons.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return calls, seen, reasons


def test_a_budget_is_never_passed() -> None:
    budget = EACH * 10 + EACH / 2
    spending = Spending(PRICE, budget, most=EACH)
    calls, _, reasons = spend(spending, seconds=0.02)
    assert calls == 10
    assert spending.cost == EACH * 10 <= budget
    assert len(reasons) == 8
    assert all(f"The budget of ${budget:f} has no room for another photo" in reason for reason in reasons)


def test_a_budget_waits_for_the_first_bill() -> None:
    """When nothing is known of the cost of a call, one is sent first, and what it cost counts for the next."""
    calls, at_once, _ = spend(Spending(PRICE, EACH * 3), seconds=0.2)
    assert calls == 3
    assert at_once[:2] == [1, 1]
    assert max(at_once) <= 2


def test_a_budget_below_one_photo_is_said() -> None:
    calls, _, reasons = spend(Spending(PRICE, EACH / 2, most=EACH))
    assert calls == 0
    assert "is less than one photo may cost" in reasons[0]


def test_without_a_budget_nothing_waits() -> None:
    spending = Spending(PRICE)
    with spending.call(lambda: False) as first, spending.call(lambda: False) as second:
        first(Caption("A dog.", "stop", 1000, 20))
        second("A cat.")  # a bare string says nothing of what it took
    assert (spending.input_tokens, spending.output_tokens, spending.cost) == (1000, 20, EACH)


def test_a_bare_string_counts_as_the_dearest_answer() -> None:
    spending = Spending(PRICE, Decimal(1), most=Decimal("0.4"))
    for _ in range(2):
        with spending.call(lambda: False) as book:
            book("A dog.")
    assert spending.cost == Decimal("0.8")
    with pytest.raises(StopRunError, match="no room"), spending.call(lambda: False):
        pass
