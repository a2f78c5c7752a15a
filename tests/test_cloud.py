"""The cloud backends through their real SDKs, against servers on loopback that speak each provider's wire format."""

from __future__ import annotations

import io
import socket
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from pydantic import SecretStr
from tenacity import wait_none

from backends import BACKENDS, load_backend
from backends.base import INSTRUCTION
from config import Settings
from costs.spending import Spending
from engines import captioning, pacing
from engines.captioning import Captioner
from library.walk import Photo
from tests.helpers.provider import DIALECTS, KEYS, Provider, Reply, Request, closed_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines.outcome import Outcome

KEY = "sk-secret-0123456789abcdef"
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


def test_a_caption_with_its_usage(desk: Desk) -> None:
    outcome = desk.ask()
    assert (outcome.status, outcome.caption) == ("success", "A brown dog on a lawn.")
    assert (desk.spending.input_tokens, desk.spending.output_tokens) == (1000, 20)
    assert desk.count == 1
    assert outcome.model == f"{desk.provider.dialect}/{BACKENDS[desk.provider.dialect].default_model}"


def test_what_is_sent(desk: Desk) -> None:
    desk.ask()
    (request,) = desk.provider.requests
    picture = Image.open(io.BytesIO(request.jpeg()))
    assert (picture.format, picture.size, picture.mode) == ("JPEG", (1024, 768), "RGB")
    assert "secret name" not in request.text
    assert "holiday" not in request.text
    body = request.body
    match desk.provider.dialect:
        case "openai" | "xai":
            system, user = body["messages"]
            assert system == {"role": "system", "content": INSTRUCTION}
            image, text = user["content"]
            assert image["image_url"]["detail"] in {"low", "high"}
            assert text["text"] == "What is this?"
            assert body["max_tokens"] == 300
        case "anthropic":
            image, text = body["messages"][0]["content"]
            assert image["type"] == "image", "the provider advises the picture before the text"
            assert text["text"] == "What is this?"
            assert body["max_tokens"] == 300
            assert body["thinking"] == {"type": "disabled"}
            assert body["system"] == INSTRUCTION
        case "gemini":
            image, text = body["contents"][0]["parts"]
            assert "inlineData" in image
            assert text["text"] == "What is this?"
            assert body["systemInstruction"]["parts"] == [{"text": INSTRUCTION}]
            config = body["generationConfig"]
            assert config["maxOutputTokens"] == 300
            assert config["mediaResolution"] == "MEDIA_RESOLUTION_LOW"
            assert config["thinkingConfig"] == {"thinking_level": "MINIMAL"}


@pytest.mark.parametrize(
    ("dialect", "model", "expected"),
    [
        ("openai", "gpt-4o-mini", {"detail": "low", "reasoning_effort": None, "max_completion_tokens": 300}),
        (
            "openai",
            "gpt-6-luna",
            {"detail": "high", "reasoning_effort": "none", "max_completion_tokens": 300},
        ),
        (
            "openai",
            "gpt-5-nano",
            {"detail": "high", "reasoning_effort": "minimal", "max_completion_tokens": 2000},
        ),
        ("openai", "o3", {"detail": "low", "reasoning_effort": "low", "max_completion_tokens": 2000}),
        ("xai", "grok-4.3", {"detail": "high", "reasoning_effort": "none", "max_completion_tokens": 300}),
    ],
)
def test_options_at_the_provider_itself(dialect: str, model: str, expected: dict[str, Any]) -> None:
    """Without a base URL a client is made for the provider's own address; no request is sent here."""
    settings = Settings(**{KEYS[dialect]: SecretStr(KEY)})  # type: ignore[arg-type]
    backend: Any = load_backend(dialect, model, settings, "p")
    assert backend.host in {"api.openai.com", "api.x.ai"}
    assert str(backend._client.base_url).startswith(f"https://{backend.host}/v1")
    options = backend._options
    backend._http.close()
    assert options.get("reasoning_effort") == expected["reasoning_effort"]
    assert (backend._limit, backend.max_output_tokens) == (
        "max_completion_tokens",
        expected["max_completion_tokens"],
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_missing_key_is_said_with_the_line_to_add(dialect: str) -> None:
    with pytest.raises(
        Exception, match=f"{KEYS[dialect]} is not set: add the line {KEYS[dialect]}=... to config.env"
    ):
        load_backend(dialect, None, Settings(**{key: SecretStr("") for key in KEYS.values()}), "p")  # type: ignore[arg-type]


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


@pytest.mark.parametrize(
    ("text", "finish", "reason", "requests"),
    [
        ("", "stop", "empty caption", 2),
        ("I'm sorry, I can't help with that.", "stop", "refusal", 2),
        ("no", "content_filter", "content filter", 1),
        ("A brown dog on a", "length", "cut off", 2),
        ("a dog " * 60, "stop", "repetition loop", 2),
        ("null", "stop", "no caption: the answer was 'null'", 2),
        ("<think>A dog? A cat?", "length", "cut off by the token limit while thinking", 2),
    ],
)
def test_unusable_answers_get_a_second_try_and_then_their_reason(
    desk: Desk, text: str, finish: str, reason: str, requests: int
) -> None:
    if desk.provider.dialect == "anthropic" and finish == "content_filter":
        reason, requests = "refusal", 2  # its own word for it
    desk.provider.script = lambda number, _: desk.provider.good(text, finish=finish)
    outcome = desk.ask()
    assert outcome.status == "error_model"
    assert reason in (outcome.error or "")
    assert outcome.answered, "it says nothing about the account"
    assert desk.count == requests
    assert desk.spending.input_tokens == 1000 * requests, "both answers were paid for"


def test_a_good_second_try_is_the_caption(desk: Desk) -> None:
    desk.answers(desk.provider.good("I'm sorry, I can't assist with that."))
    assert desk.ask().caption == "A brown dog on a lawn."
    assert desk.count == 2


def test_what_is_around_a_caption_is_taken_off(desk: Desk) -> None:
    desk.answers(
        desk.provider.good(
            'Sure! Here is your caption:\n\n**"A brown dog on a lawn."**\n\nLet me know if you need more!'
        ),
        desk.provider.good('```json\n{"caption": "A brown dog on a lawn."}\n```'),
    )
    assert [desk.ask().caption, desk.ask().caption] == ["A brown dog on a lawn."] * 2
    assert desk.count == 2


def test_the_models_own_word_for_a_refusal(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("openai")
    desk.provider.script = lambda number, _: desk.provider.good("A dog.", finish="refusal")
    assert desk.ask().error == "refusal"


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("openai", {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}),
        (
            "anthropic",
            {
                "id": "m",
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": [],
                "stop_reason": "end_turn",
            },
        ),
        ("gemini", {"usageMetadata": {"promptTokenCount": 9}}),
    ],
)
def test_no_choices_is_an_empty_caption(desk_of: Callable[..., Desk], dialect: str, body: Any) -> None:
    desk = desk_of(dialect)
    desk.provider.script = lambda number, _: Reply(200, body)
    outcome = desk.ask()
    assert (outcome.status, outcome.error) == ("error_model", "empty caption")


def test_geminis_blocked_prompt_is_a_content_filter(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("gemini")
    desk.answers(Reply(200, {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}))
    assert desk.ask().error == "content filter"
    assert desk.count == 1


def test_thoughts_are_no_part_of_the_caption(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("gemini")
    parts = [{"text": "Let me see.", "thought": True}, {"text": "A red boat."}]
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 3, "thoughtsTokenCount": 40}
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}
    desk.answers(Reply(200, {"candidates": [candidate], "usageMetadata": usage}))
    assert desk.ask().caption == "A red boat."
    assert desk.spending.output_tokens == 43, "thinking is billed as output"
    desk = desk_of("openai")
    desk.answers(
        desk.provider.good("<think>Hmm, a boat?</think>\n\nA red boat."),
        desk.provider.good("Hmm, a boat?\n</think>\nA red boat."),  # the opening tag was in the prompt
    )
    assert [desk.ask().caption, desk.ask().caption] == ["A red boat.", "A red boat."]


def test_xais_own_bill_counts(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("xai")
    desk.ask()
    assert desk.spending.cost == Decimal("0.0012345678")


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


def test_one_forbidden_photo_is_its_record_and_three_are_the_accounts_trouble(desk: Desk) -> None:
    forbidden = desk.provider.error(403, "permission-denied", "not this one")
    good = desk.provider.good()
    desk.answers(good, forbidden, good, forbidden, forbidden, forbidden)
    outcomes = [desk.ask() for _ in range(6)]
    assert [outcome.status for outcome in outcomes] == [
        *("success", "error_api", "success", "error_api", "error_api", None)
    ]
    assert outcomes[-1].stop


@pytest.mark.parametrize(
    ("dialect", "status", "body"),
    [
        (
            "xai",
            403,
            {"code": "x", "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_X"},
        ),
        ("openai", 403, {"error": {"message": "flagged", "code": "content_policy_violation"}}),
        ("openai", 400, {"error": {"message": "flagged", "code": "content_filter"}}),
    ],
)
def test_a_filter_that_answers_with_an_error_is_a_content_filter(
    desk_of: Callable[..., Desk], dialect: str, status: int, body: Any
) -> None:
    desk = desk_of(dialect)
    desk.answers(Reply(status, body))
    outcome = desk.ask()
    assert (outcome.status, outcome.error, outcome.answered) == ("error_model", "content filter", True)
    assert desk.count == 1


def test_an_error_that_sends_the_request_back_is_cut_short(desk: Desk) -> None:
    desk.answers(desk.provider.error(400, message="bad input: " + "A" * 700_000))
    start = time.monotonic()
    outcome = desk.ask()
    assert time.monotonic() - start < 2
    assert len(outcome.error or "") < 400


def test_a_key_with_a_line_break_is_mended_or_said(
    desk_of: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desk_of("openai")
    monkeypatch.setattr("tests.test_cloud.KEY", "gateway-token-1\n")
    assert desk.ask().status == "success"
    desk = desk_of("openai")
    monkeypatch.setattr("tests.test_cloud.KEY", "gateway-token-1\nX-More: gateway-token-2")
    outcome = desk.ask()
    assert outcome.stop
    assert "one line of plain letters" in str(outcome.stop)
    assert "gateway-token" not in str(outcome.stop)


def test_what_is_meant_for_this_machine_passes_no_proxy(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    assert desk.ask().status == "success"


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
