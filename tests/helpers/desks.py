"""A provider on loopback, and the engine's way of asking it for one caption."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from pydantic import SecretStr
from tenacity import wait_none

from backends import load_backend
from config import Settings
from costs.spending import Spending
from engines import captioning, pacing
from engines.captioning import Captioner
from library.walk import Photo
from tests.helpers.provider import DIALECTS, KEY, KEYS, Provider, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines.outcome import Outcome

PHOTO = Photo("2024/holiday/secret name.jpg", "/nowhere/secret name.jpg")
OTHER_DIALECTS = ("openai", "anthropic", "gemini")  # xai is openai's class
PICTURE = Image.effect_noise((1024, 768), 40).convert("RGB")


@dataclass
class Desk:
    """A provider, and the engine's way of asking it for one caption."""

    provider: Provider
    stop: threading.Event = field(default_factory=threading.Event)
    spending: Spending = field(default_factory=Spending)
    model: str | None = None
    captioner: Captioner | None = None
    backend: Any = None

    def ready(self) -> Captioner:
        if self.captioner is None:
            dialect = self.provider.dialect
            self.backend = load_backend(
                dialect,
                self.model,
                Settings(**{KEYS[dialect]: SecretStr(KEY)}),  # type: ignore[arg-type]
                "What is this?",
                base_url=self.provider.base_url,
            )
            self.captioner = Captioner(
                self.backend, f"{dialect}/{self.backend.model}", spending=self.spending, stop=self.stop
            )
        return self.captioner

    def ask(self) -> Outcome:
        outcome = self.ready().caption(PHOTO, PICTURE)
        assert outcome is not None
        assert KEY not in str(outcome)
        return outcome

    def close(self) -> None:
        if self.backend is not None:
            self.backend._http.close()

    @property
    def count(self) -> int:
        return len(self.provider.requests)

    def answers(self, *replies: Reply) -> None:
        """Give these answers in turn, then good ones."""
        self.provider.script = lambda number, _: replies[number] if number < len(replies) else None


@pytest.fixture
def desk_of() -> Iterator[Callable[..., Desk]]:
    with ExitStack() as stack:

        def make(dialect: str, **more: Any) -> Desk:
            desk = Desk(stack.enter_context(Provider(dialect).serve()), **more)
            stack.callback(desk.close)
            return desk

        yield make


@pytest.fixture(params=DIALECTS)
def desk(request: pytest.FixtureRequest, desk_of: Callable[..., Desk]) -> Desk:
    return desk_of(request.param)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts of a few milliseconds; the tests of the waits themselves go without."""
    monkeypatch.setattr(captioning, "_backoff", wait_none())
    monkeypatch.setattr(pacing, "_PAUSES", (0.01,))
