"""Owns the requests to Anthropic's messages API."""

from __future__ import annotations

from datetime import date
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar

from backends.base import ANSWER_SCHEMA, Caption, for_model
from backends.cloud import THINKING_TOKENS, CloudBackend, Question, base64

if TYPE_CHECKING:
    from collections.abc import Mapping

# How to keep a model from thinking, by the beginning of its name, the longest that fits; the older do not think unless
# asked. Some cannot be kept from it, only asked to think little. Sources: docs/api_providers.md.
_DISABLED: dict[str, Any] = {"thinking": {"type": "disabled"}}
_LITTLE: dict[str, Any] = {"output_config": {"effort": "low"}}
_THINKING = {
    "claude-haiku-5": _DISABLED,
    "claude-sonnet-5": _DISABLED,
    "claude-opus-5": _DISABLED,
    "claude-sonnet-5-5": {"thinking": {"type": "between_tools"}},
    "claude-opus-5-5": _LITTLE,
    "claude-fable": _LITTLE,
    "claude-mythos": _LITTLE,
}


class AnthropicBackend(CloudBackend):
    """Claude. The picture goes before the text, as the provider advises."""

    url = "https://api.anthropic.com"
    key = "ANTHROPIC_API_KEY"
    request_path = "/v1/messages"
    families = ("claude-",)
    variables = ("ANTHROPIC_",)
    price_provider = "anthropic"
    ends: ClassVar[Mapping[str, date | None]] = {
        "claude-sonnet-4-2025": date(2026, 6, 15),
        "claude-sonnet-4-0": date(2026, 6, 15),
        "claude-opus-4-2025": date(2026, 6, 15),
        "claude-opus-4-0": date(2026, 6, 15),
    }

    @classmethod
    def picture_tokens(cls, model: str, width: int, height: int) -> int | None:
        return ceil(width / 28) * ceil(height / 28) if model.startswith("claude-") else None

    def _connect(self, key: str) -> None:
        import anthropic
        from anthropic.types import Message

        self._client = anthropic.Anthropic(
            api_key=key, auth_token=None, base_url=self.base_url, max_retries=0, http_client=self._http
        )
        self._answer_type = Message
        thinking = for_model(_THINKING, self.model) or {}
        if thinking is _LITTLE:
            self.max_output_tokens = THINKING_TOKENS
        self._options = {"model": self.model, "max_tokens": self.max_output_tokens, **thinking}
        if self.tags:
            form = {"format": {"type": "json_schema", "schema": ANSWER_SCHEMA}}
            self._options["output_config"] = thinking.get("output_config", {}) | form

    def _request(self, question: Question, **sampling: Any) -> Caption:
        content: list[dict[str, Any]] = [{"type": "text", "text": question.text}]
        if question.jpeg is not None:
            data = base64(question.jpeg)
            source = {"type": "base64", "media_type": "image/jpeg", "data": data}
            content.insert(0, {"type": "image", "source": source})
        asked = {"system": question.system, "messages": [{"role": "user", "content": content}]}
        body = {**self._options, **sampling, **asked}
        message = self._client.post(self.request_path, cast_to=self._answer_type, body=body)
        blocks = getattr(message, "content", None)
        if blocks is None:
            raise self._no_answer(message)
        text = " ".join(block.text for block in blocks if block.type == "text")
        usage = message.usage
        return Caption(
            text,
            message.stop_reason,
            only_thoughts=not text.strip() and any(block.type == "thinking" for block in blocks),
            answered_by=self._other(getattr(message, "model", None)),
            input_tokens=usage.input_tokens if usage else None,
            output_tokens=usage.output_tokens if usage else None,
        )
