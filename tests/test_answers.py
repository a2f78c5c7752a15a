"""What models wrap around a caption is taken off; what only looks like it stays."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caption import DEFAULT_PROMPT as P
from engines.answers import is_nothing, unwrapped
from engines.checks import folded, trouble
from tests.conftest import ROOT

C = "A brown dog runs on a wide beach."
WRAPPED = [
    "Sure! Here's a caption for the photo: " + C,
    C + " Let me know if you need more!",
    '"' + C + '"',
    f"**{C}**",
    f"```\n{C}\n```",
    f'```json\n{{"caption": "{C}"}}\n```',
    f'{{"caption": "{C}"}}',
    f"Caption: {C}",
    f"**Caption:** {C}",
    f"- {C}",
    f"1. {C}",
    f"◁think▷A dog?◁/think▷{C}",
    f"<thought>Hm</thought>\n{C}",
    f"[THINK]hm[/THINK]{C}",
    f"<|channel|>analysis<|message|>Hm a dog<|end|><|start|>assistant<|channel|>final<|message|>{C}",
    f"analysisWe need a caption.assistantfinal{C}",
    f"<|thinking|>hm<|/thinking|>{C}",
    C + " User: Describe this photo. Assistant: A cat sits.",
    C + "<|endoftext|>A cat sits on a wall",
    f"{P}\n{C}",
    C + "\n\n" + P,
    f"«{C}»",
    f"„{C}“",
    f"<caption>{C}</caption>",
    f"# {C}",
    f"> {C}",
    f"Hier ist eine Beschreibung des Fotos:\n\n{C}",
    f"Voici une légende : « {C} »",
    f"{{'caption': '{C}'}}",
    f'{{"caption": "{C}',
    f"assistant\n{C}",
    f'<think>\nHm\n</think>\n\n**Caption:** "{C}"',
    f"Certainly! {C}",
    f'Here is the caption:\n\n"{C}"\n\nI hope this helps!',
]
NOTHING = [
    "null",
    "N/A",
    "[img-0]",
    "<image>",
    "IMG_0001.JPG",
    "Error: CUDA out of memory",
    "<!DOCTYPE html><html><body>502</body></html>",
    "Internal Server Error",
    '{"error": "x"}',
    "None.",
    "(no caption)",
    "https://x.y/z.jpg",
]
GOOD = [
    '"Hello" and "bye" are written on two doors.',
    "Sure-footed goats climb a steep cliff.",
    'A sign that says "N/A" hangs on a door.',
    "Here is where the family spent its summer: a red house by the lake.",
    '"Happy birthday, Anna"',
    "Error: 404 glows on a screen in a dark office.",
    'A screen shows {"caption": "x"} in a code editor.',
    "#1 fan sign held by a boy",
    "An analysis of blood lies on a desk.",
    "A cartoon man thinks <think> in a bubble.",
    "Caption contest entry: a cat on a printer.",
    "User: admin is typed on a login screen.",
    "Certainly the largest tree in the park.",
    "*NSYNC poster on a wall",
    "Description of a trail on a wooden board.",
]
EXAMPLES = [
    json.loads(line) for line in (ROOT / "tests" / "caption_examples.jsonl").read_text("utf-8").splitlines()
]


def said(text: str) -> str:
    return folded(unwrapped(text, P))


@pytest.mark.parametrize("text", WRAPPED)
def test_the_caption_alone_stays(text: str) -> None:
    assert said(text) == C


@pytest.mark.parametrize("text", NOTHING)
def test_no_caption_is_known(text: str) -> None:
    assert is_nothing(said(text)) or trouble(said(text), "stop")


@pytest.mark.parametrize("text", GOOD)
def test_what_looks_like_it_stays_as_it_is(text: str) -> None:
    assert said(text) == text
    assert not is_nothing(text)
    assert trouble(text, "stop") is None


@pytest.mark.parametrize("mark", ["<think>", "◁think▷", "<thought>", "[THINK]", "<|thinking|>"])
def test_a_thought_without_end_is_no_caption(mark: str) -> None:
    assert trouble(said(f"{mark}A dog? Maybe a"), "length") == "cut off by the token limit while thinking"


def test_no_good_example_is_lost_or_changed() -> None:
    good = [folded(example["text"]) for example in EXAMPLES if example["verdict"] == "good"]
    changed = [
        text for text in good if said(text) != text and not text.startswith("Sure! Here's a description")
    ]
    assert changed == []
    assert not [text for text in good if is_nothing(text)]


@given(st.text() | st.text('<|>/think `"*{}[]:n\\ncaption'))
def test_any_answer_is_read(text: str) -> None:
    assert len(unwrapped(text, P)) <= len(text) + 10
    is_nothing(text)
