"""What servers of all kinds do that is not in a provider's documentation: loading, redirecting, refusing, answering oddly."""

from __future__ import annotations

import copy
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from backends.base import INSTRUCTION
from backends.cloud import joined
from costs.prices import price_of
from costs.spending import Spending
from engines import captioning, pacing
from engines.captioning import ONLY_THOUGHTS
from tests.conftest import Product, wait_for
from tests.helpers.desks import OTHER_DIALECTS, PHOTO, PICTURE, Desk, desk, desk_of, quick
from tests.helpers.provider import DIALECTS, Provider, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["desk", "desk_of", "quick"]  # fixtures
LOADING = Reply(503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}})


@pytest.fixture
def probing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_PROBES", (0.01,))


@pytest.mark.usefixtures("quick", "probing")
def test_a_server_that_loads_is_waited_for_and_no_photo_pays(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    desk.provider.script = lambda number, _: LOADING if number < 40 else None
    desk.ready()
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: desk.ask(), range(8)))
    assert {outcome.status for outcome in outcomes} == {"success"}
    assert desk.count < 60, "one at a time asks whether it is ready"
    assert sum("not ready yet" in line for line in caplog.messages) == 1


@pytest.mark.usefixtures("quick", "probing")
def test_a_server_that_never_gets_ready_stops_the_run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captioning, "LONGEST_OUTAGE", 0.2)
    desk.provider.script = lambda _, __: LOADING
    outcome = desk.ask()
    assert outcome.stop
    assert outcome.status is None
    assert "still not ready" in str(outcome.stop)
    assert "again." in str(outcome.stop)


@pytest.mark.usefixtures("quick", "probing")
def test_one_photo_that_a_ready_server_cannot_take_is_its_own_trouble(
    desk_of: Callable[..., Desk],
) -> None:
    """A proxy says 503 as well when one picture ends the server behind it; others get through meanwhile."""
    desk = desk_of("openai")

    def script(_: int, request: Request) -> Reply | None:
        return LOADING if request.body["messages"][-1]["content"][1]["text"] == "bad" else None

    desk.provider.script = script
    desk.ready()
    backend = desk.backend
    done = threading.Event()

    def others() -> None:
        while not done.is_set():
            assert desk.ask().status == "success"

    bad = copy.copy(backend)
    bad.prompt = "bad"
    assert desk.captioner is not None
    captioner = captioning.Captioner(bad, "openai/x", spending=Spending(), stop=desk.stop)
    captioner._pacer = desk.captioner._pacer
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(others)
        try:
            outcome = captioner.caption(PHOTO, PICTURE)
        finally:
            done.set()
        running.result()
    assert outcome is not None
    assert (outcome.status, outcome.error) == ("error_api", "HTTP 503: Loading model")


def test_ctrl_c_ends_the_wait_for_a_server_at_once(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("openai")
    desk.provider.script = lambda _, __: LOADING
    desk.ready()
    assert desk.captioner is not None
    outcomes: list[Any] = []
    thread = threading.Thread(target=lambda: outcomes.append(desk.captioner.caption(PHOTO, PICTURE)))  # type: ignore[union-attr]
    thread.start()
    wait_for(lambda: desk.count > 0)
    desk.stop.set()
    thread.join(30)
    assert outcomes == [None], "the photo stays open"


@pytest.mark.parametrize(
    ("limit", "other"), [("max_tokens", "max_completion_tokens")], ids=["the older name is refused"]
)
def test_the_other_name_of_the_limit_is_found_once_for_the_run(
    desk_of: Callable[..., Desk], limit: str, other: str
) -> None:
    desk = desk_of("openai")
    refusal = desk.provider.error(
        400, "unsupported_parameter", f"Unsupported parameter: '{limit}' is not supported with this model."
    )
    desk.provider.script = lambda _, request: refusal if limit in request.body else None
    assert [desk.ask().status for _ in range(3)] == ["success"] * 3
    assert desk.count == 4
    assert desk.provider.requests[-1].body[other] == 300


def test_a_model_without_a_system_role_gets_the_line_with_the_prompt(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("openai")
    refusal = desk.provider.error(400, "BadRequestError", "System role not supported")
    desk.provider.script = lambda _, request: (
        refusal if request.body["messages"][0]["role"] == "system" else None
    )
    assert [desk.ask().status for _ in range(2)] == ["success"] * 2
    assert desk.count == 3
    (user,) = desk.provider.requests[-1].body["messages"]
    assert user["content"][1]["text"] == f"{INSTRUCTION}\nWhat is this?"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("dialect", OTHER_DIALECTS)
def test_a_redirect_stops_the_run_and_names_the_address(
    desk_of: Callable[..., Desk], dialect: str, status: int
) -> None:
    desk = desk_of(dialect)
    elsewhere = "https://photos.example:8443"

    def script(_: int, request: Request) -> Reply:
        return Reply(status, {}, {"Location": elsewhere + request.path})

    desk.provider.script = script
    outcome = desk.ask()
    assert outcome.stop
    version = "/v1" if dialect == "openai" else ""
    assert str(outcome.stop).endswith(f"--base-url {elsewhere}{version}")
    assert desk.count == 1


def test_a_redirect_to_a_login_page_names_it(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("openai")
    desk.answers(Reply(302, {}, {"Location": "/login?token=secret"}))
    outcome = desk.ask()
    assert outcome.stop
    assert "/login: check --base-url" in str(outcome.stop)
    assert "secret" not in str(outcome.stop)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("value", ["inf", "nan", "-5", "1e400", "soon", "99999999"])
def test_nonsense_for_a_wait_counts_as_none(desk_of: Callable[..., Desk], value: str) -> None:
    desk = desk_of("openai")
    desk.answers(desk.provider.error(429, Retry_After=value))
    assert desk.ask().status == "success"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("factor", [1, 1000], ids=["seconds", "milliseconds"])
def test_a_wait_given_as_a_time_is_one(desk_of: Callable[..., Desk], factor: int) -> None:
    desk = desk_of("openai")
    desk.answers(desk.provider.error(429, Retry_After=str(int((time.time() + 1) * factor))))
    assert desk.ask().status == "success"
    soon = desk_of("openai")
    soon.answers(soon.provider.error(429, Retry_After=str(int((time.time() + 3600) * factor))))
    outcome = soon.ask()
    assert outcome.stop
    assert f"{datetime.now().astimezone() + timedelta(hours=1):%Y-%m-%d}" in str(outcome.stop)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b'{"choices": [{"message": {"content": "caf\xe9 \xff\xfe"}}]}'),
        Reply(body=b'{"choices": []}', headers={"Content-Encoding": "gzip"}),
    ],
    ids=["no UTF-8", "no gzip"],
)
def test_a_body_that_cannot_be_read_is_asked_for_again(desk: Desk, reply: Reply) -> None:
    desk.answers(reply, reply)
    assert desk.ask().status == "success"
    desk.provider.script = lambda _, __: reply
    outcome = desk.ask()
    assert (outcome.status, outcome.error) == (
        "error_api",
        "the server's answer is not the JSON it should be",
    )
    assert desk.count == 3 + captioning.ATTEMPTS


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("A dog.", "A dog."),
        ([{"type": "text", "text": "A dog."}, {"type": "text", "text": "It runs."}], "A dog. It runs."),
        (
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                {"type": "text", "text": "A dog."},
            ],
            "A dog.",
        ),
        ([{"type": "reasoning", "text": "hm"}, {"type": "output_text", "text": "A dog."}], "A dog."),
        ({"type": "text", "text": "A dog."}, "A dog."),
        (["A dog.", None], "A dog."),
        (None, ""),
    ],
)
def test_content_in_parts_is_joined(content: object, text: str) -> None:
    assert joined(content) == text


def test_content_in_parts_over_the_wire(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("openai")
    reply = desk.provider.good()
    reply.body["choices"][0]["message"]["content"] = [
        {"type": "thinking", "thinking": "A dog?"},
        {"type": "text", "text": "A brown dog on a lawn."},
    ]
    desk.answers(reply)
    assert desk.ask().caption == "A brown dog on a lawn."


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_an_answer_in_thoughts_alone_is_paid_once_and_stops_a_streak(product: Product, field: str) -> None:
    provider = Provider("openai")
    reply = provider.good("")
    reply.body["choices"][0]["message"][field] = "The user wants a caption. I see a dog."
    provider.script = lambda _, __: reply
    for number in range(30):
        source = product.photos / "2023" / "IMG_0000.JPG"
        (product.photos / f"{number:03}.jpg").write_bytes(source.read_bytes() + bytes(number))
    with provider.serve():
        said = product.call(
            "run", "--backend", "openai", "--base-url", provider.base_url, "--model", "m", "--photos-dir",
            str(product.photos), "--max-workers", "1", code=1,
        ).stderr  # fmt: skip
    assert ONLY_THOUGHTS in said
    assert len(provider.requests) <= 22, "nothing is asked twice"
    assert not [line for line in product.lines() if line["status"] == "error_model"]


@pytest.mark.usefixtures("quick", "probing")
@pytest.mark.parametrize("kind", ["half a body", "500", "503", "timeout"])
def test_a_budget_counts_what_brought_no_answer(
    desk: Desk, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What went out whole may be billed: four requests fit, and not one more goes out."""
    price = price_of("openai", "gpt-6-luna")
    most = Decimal("0.001")
    desk.spending = Spending(price, most * 4 + most / 2, most)
    reply = {
        "half a body": desk.provider.good(),
        "500": desk.provider.error(500),
        "503": LOADING,
        "timeout": Reply(delay=3),
    }[kind]
    reply.cut = kind == "half a body"
    monkeypatch.setattr("backends.cloud.OWN_SERVER_READ_SECONDS", 0.5 if kind == "timeout" else 60)
    desk.provider.script = lambda _, __: reply
    outcome = desk.ask()
    assert desk.count == 4
    assert outcome.stop
    assert "no room for another photo" in str(outcome.stop)
    assert "4 requests without an answer" in str(outcome.stop)
    assert desk.spending.cost == most * 4


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("status", [400, 429])
def test_a_budget_does_not_count_what_was_refused(desk_of: Callable[..., Desk], status: int) -> None:
    desk = desk_of("openai")
    desk.spending = Spending(price_of("openai", "gpt-6-luna"), Decimal("0.01"), Decimal("0.001"))
    desk.answers(desk.provider.error(status))
    desk.ask()
    assert desk.spending.lost == 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_another_model_that_answers_stops_the_run(desk_of: Callable[..., Desk], dialect: str) -> None:
    names = {
        "openai": ("gpt-4o-mini", "gpt-4o-mini-2024-07-18", "gpt-6-luna"),
        "xai": ("grok-4-1-fast", "grok-4-1-fast-latest", "grok-4.3"),
        "anthropic": ("claude-haiku-5", "claude-haiku-5-20261007", "claude-haiku-5-5"),
        "gemini": ("gemini-2.5-flash", "models/gemini-2.5-flash-001", "gemini-3.5-flash-lite"),
    }
    asked, same, other = names[dialect]
    desk = desk_of(dialect, model=asked)
    field = "modelVersion" if dialect == "gemini" else "model"
    replies = [desk.provider.good(), desk.provider.good()]
    replies[0].body[field], replies[1].body[field] = same, other
    desk.answers(*replies)
    assert desk.ask().status == "success"
    outcome = desk.ask()
    assert outcome.stop
    assert f"{other} answered instead of {asked}" in str(outcome.stop)
    assert desk.spending.input_tokens == 2000, "it was paid"


@pytest.mark.parametrize("days", [30, 90])
def test_a_model_that_ends_soon_is_warned_about(product: Product, days: int) -> None:
    provider = Provider("openai")
    end = (datetime.now(UTC) + timedelta(days=days)).date()
    provider.models = {"object": "list", "data": [{"id": "m", "object": "model", "shutdown_date": f"{end}"}]}
    with provider.serve():
        said = product.call(
            "run", "--backend", "openai", "--base-url", provider.base_url, "--model", "m", "--limit", "1",
            "--photos-dir", str(product.photos),
        ).stderr  # fmt: skip
    assert (f"m ends on {end}" in said) == (days < 60)
