"""The cloud backends through their real SDKs, against servers on loopback that speak each provider's wire format."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from pydantic import SecretStr

from backends import BACKENDS, load_backend
from backends.base import INSTRUCTION
from config import Settings
from tests.helpers.desks import Desk, desk, desk_of
from tests.helpers.provider import DIALECTS, KEY, KEYS, Reply, closed_port

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["desk", "desk_of"]  # fixtures


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


def test_a_key_with_a_line_break_is_mended_or_said(
    desk_of: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desk_of("openai")
    monkeypatch.setattr("tests.helpers.desks.KEY", "gateway-token-1\n")
    assert desk.ask().status == "success"
    desk = desk_of("openai")
    monkeypatch.setattr("tests.helpers.desks.KEY", "gateway-token-1\nX-More: gateway-token-2")
    outcome = desk.ask()
    assert outcome.stop
    assert "one line of plain letters" in str(outcome.stop)
    assert "gateway-token" not in str(outcome.stop)


def test_what_is_meant_for_this_machine_passes_no_proxy(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    assert desk.ask().status == "success"
