"""How long the cloud backends' requests wait: what the server asks for, for all, and no longer than the run."""

from __future__ import annotations

import io
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.helpers.desks import OTHER_DIALECTS, PHOTO, PICTURE, Desk, desk, desk_of, quick
from tests.helpers.provider import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines.outcome import Outcome

__all__ = ["desk", "desk_of", "quick"]  # fixtures


def retry_after(form: str) -> dict[str, str]:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    return {
        "seconds": {"Retry_After": "2"},
        "milliseconds": {"Retry_After_Ms": "1800"},
        "date": {"Retry_After": date},
    }[form]


@pytest.mark.parametrize("form", ["seconds", "milliseconds", "date"])
@pytest.mark.parametrize("dialect", OTHER_DIALECTS)
def test_the_wait_that_the_server_asks_for_is_kept(
    desk_of: Callable[..., Desk], dialect: str, form: str
) -> None:
    desk = desk_of(dialect)
    desk.answers(desk.provider.error(429, **retry_after(form)))
    assert desk.ask().status == "success"
    first, second = desk.provider.requests
    assert 1.7 < second.at - first.at < 4.5


def test_geminis_own_form_of_the_wait(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("gemini")
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s"}]
    desk.answers(Reply(429, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": details}}))
    assert desk.ask().status == "success"
    first, second = desk.provider.requests
    assert 1.9 < second.at - first.at < 4


def test_an_overloaded_server_that_asks_for_a_wait_gets_it_from_all(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("openai")
    desk.answers(desk.provider.error(503, Retry_After="2"))
    captioner = desk.ready()
    threads = [threading.Thread(target=captioner.caption, args=(PHOTO, PICTURE)) for _ in range(3)]
    threads[0].start()
    while desk.count < 1:
        time.sleep(0.01)
    time.sleep(0.3)  # the answer is back
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join()
    first, *rest = desk.provider.requests
    assert len(rest) == 3
    assert all(request.at - first.at > 1.9 for request in rest)


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_over_five_minutes_stops_the_run_and_says_until_when(desk: Desk, status: int) -> None:
    desk.answers(desk.provider.error(status, Retry_After="3600"))
    outcome = desk.ask()
    assert outcome.stop
    assert "asks to wait 60 minutes" in str(outcome.stop)
    again = datetime.now().astimezone() + timedelta(hours=1)
    assert f"{again:%Y-%m-%d}" in str(outcome.stop) or again.hour == 0
    assert desk.count == 1


@pytest.mark.usefixtures("quick")
def test_five_refusals_and_nobody_gets_through_stops_the_run(desk: Desk) -> None:
    desk.provider.script = lambda number, _: desk.provider.error(429)
    outcome = desk.ask()
    assert outcome.stop
    assert "refuses everything for now" in str(outcome.stop)
    assert desk.count == 5


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_photo_that_met_five_refusals_gets_its_turn_while_others_succeed(
    desk_of: Callable[..., Desk],
) -> None:
    desk = desk_of("openai")
    unlucky = Image.new("RGB", (64, 64), (255, 0, 0))

    def script(number: int, request: Request) -> Reply | None:
        with Image.open(io.BytesIO(request.jpeg())) as picture:
            is_unlucky = picture.size == (64, 64)
        refusals = sum(len(r.raw) < 5000 for r in desk.provider.requests)
        return desk.provider.error(429) if is_unlucky and refusals < 13 else None

    desk.provider.script = script
    captioner = desk.ready()
    outcomes: list[Outcome | None] = []
    done = threading.Event()

    def others() -> None:
        while not done.is_set():
            captioner.caption(PHOTO, PICTURE)

    thread = threading.Thread(target=others)
    thread.start()
    outcomes.append(captioner.caption(PHOTO, unlucky))
    done.set()
    thread.join()
    assert outcomes[0]
    assert outcomes[0].status == "success"


@pytest.mark.parametrize("reply", ["429", "500"])
def test_waits_end_at_once_when_the_run_stops(desk_of: Callable[..., Desk], reply: str) -> None:
    desk = desk_of("openai")
    desk.provider.script = lambda number, _: desk.provider.error(int(reply), Retry_After="200")
    captioner = desk.ready()
    outcomes: list[Outcome | None] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(captioner.caption(PHOTO, PICTURE))) for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    start = time.monotonic()
    desk.stop.set()
    for thread in threads:
        thread.join(timeout=10)
    assert time.monotonic() - start < 1
    assert outcomes == [None] * 10, "they stay open"
