"""What the cloud backends make of errors: tried again, one photo's record, or the end of the run."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from pydantic import SecretStr
from tenacity import wait_none

from backends import load_backend
from config import Settings
from engines import captioning
from tests.helpers.desks import OTHER_DIALECTS, Desk, desk, desk_of, quick
from tests.helpers.provider import DIALECTS, KEY, Provider, Reply, closed_port

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["desk", "desk_of", "quick"]  # fixtures


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 529])
def test_what_often_passes_is_tried_again(desk: Desk, status: int) -> None:
    desk.answers(desk.provider.error(status), desk.provider.error(status))
    assert desk.ask().status == "success"
    assert desk.count == 3


@pytest.mark.usefixtures("quick")
def test_after_five_attempts_it_is_the_photos_record(desk: Desk) -> None:
    desk.provider.script = lambda number, _: desk.provider.error(500, message="our fault")
    outcome = desk.ask()
    assert (outcome.status, outcome.error) == ("error_api", "HTTP 500: our fault")
    assert desk.count == 5


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_wrong_with_one_photo_is_its_record_at_once(desk: Desk, status: int) -> None:
    desk.answers(desk.provider.error(status, "invalid_request_error", "too odd"))
    outcome = desk.ask()
    assert (outcome.status, outcome.error, outcome.stop) == ("error_api", f"HTTP {status}: too odd", None)
    assert desk.count == 1


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "refuses the key"),
        (402, "no credit or quota"),
        (403, "does not allow"),
        (404, "check --model and --base-url"),
    ],
)
def test_trouble_of_the_account_stops_the_run(desk: Desk, status: int, says: str) -> None:
    desk.answers(desk.provider.error(status, message=f"Incorrect API key provided: {KEY}. sk-***cdef"))
    outcome = desk.ask()
    assert outcome.stop
    assert outcome.status is None
    assert says in str(outcome.stop)
    assert "cdef" not in str(outcome.stop), "not even the end of a key"
    assert "again." in str(outcome.stop)
    assert desk.count == 1


@pytest.mark.parametrize(
    ("dialect", "status", "body", "says"),
    [
        (
            "openai",
            429,
            {"error": {"message": "x", "type": "insufficient_quota", "code": None}},
            "no credit or quota",
        ),
        (
            "openai",
            429,
            {"error": {"message": "x", "type": "y", "code": "credit_balance_exhausted"}},
            "no credit",
        ),
        (
            "openai",
            400,
            {"error": {"message": "x", "type": "y", "code": "billing_hard_limit_reached"}},
            "no credit",
        ),
        ("openai", 404, {"error": {"message": "x", "type": "y", "code": "model_not_found"}}, "check --model"),
        (
            "anthropic",
            429,
            {
                "type": "error",
                "error": {
                    "type": "e",
                    "message": "x",
                    "details": {"error_code": "enforced_spend_limit_reached"},
                },
            },
            "no credit or quota",
        ),
        (
            "anthropic",
            402,
            {"type": "error", "error": {"type": "billing_error", "message": "x"}},
            "no credit",
        ),
        (
            "gemini",
            400,
            {
                "error": {
                    "code": 400,
                    "message": "x",
                    "status": "INVALID_ARGUMENT",
                    "details": [{"reason": "API_KEY_INVALID"}],
                }
            },
            "refuses the key",
        ),
        (
            "gemini",
            400,
            {"error": {"code": 400, "message": "x", "status": "FAILED_PRECONDITION"}},
            "billing and the country",
        ),
        (
            "gemini",
            429,
            [
                {
                    "error": {
                        "code": 429,
                        "details": [
                            {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}]}
                        ],
                    }
                }
            ],
            "tomorrow",
        ),
        (
            "xai",
            403,
            {"code": "permission-denied", "error": "used all available credits"},
            "account's billing",
        ),
    ],
)
def test_machine_readable_codes_decide(
    desk_of: Callable[..., Desk], dialect: str, status: int, body: Any, says: str
) -> None:
    desk = desk_of(dialect)
    desk.answers(Reply(status, body))
    outcome = desk.ask()
    assert outcome.stop
    assert says in str(outcome.stop)
    assert desk.count == 1


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "reply",
    [
        Reply(cut=True, body={"choices": "x" * 5000}),
        Reply(body=b'{"choices": [', content_type="application/json"),
    ],
    ids=["connection dropped in mid-body", "malformed JSON"],
)
def test_half_an_answer_is_asked_for_again(desk: Desk, reply: Reply) -> None:
    desk.answers(reply)
    assert desk.ask().status == "success"
    assert desk.count == 2


@pytest.mark.usefixtures("quick")
def test_slow_answers_run_into_the_timeout(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.cloud.OWN_SERVER_READ_SECONDS", 0.5)
    slow = desk.provider.good()
    slow.delay = 2
    desk.answers(slow)
    assert desk.ask().status == "success"
    assert desk.count == 2


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("dialect", OTHER_DIALECTS)
def test_a_server_that_takes_no_connection_runs_into_the_timeout(
    dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.cloud.CONNECT_SECONDS", 0.3)
    with socket.socket() as deaf, ExitStack() as waiting:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(3):  # its queue is full, so that the system leaves further ones without an answer
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(deaf.getsockname())
        provider = Provider(dialect)
        provider.url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        desk = Desk(provider)
        start = time.monotonic()
        outcome = desk.ask()
        desk.close()
    assert 1.4 < time.monotonic() - start < 8, "five attempts of 0.3 s"
    assert outcome.stop
    assert "Nothing answers" in str(outcome.stop)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_listening_stops_the_run(dialect: str) -> None:
    provider = Provider(dialect)
    provider.url = f"http://127.0.0.1:{closed_port()}"
    desk = Desk(provider)
    outcome = desk.ask()
    desk.close()
    assert outcome.stop
    assert f"Nothing answers at {provider.url.removeprefix('http://')}" in str(outcome.stop)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "upstream died", "code": 400}},
        {"error": {"message": "upstream died"}},
        {},
        "<html>hello</html>",
    ],
)
@pytest.mark.parametrize("dialect", OTHER_DIALECTS)
def test_a_200_without_an_answer_is_the_apis_error(
    desk_of: Callable[..., Desk], dialect: str, body: Any
) -> None:
    desk = desk_of(dialect)
    desk.answers(Reply(200, body))
    outcome = desk.ask()
    assert outcome.status == "error_api"
    assert desk.count == 1


@pytest.mark.usefixtures("quick")
def test_a_429_wrapped_in_a_200_is_tried_again(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("openai")
    desk.answers(Reply(200, {"error": {"message": "slow down", "code": 429}}))
    assert desk.ask().status == "success"
    assert desk.count == 2


def test_one_forbidden_photo_is_its_record_and_three_are_the_accounts_trouble(desk: Desk) -> None:
    forbidden = desk.provider.error(403, "permission-denied", "not this one")
    good = desk.provider.good()
    desk.answers(good, forbidden, good, forbidden, forbidden, forbidden)
    outcomes = [desk.ask() for _ in range(6)]
    assert [outcome.status for outcome in outcomes] == [
        *("success", "error_api", "success", "error_api", "error_api", None)
    ]
    assert outcomes[-1].stop


def test_an_error_that_sends_the_request_back_is_cut_short(desk: Desk) -> None:
    desk.answers(desk.provider.error(400, message="bad input: " + "A" * 700_000))
    start = time.monotonic()
    outcome = desk.ask()
    assert time.monotonic() - start < 2
    assert len(outcome.error or "") < 400


def test_lost_connections_while_others_succeed_are_the_photos_record(
    desk_of: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only when nobody gets through there is nobody there."""
    monkeypatch.setattr(captioning, "_backoff", wait_none())
    desk = desk_of("openai")
    captioner = desk.ready()
    gone = load_backend(
        "openai",
        "m",
        Settings(OPENAI_API_KEY=SecretStr(KEY)),
        "p",
        base_url=f"http://127.0.0.1:{closed_port()}",
    )
    calls = 0

    def sometimes(image: Image.Image) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            captioner._admitted += 1  # as another worker's answer does
        return gone.caption(image)

    desk.backend.caption = sometimes
    outcome = desk.ask()
    assert (outcome.status, outcome.stop) == ("error_api", None)
    assert "ConnectError" in (outcome.error or "")
    gone._http.close()  # type: ignore[attr-defined]


def test_a_backend_that_ends_the_program_stops_the_run_in_good_order(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("openai")

    def gives_up(image: Image.Image) -> Any:
        raise SystemExit(2)

    desk.ready()
    desk.backend.caption = gives_up
    outcome = desk.ask()
    assert outcome.stop
    assert "SystemExit: 2" in str(outcome.stop)
