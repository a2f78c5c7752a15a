"""Owns the chat completions dialect: OpenAI, xAI, and every server that speaks it (vLLM, Ollama, LM Studio, llama.cpp)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from backends.base import Caption
from backends.cloud import THINKING_TOKENS, CloudBackend, base64
from backends.image_tokens import detail, for_model

if TYPE_CHECKING:
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


class OpenAIBackend(CloudBackend):
    """`url` and `key` of OpenAI; with `base_url` any server that speaks its dialect, and then no key is needed."""

    url = "https://api.openai.com/v1"
    key = "OPENAI_API_KEY"

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
        # Ollama heeds only the older name and would go on without end; OpenAI's newer models heed only the newer one.
        limit = "max_tokens" if self.own_server else "max_completion_tokens"
        self._options = {
            "model": self.model,
            limit: self.max_output_tokens,
            **({"reasoning_effort": effort} if effort else {}),
        }

    def recaption(self, image: Image) -> Caption:
        # The providers sample anyhow; a server of one's own often decodes greedily and would say the same again.
        return self._answer(image, **({"temperature": 1} if self.own_server else {}))

    def _ask(self, jpeg: bytes, **sampling: Any) -> Caption:
        url = f"data:image/jpeg;base64,{base64(jpeg)}"
        content = [
            {"type": "image_url", "image_url": {"url": url, "detail": detail(self.model)}},
            {"type": "text", "text": self.prompt},
        ]
        body = {**self._options, **sampling, "messages": [{"role": "user", "content": content}]}
        # Not `chat.completions.create`, which spends twice the time on walking through its arguments.
        completion = self._client.post("/chat/completions", cast_to=self._answer_type, body=body)
        return self._read(completion)

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
        if not choices:
            return Caption("", **counted)
        message, finish = choices[0].message, choices[0].finish_reason
        if refusal := getattr(message, "refusal", None):
            return Caption(refusal, "refusal", **counted)
        return Caption((message and message.content) or "", finish, **counted)


class XAIBackend(OpenAIBackend):
    """The same dialect at xAI."""

    url = "https://api.x.ai/v1"
    key = "XAI_API_KEY"
