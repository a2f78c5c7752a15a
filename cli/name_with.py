"""Owns `--name-with`: the language model that names groups, what is said before captions go to it, and its money.

Whatever goes wrong is a line and no error: the report has its short names without a model.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backends import load_backend
from cli.log import log
from cli.money import used
from cli.words import advice, count
from config import load_settings
from costs.prices import dollars, price_of
from costs.spending import Spending
from engines.captioning import Captioner
from errors import APIError, StopRunError
from report.naming.asked import LONGEST_QUESTION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from backends.base import CaptionBackend

_IN_A_ROW = 3
"""After this many questions in a row without an answer no more are put."""
_ANSWER_TOKENS = 80
"""Of eight short names, for the estimate."""


@dataclass(frozen=True, slots=True)
class NameWith:
    """What the user asked for, checked: `model` is None for the backend's own choice."""

    backend: str
    model: str | None
    base_url: str | None
    budget: Decimal | None


class AskedModel:
    """Puts questions to the model, which is made at the first; after a failure that would meet them all it puts no more."""

    def __init__(self, options: NameWith) -> None:
        self._options = options
        self.model = options.backend + (f"/{options.model}" if options.model else "")
        self._stop = threading.Event()
        self._captioner: Captioner | None = None
        self._backend: CaptionBackend | None = None
        self._spending = Spending()
        self._failures = 0

    def ask(self, questions: Sequence[str], what: str) -> list[str]:
        """Return the answer to each question, empty where there is none; say first what goes where, and what it costs."""
        try:
            captioner, backend = self._made()
        except StopRunError as error:
            self._give_up(error)
            return [""] * len(questions)
        if not self._stop.is_set():
            log.info(self._before(questions, what, backend))
        workers = 1 if backend.single_threaded else backend.max_workers
        pool = ThreadPoolExecutor(workers)
        try:
            return list(pool.map(lambda one: self._answer(captioner, one), questions))
        finally:
            pool.shutdown(cancel_futures=True)

    def end(self) -> None:
        """Say what it has cost."""
        if self._backend and self._backend.host:
            log.info(f"Names: {used(self._spending)}")

    def _made(self) -> tuple[Captioner, CaptionBackend]:
        if self._captioner is None or self._backend is None:
            if self._stop.is_set():
                raise StopRunError("")
            options = self._options
            more = {"base_url": options.base_url} if options.base_url else {}
            backend = load_backend(options.backend, options.model, load_settings(), "", **more)
            self._spending = _spending(options, backend)
            self._captioner = Captioner(backend, "", stop=self._stop, spending=self._spending)
            self._backend = backend
        return self._captioner, self._backend

    def _before(self, questions: Sequence[str], what: str, backend: CaptionBackend) -> str:
        put = (
            f"Naming {what} with {self._options.backend}/{backend.model}: {count(len(questions), 'question')}"
        )
        if not backend.host:
            return f"{put}, on this machine."
        price = self._spending.price
        cost = ""
        if price:
            each = sum(map(len, questions)) // 4 // len(questions)
            cost = f", about {dollars(price.of(each, _ANSWER_TOKENS) * len(questions))}"
        return f"{put}{cost}. Captions go to {backend.host}, no photos, no names of files, no dates and no places of photos."

    def _answer(self, captioner: Captioner, question: str) -> str:
        if self._stop.is_set():
            return ""
        try:
            answer = captioner.answer(question)
        except StopRunError as error:
            self._give_up(error)
        except Exception as error:  # noqa: BLE001 - a model can raise anything, and the report goes on without it
            self._failures += 1
            if self._failures >= _IN_A_ROW or not isinstance(error, APIError):
                self._give_up(error)
        else:
            self._failures = 0
            return answer
        return ""

    def _give_up(self, error: Exception) -> None:
        if not self._stop.is_set():
            self._stop.set()
            why = advice(error) if isinstance(error, StopRunError) else str(error)
            log.warning(
                f"--name-with gives no more names; short names from captions stand in their place: {why}"
            )


def _spending(options: NameWith, backend: CaptionBackend) -> Spending:
    """Return what counts tokens and money.

    Raises:
        StopRunError: there is a budget, and no known price.
    """
    if not backend.host or (options.base_url and options.budget is None):
        return Spending(thing="question")
    try:
        price = price_of(options.backend, backend.model)
    except StopRunError:
        if options.budget is not None:
            raise
        return Spending(thing="question")
    return Spending(
        price, options.budget, price.of(LONGEST_QUESTION // 3, backend.max_output_tokens), thing="question"
    )
