"""Owns the chat completions dialect: OpenAI, xAI, and every server that speaks it (vLLM, Ollama, LM Studio, llama.cpp)."""

from __future__ import annotations

import re
import threading
from datetime import date
from decimal import Decimal
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from backends.base import ANSWER_SCHEMA, Caption, for_model
from backends.cloud import (
    CONNECT_SECONDS,
    THINKING_TOKENS,
    CloudBackend,
    Question,
    base64,
    joined,
    tier_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.chat import ChatCompletion
    from PIL.Image import Image

# The least thinking that a model allows, by the beginning of its name, the longest that fits. None: a model that does
# not think and refuses the parameter. Sources: docs/api_providers.md.
_EFFORTS = {
    "gpt-4": None,
    "gpt-5": "minimal",
    "gpt-5.": "none",
    "gpt-6": "none",
    "gpt-6-astra": "low",
    "gpt-6.2-astra": "low",
    "o": "low",
    "grok-4.3": "none",
    "grok-4.5": "low",
    "grok-4.6": "low",
    "grok-4.7": "low",
    "grok-": None,
    "grok-4-1-fast-reasoning": "low",
    "grok-4-fast-reasoning": "low",
}

# What a picture costs, by the beginning of the model's name, the longest that fits: a whole number is its tokens at low
# detail (models that count tiles), a fraction the tokens of each patch of 32 pixels. Sources: docs/api_providers.md.
_PICTURE_TOKENS: dict[str, float] = {
    "gpt-4o": 85,
    "gpt-4o-mini": 2833,
    "gpt-4.1": 85,
    "gpt-4.1-mini": 1.62,
    "gpt-4.1-nano": 2.46,
    "gpt-5": 70,
    "gpt-5-mini": 1.62,
    "gpt-5-nano": 2.46,
    "gpt-5.": 1.2,
    "gpt-5.1": 70,
    "gpt-5.4-mini": 1.62,
    "gpt-5.4-nano": 2.46,
    "gpt-6": 1.2,
    "o1": 75,
    "o3": 75,
    "o4-mini": 1.72,
}
_XAI_TILE, _XAI_TILES = 448, 6


class OpenAIBackend(CloudBackend):
    """`url` and `key` of OpenAI; with `base_url` any server that speaks its dialect, and then no key is needed."""

    url = "https://api.openai.com/v1"
    key = "OPENAI_API_KEY"
    request_path = "/chat/completions"
    families: ClassVar[tuple[str, ...]] = ("gpt-", "chatgpt-", "o1", "o3", "o4")
    variables: ClassVar[tuple[str, ...]] = ("OPENAI_",)
    price_provider = "openai"
    tiers: ClassVar[tuple[str, ...]] = ("flex",)
    untiered: ClassVar[tuple[str, ...]] = ("gpt-4", "chatgpt-", "o1")
    ends: ClassVar[Mapping[str, date | None]] = {
        "gpt-5": date(2026, 12, 11),
        "gpt-5.": None,
        "gpt-5.1": date(2027, 4, 1),
        "gpt-5.4-nano": date(2027, 4, 1),
        "o3": date(2026, 12, 11),
        "gpt-4o": date(2027, 1, 14),
        "gpt-4.1": date(2027, 1, 14),
        "gpt-4.1-nano": date(2026, 10, 23),
        "o1": date(2026, 10, 23),
        "o3-mini": date(2026, 10, 23),
        "o4-mini": date(2026, 10, 23),
    }

    @classmethod
    def picture_tokens(cls, model: str, width: int, height: int) -> int | None:
        rule = for_model(_PICTURE_TOKENS, model)
        return ceil(rule * ceil(width / 32) * ceil(height / 32)) if isinstance(rule, float) else rule

    def _connect(self, key: str) -> None:
        import openai
        from openai.types.chat import ChatCompletion

        self._client = openai.OpenAI(
            api_key=key, base_url=self.base_url, max_retries=0, http_client=self._http
        )
        self._answer_type = ChatCompletion
        effort = None if self.own_server else for_model(_EFFORTS, self.model)
        if effort not in {None, "none"}:
            self.max_output_tokens = THINKING_TOKENS
        # Ollama obeys only the older name and would go on without end; OpenAI's newer models obey only the newer one.
        self._limit = "max_tokens" if self.own_server else "max_completion_tokens"
        self._has_system = True
        self._changed: set[str] = set()
        self._changing = threading.Lock()
        self._options: dict[str, Any] = {
            "model": self.model,
            **({"reasoning_effort": effort} if effort else {}),
        }
        if self.tier:
            self._options["service_tier"] = self.tier
        if self.tags:
            form = {"name": "caption_and_tags", "strict": True, "schema": ANSWER_SCHEMA}
            self._options["response_format"] = {"type": "json_schema", "json_schema": form}

    @cached_property
    def end_date(self) -> date | None:
        """As the server's list of models says, else as the table does."""
        import openai

        try:
            models = self._client.get("/models", cast_to=object, options={"timeout": CONNECT_SECONDS})
        except openai.OpenAIError:
            models = None  # the first photo tells what is wrong
        listed = models.get("data") if isinstance(models, dict) else None
        for entry in listed if isinstance(listed, list) else []:
            if isinstance(entry, dict) and entry.get("id") == self.model:
                try:
                    return date.fromisoformat(str(entry.get("shutdown_date"))[:10])
                except ValueError:
                    break
        return None if self.own_server else for_model(self.ends, self.model)

    def recaption(self, image: Image) -> Caption:
        # The providers always sample; other servers often decode greedily and would say the same again.
        return self.caption(image, **({"temperature": 1} if self.own_server else {}))

    def _request(self, question: Question, **sampling: Any) -> Caption:
        while True:
            limit, has_system = self._limit, self._has_system
            text = question.text if has_system else f"{question.system}\n{question.text}"
            messages: list[dict[str, Any]] = [{"role": "user", "content": self._content(text, question.jpeg)}]
            if has_system:
                messages.insert(0, {"role": "system", "content": question.system})
            body = {**self._options, limit: self.max_output_tokens, **sampling, "messages": messages}
            try:
                # Not `chat.completions.create`, which spends twice the time on walking through its arguments.
                return self._read(self._client.post(self.request_path, cast_to=self._answer_type, body=body))
            except Exception as error:
                if not self._adapt(error, (limit, has_system, body.get("response_format"))):
                    raise

    def _content(self, text: str, jpeg: bytes | None) -> str | list[dict[str, Any]]:
        if jpeg is None:
            return text  # servers of text models take nothing else
        url = f"data:image/jpeg;base64,{base64(jpeg)}"
        picture = {"type": "image_url", "image_url": {"url": url, "detail": detail(self.model)}}
        return [picture, {"type": "text", "text": text}]

    def _adapt(self, error: Exception, asked: tuple[str, bool, object]) -> bool:
        """Change what the server has refused by name, once for the run; tell whether to ask again."""
        limit, has_system, form = asked
        response = getattr(error, "response", None)
        if getattr(response, "status_code", None) not in {400, 422}:
            return False
        words = str(getattr(error, "body", "") or "") + str(getattr(error, "message", ""))
        with self._changing:
            if asked != (self._limit, self._has_system, self._options.get("response_format")):
                return True  # another thread has changed it already
            if re.search(rf"\b{limit}\b", words) and "limit" not in self._changed:
                self._changed.add("limit")
                self._limit = "max_completion_tokens" if limit == "max_tokens" else "max_tokens"
                return True
            # The system line asks for the same form in words.
            if form and "response_format" in words:
                del self._options["response_format"]
                return True
            # The templates of some models know no system role.
            if has_system and self.own_server and re.search(r"\bsystem\b", words, re.IGNORECASE):
                self._has_system = False
                return True
        return False

    def _read(self, completion: ChatCompletion) -> Caption:
        choices = getattr(completion, "choices", None)
        if choices is None:
            raise self._no_answer(completion)
        usage = completion.usage
        counted: dict[str, Any] = {}
        if usage:
            ticks = getattr(usage, "cost_in_usd_ticks", None)  # xAI's exact bill, in 1e-10 dollars
            counted = {
                "input_tokens": usage.prompt_tokens,
                "output_tokens": usage.completion_tokens,
                "cost": Decimal(ticks).scaleb(-10) if isinstance(ticks, int) else None,
            }
        counted["answered_by"] = self._other(getattr(completion, "model", None))
        counted["tier"] = tier_name(getattr(completion, "service_tier", None))
        if not choices:
            return Caption("", **counted)
        message, finish = choices[0].message, choices[0].finish_reason
        if refusal := getattr(message, "refusal", None):
            return Caption(refusal, "refusal", **counted)
        text = joined(getattr(message, "content", None))
        thoughts = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None)
        return Caption(text, finish, only_thoughts=not text.strip() and bool(thoughts), **counted)


def detail(model: str) -> Literal["low", "high"]:
    """Return the detail to ask an OpenAI model for.

    At 1024 pixels `high` is cheap where patches are counted; where tiles are, it is 8 to 9 times the price of `low`.
    """
    return "low" if isinstance(for_model(_PICTURE_TOKENS, model), int) else "high"


class XAIBackend(OpenAIBackend):
    """The same dialect at xAI."""

    url = "https://api.x.ai/v1"
    key = "XAI_API_KEY"
    families: ClassVar[tuple[str, ...]] = ("grok-",)
    variables: ClassVar[tuple[str, ...]] = ("OPENAI_", "XAI_")  # the SDK is OpenAI's
    price_provider = "x-ai"
    tiers = ()
    # Names that still answer, but with grok-4.3 and at its price (docs.x.ai, retirement of 2026-05-15).
    ends: ClassVar[Mapping[str, date | None]] = dict.fromkeys(
        ("grok-4-1-fast", "grok-4-fast", "grok-4-0709", "grok-code-fast", "grok-3"), date(2026, 5, 15)
    )

    @classmethod
    def picture_tokens(cls, model: str, width: int, height: int) -> int | None:
        tiles = ceil(width / _XAI_TILE) * ceil(height / _XAI_TILE)
        return 256 * (min(tiles, _XAI_TILES) + 1) if model.startswith("grok-") else None

    @classmethod
    def priced_as(cls, model: str) -> str:
        return "grok-4.3" if for_model(cls.ends, model) else model
