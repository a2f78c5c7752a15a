"""What models wrap around a caption is taken off, what is no caption is known, and what only looks like it stays.

The examples stand in caption_examples.jsonl: a `caption` is what has to stay of a text, null means nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caption import DEFAULT_PROMPT
from engines.answers import is_nothing, unwrapped
from engines.checks import judged, one_line
from tests.conftest import ROOT

PROMPT = "Describe this photo in one detailed sentence."
"""What was asked for in the examples in which a model repeats it."""
CAPTION = "A brown dog runs on a wide beach."
EXAMPLES: list[dict[str, Any]] = [
    json.loads(line) for line in (ROOT / "tests" / "caption_examples.jsonl").read_text("utf-8").splitlines()
]
GOOD = [example for example in EXAMPLES if example["verdict"] == "good"]
WRAPPED = [example for example in EXAMPLES if "caption" in example]
MISSED = 0.02


def fault(example: dict[str, Any]) -> str | None:
    """Return what is wrong with what the program makes of an example, or None."""
    caption, trouble = judged(example["text"], example["finish"], PROMPT)
    if (wanted := example["caption"]) is None:
        return None if trouble else f"{example['text']!r} passes as {caption!r}"
    return (
        None if (caption, trouble) == (wanted, None) else f"{example['text']!r} gives {caption!r} ({trouble})"
    )


def test_there_are_many_examples_of_each_kind() -> None:
    kinds = Counter(example["verdict"] for example in EXAMPLES)
    assert kinds["wrapped"] + kinds["thinking"] + kinds["continued"] + kinds["nothing"] >= 300
    assert min(kinds["wrapped"], kinds["thinking"], kinds["continued"], kinds["nothing"]) >= 50
    assert kinds["good"] >= 600


@pytest.mark.parametrize("example", GOOD, ids=lambda example: f"{example['language']}: {example['note']}")
def test_a_good_caption_stays_as_it_is(example: dict[str, Any]) -> None:
    assert judged(example["text"], example["finish"], PROMPT) == (one_line(example["text"]), None)


def test_nearly_all_others_are_cut_to_the_caption_or_refused() -> None:
    faults = list(filter(None, map(fault, WRAPPED)))
    assert len(faults) <= MISSED * len(WRAPPED), "\n".join(faults)


@pytest.mark.parametrize(
    "text",
    [
        "Sure! Here's a caption for the photo: {}",
        "{} Let me know if you need more!",
        '"{}"',
        "**{}**",
        "```\n{}\n```",
        '```json\n{{"caption": "{}"}}\n```',
        "Caption: {}",
        "- {}",
        "1. {}",
        "◁think▷A dog?◁/think▷{}",
        "<thought>Hm</thought>\n{}",
        "[THINK]hm[/THINK]{}",
        "<|channel|>analysis<|message|>A dog<|end|><|start|>assistant<|channel|>final<|message|>{}<|return|>",
        "analysisWe need a caption.assistantfinal{}",
        "{} User: Describe this photo. Assistant: A cat sits.",
        "{}<|endoftext|>A cat sits on a wall",
        f"{DEFAULT_PROMPT}\n{{}}",
        f"{{}}\n\n{DEFAULT_PROMPT}",
        'Here is the caption:\n\n"{}"\n\nI hope this helps!',
    ],
)
def test_the_kinds_in_their_simplest_form(text: str) -> None:
    assert judged(text.format(CAPTION), "stop", DEFAULT_PROMPT) == (CAPTION, None)


@pytest.mark.parametrize("mark", ["<think>", "◁think▷", "<thought>", "[THINK]", "<|thinking|>"])
def test_a_thought_without_end_is_no_caption(mark: str) -> None:
    assert judged(f"{mark}A dog? Maybe a", "length")[1] == "cut off by the token limit while thinking"


@given(
    st.text()
    | st.text('<|>/think `"*{}[]:n\\ncaption')
    | st.lists(st.sampled_from(["<think>", "</think>", "<|im_end|>", "</s>", "```", '{"caption": "', "a", " ", "\n", "1. ", "**", '"', "Sure! ", "Caption: "])).map("".join)
)  # fmt: skip
def test_any_answer_is_read(text: str) -> None:
    caption, trouble = judged(text, "stop", DEFAULT_PROMPT)
    assert caption.splitlines() in ([], [caption])
    assert caption or trouble
    assert len(unwrapped(text, DEFAULT_PROMPT)) <= len(text) + len("<think>")


@pytest.mark.parametrize(
    "text", ["a" * 50_000, "a " * 30_000, "\n" * 50_000, "*" * 50_000, "Sure! " * 9_000, "{" * 50_000, '"a": ' * 9_000, "User: a " * 6_000, "<think>" * 8_000, "1. a\n" * 9_000]
)  # fmt: skip
def test_long_answers_are_read_at_once(text: str) -> None:
    judged(text, "stop", DEFAULT_PROMPT)
    is_nothing(text)
