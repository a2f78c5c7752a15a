"""Owns the settings: reads `config.env` and the environment; never shows the value of a setting."""

import os
from pathlib import Path
from typing import Annotated

from dotenv.parser import parse_stream
from pydantic import AfterValidator, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from errors import StopRunError

CONFIG_FILE = "config.env"


class Settings(BaseSettings):
    """The settings of a run that are not flags. The environment wins over the file.

    Keys are empty by default, because `Settings` does not know which backend will be used. A backend that needs a key
    says so when it is made.
    """

    model_config = SettingsConfigDict(
        env_file=CONFIG_FILE,
        # Windows editors put a byte-order mark first, which would become part of the first name.
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        case_sensitive=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    PHOTOS_DIR: Annotated[Path, AfterValidator(lambda path: Path(os.path.expanduser(path)))] | None = None
    OPENAI_API_KEY: SecretStr = SecretStr("")
    ANTHROPIC_API_KEY: SecretStr = SecretStr("")
    GEMINI_API_KEY: SecretStr = SecretStr("")
    XAI_API_KEY: SecretStr = SecretStr("")
    LOCAL_PLAIN: bool = False
    """Whether a local model leaves out the ways that are faster on a card."""


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        StopRunError: the file cannot be read, or it holds an unknown name; the message never shows a value.
    """
    path = Path(CONFIG_FILE).absolute()
    try:
        if os.path.lexists(path):
            _check_lines(path)
        return Settings()
    except ValidationError as error:
        raise StopRunError(
            " ".join(_sentence(problem, path) for problem in error.errors(include_input=False))
        ) from None
    except UnicodeDecodeError:
        raise StopRunError(f"{path} is not UTF-8 text: save it as UTF-8.") from None
    except OSError as error:
        raise StopRunError(f"{path} cannot be read ({error.strerror}): fix or remove it.") from None


def source(name: str) -> str:
    """Return where the setting's value comes from, as part of a sentence."""
    return (
        f"{name} in the environment" if os.environ.get(name) else f"{name} in {Path(CONFIG_FILE).absolute()}"
    )


def _check_lines(path: Path) -> None:
    """Stop at a line that sets nothing: it would be ignored, and may be a key without its name."""
    with path.open(encoding="utf-8-sig") as file:
        for line in parse_stream(file):
            if line.error or (line.key is not None and line.value is None):
                text = line.original.string
                # The blank lines before it are part of its text.
                number = line.original.line + text[: -len(text.lstrip())].count("\n")
                raise StopRunError(
                    f"Line {number} of {path} does not have the form NAME=value: correct it or remove it."
                )


def _sentence(problem: ErrorDetails, path: Path) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = ", ".join(Settings.model_fields)
        return (
            f"{path} holds the unknown setting {name}: correct its name (known: {known}) or remove the line."
        )
    if problem["type"] == "bool_parsing":
        return f"{source(name)} is neither 1 nor 0: write one of them there, or nothing."
    return f"The value of {source(name)} cannot be used ({problem['msg']}): correct it there."
