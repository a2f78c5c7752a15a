"""Owns the settings: reads `config.env` and the environment; never shows the value of a setting."""

import os
from pathlib import Path

from pydantic import SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from backends.errors import StopRunError

CONFIG_FILE = "config.env"


class Settings(BaseSettings):
    """Everything a run may need to know besides its flags. The environment wins over the file.

    Keys default to empty because `Settings` does not know which backend will be used; a backend that needs
    one says so when it is made.
    """

    model_config = SettingsConfigDict(
        env_file=CONFIG_FILE,
        # Windows editors begin a file with a byte-order mark, which would become part of the first name.
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        case_sensitive=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    PHOTOS_DIR: Path | None = None
    OPENAI_API_KEY: SecretStr = SecretStr("")
    ANTHROPIC_API_KEY: SecretStr = SecretStr("")
    GEMINI_API_KEY: SecretStr = SecretStr("")
    XAI_API_KEY: SecretStr = SecretStr("")

    @field_validator("PHOTOS_DIR")
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        return Path(os.path.expanduser(value)) if value else value


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        StopRunError: the file cannot be read or holds an unknown key; the sentence names the key, never a value.
    """
    try:
        if os.path.lexists(CONFIG_FILE):
            with open(
                CONFIG_FILE, "rb"
            ):  # a folder or an unreadable file would be passed over without a word
                pass
        return Settings()
    except ValidationError as error:
        raise StopRunError(
            " ".join(_sentence(problem) for problem in error.errors(include_input=False))
        ) from None
    except UnicodeDecodeError:
        raise StopRunError(f"{CONFIG_FILE} is not UTF-8 text: save it as UTF-8.") from None
    except OSError as error:
        raise StopRunError(f"{CONFIG_FILE} cannot be read ({error.strerror}): mend or remove it.") from None


def _sentence(problem: ErrorDetails) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = ", ".join(Settings.model_fields)
        return f"{CONFIG_FILE} holds the unknown setting {name}: correct its name (known: {known}) or remove the line."
    return f"The setting {name} is not valid ({problem['msg']}): correct it in {CONFIG_FILE}."
