"""Questions without a picture to small real models on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from errors import StopRunError
from tests.helpers.local_backend import FAMILIES, examples, load, models

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["models"]  # fixtures


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "florence2"])
def test_a_chat_model_hears_the_question(family: str, models: Callable[[str], Path]) -> None:
    backend = load(models(family))
    answers = [backend.answer(text) for text in ("What are these photos?", "Name the dogs.")]
    assert all(answer.input_tokens and answer.output_tokens for answer in answers)
    assert len({answer.text for answer in answers}) == 2
    assert backend.answer("Name the dogs.") == answers[1]
    assert backend.caption(examples()[0]).text


def test_a_model_for_captions_alone_says_so(models: Callable[[str], Path]) -> None:
    with pytest.raises(StopRunError, match="answers no questions without a picture: choose another model"):
        load(models("florence2")).answer("What?")
