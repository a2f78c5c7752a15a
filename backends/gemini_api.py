"""Owns the requests to Google's Gemini API."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from backends.base import ANSWER_SCHEMA, Caption, for_model
from backends.cloud import THINKING_TOKENS, CloudBackend, Question, tier_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.genai.types import GenerateContentResponse

# The least thinking that a model allows, by the beginning of its name, the longest that fits: a budget in tokens for
# 2.5, a level for 3 and later; the older do not think. Sources: docs/api_providers.md.
_THINKING: dict[str, dict[str, Any]] = {
    "gemini-2.5-flash": {"thinking_budget": 0},
    "gemini-2.5-pro": {"thinking_budget": 128},
    "gemini-3": {"thinking_level": "MINIMAL"},
    "gemini-3-pro": {"thinking_level": "LOW"},
    "gemini-3.1-pro": {"thinking_level": "LOW"},
    "gemini-3.7": {"thinking_level": "LOW"},
    "gemini-3.8": {"thinking_level": "LOW"},
    "gemini-4": {"thinking_level": "LOW"},
    "gemini-flash-latest": {"thinking_level": "LOW"},
}

_RESOLUTION_TOKENS = {"MEDIUM": 256, "LOW": 280}  # MEDIUM of 2.5 and older, LOW of 3 and later


def _resolution(model: str) -> Literal["MEDIUM", "LOW"]:
    return "MEDIUM" if model.startswith(("gemini-1", "gemini-2")) else "LOW"


class GeminiBackend(CloudBackend):
    """Gemini through `google-genai`."""

    url = "https://generativelanguage.googleapis.com"
    key = "GEMINI_API_KEY"
    request_path = "/v1beta/models/"
    families = ("gemini-",)
    variables = ("GOOGLE_", "GEMINI_")
    price_provider = "google"
    tiers = ("flex",)
    untiered = ("gemini-1", "gemini-2.0")
    ends: ClassVar[Mapping[str, date | None]] = {
        "gemini-2.0": date(2026, 6, 1),
        "gemini-2.5-flash": date(2026, 12, 1),
        "gemini-2.5-pro": date(2026, 12, 1),
        "gemini-2.5-flash-lite": None,
    }
    max_workers = 20

    @classmethod
    def picture_tokens(cls, model: str, width: int, height: int) -> int | None:  # noqa: ARG003 - by resolution alone
        return _RESOLUTION_TOKENS[_resolution(model)] if model.startswith("gemini-") else None

    def _connect(self, key: str) -> None:
        from google import genai
        from google.genai import types

        self._client = genai.Client(  # kept, because it closes with its last reference
            vertexai=False,
            api_key=key,
            http_options=types.HttpOptions(
                base_url=self.base_url,
                api_version="v1beta",
                timeout=int(
                    self.read_seconds * 1000
                ),  # without it the SDK switches the client's own timeouts off
                retry_options=types.HttpRetryOptions(attempts=1),
                httpx_client=self._http,
            ),
        )
        thinking = for_model(_THINKING, self.model)
        if thinking and thinking not in ({"thinking_budget": 0}, {"thinking_level": "MINIMAL"}):
            self.max_output_tokens = THINKING_TOKENS
        self._config = types.GenerateContentConfig(
            max_output_tokens=self.max_output_tokens,
            response_mime_type="application/json" if self.tags else None,
            response_json_schema=dict(ANSWER_SCHEMA) if self.tags else None,
            media_resolution=types.MediaResolution(f"MEDIA_RESOLUTION_{_resolution(self.model)}"),
            thinking_config=types.ThinkingConfig(**thinking) if thinking else None,
            service_tier=types.ServiceTier(self.tier) if self.tier else None,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )
        self._types = types

    def _request(self, question: Question, **sampling: Any) -> Caption:  # noqa: ARG002 - Gemini samples every time
        parts = [self._types.Part.from_text(text=question.text)]
        if question.jpeg is not None:
            parts.insert(0, self._types.Part.from_bytes(data=question.jpeg, mime_type="image/jpeg"))
        request = self._types.Content(role="user", parts=parts)
        config = self._config.model_copy(update={"system_instruction": question.system})
        answer = self._client.models.generate_content(model=self.model, contents=request, config=config)
        return self._read(answer)

    def _read(self, answer: GenerateContentResponse) -> Caption:
        if not answer.candidates and not answer.prompt_feedback and not answer.usage_metadata:
            raise self._no_answer(answer)
        counted = self._counted(answer)
        if not answer.candidates:
            blocked = answer.prompt_feedback and answer.prompt_feedback.block_reason
            return Caption("", "blocked" if blocked else None, **counted)
        candidate = answer.candidates[0]
        said = (candidate.content and candidate.content.parts) or []
        text = "".join(part.text or "" for part in said if not part.thought)
        reason = candidate.finish_reason.value if candidate.finish_reason else None
        thoughts = not text.strip() and any(part.thought for part in said)
        return Caption(text, reason, only_thoughts=thoughts, **counted)

    def _counted(self, answer: GenerateContentResponse) -> dict[str, Any]:
        headers = (answer.sdk_http_response and answer.sdk_http_response.headers) or {}
        counted: dict[str, Any] = {
            "answered_by": self._other(getattr(answer, "model_version", None)),
            "tier": tier_name(headers.get("x-gemini-service-tier")),
        }
        if usage := answer.usage_metadata:
            counted["input_tokens"] = usage.prompt_token_count
            counted["output_tokens"] = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        return counted
