"""Owns the table of backends; imports a backend only when it is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from errors import PackagesError, StopRunError

if TYPE_CHECKING:
    from backends.base import CaptionBackend
    from config import Settings


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """Where a backend lives, what it needs and the model it takes when none is given ("": it looks at the hardware)."""

    module: str
    class_name: str
    extra: str | None
    key: str | None
    default_model: str


BACKENDS = {
    "mock": BackendInfo("backends.mock", "MockBackend", None, None, "mock"),
    "local": BackendInfo("backends.local_hf", "LocalHFBackend", "local", None, ""),
    "openai": BackendInfo("backends.openai_api", "OpenAIBackend", "api", "OPENAI_API_KEY", "gpt-6-luna"),
    "xai": BackendInfo("backends.openai_api", "XAIBackend", "api", "XAI_API_KEY", "grok-4.3"),
    "anthropic": BackendInfo(
        "backends.anthropic_api", "AnthropicBackend", "api", "ANTHROPIC_API_KEY", "claude-haiku-5-5"
    ),
    "gemini": BackendInfo(
        "backends.gemini_api", "GeminiBackend", "api", "GEMINI_API_KEY", "gemini-3.1-flash-lite"
    ),
}


def backend_class(name: str) -> type[CaptionBackend]:
    """Import the backend's file and return its class; the packages it needs are imported when it is made."""
    info = BACKENDS[name]
    return cast("type[CaptionBackend]", getattr(import_module(info.module), info.class_name))


def load_backend(
    name: str, model: str | None, settings: Settings, prompt: str, **options: Any
) -> CaptionBackend:
    """Import and make the backend called `name`; `options` go to its constructor (the mock has some).

    Raises:
        KeyError: no such backend (the door checks the name first).
        StopRunError: its packages, its key or its model are missing.
    """
    info = BACKENDS[name]
    try:
        if options.get("base_url") and not hasattr(backend_class(name), "url"):
            raise StopRunError(f"The {name} backend has one server only: leave out --base-url.")
        return backend_class(name)(model or info.default_model, settings, prompt, **options)
    except ImportError as error:
        raise PackagesError(
            f"The {name} backend needs packages that are not installed ({error.name or error}).",
            extra=info.extra or "",
        ) from error
