"""Answers to a request for caption and tags, as models of many makers wrap, spell and break them off."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PHOTOS: list[tuple[str, list[str]]] = [
    ("A brown dog runs across a green lawn.", ["dog", "lawn", "running", "grass"]),
    (
        "Two children build a sandcastle at the beach, with waves behind them.",
        ["child", "beach", "sandcastle", "sea"],
    ),
    ("A road sign that says STOP stands beside a field of maize.", ["road sign", "field", "maize"]),
    ("Grandma's birthday cake with candles on a kitchen table.", ["birthday cake", "candle", "kitchen"]),
    ("A screenshot of a chat: one message reads {ok}.", ["screenshot", "chat", "phone"]),
    ("Ein brauner Hund läuft über eine grüne Wiese.", ["Hund", "Wiese", "Gras"]),
    ("Zwei Kinder bauen am Strand eine Sandburg, dahinter das Meer.", ["Kind", "Strand", "Sandburg", "Meer"]),
    ("Un chat noir dort sur un canapé rouge.", ["chat", "canapé", "sommeil"]),
    ("一只棕色的狗在草地上奔跑。", ["狗", "草地", "奔跑"]),
    ("A wooden boat on a lake, 3:15 pm on the clock of a tower", ["boat", "lake", "tower", "clock"]),
]
"""Captions and tags; the last one has no full stop."""


@dataclass(frozen=True)
class Answer:
    """What a model says; `caption` is the one in it, None where a model gave none that could be used."""

    text: str
    caption: str | None
    finish: str = "stop"
    style: str = ""


def _json(caption: str, tags: list[str]) -> str:
    return json.dumps({"caption": caption, "tags": tags}, ensure_ascii=False)


def _quoted(tags: list[str], mark: str = '"') -> str:
    return ", ".join(f"{mark}{tag}{mark}" for tag in tags)


WRAPS: dict[str, Callable[[str, list[str]], str]] = {
    "plain": _json,
    "indented": lambda c, t: json.dumps({"caption": c, "tags": t}, indent=2, ensure_ascii=False),
    "ascii": lambda c, t: json.dumps({"caption": c, "tags": t}),
    "fence": lambda c, t: f"```json\n{_json(c, t)}\n```",
    "fence without a name": lambda c, t: f"```\n{_json(c, t)}\n```",
    "fence never closed": lambda c, t: f"```json\n{_json(c, t)}",
    "trailing commas": lambda c, t: f'{{"caption": {json.dumps(c)}, "tags": [{_quoted(t)},],}}',
    "fence and trailing comma": lambda c, t: (
        f'```json\n{{\n  "caption": {json.dumps(c)},\n  "tags": [\n    {_quoted(t)},\n  ],\n}}\n```'
    ),
    "prose before": lambda c, t: f"Sure! Here is the JSON object you asked for:\n\n{_json(c, t)}",
    "prose after": lambda c, t: f"{_json(c, t)}\n\nLet me know if you would like other tags!",
    "prose around a fence": lambda c, t: f"Here you go:\n```json\n{_json(c, t)}\n```\nI hope this helps.",
    "german prose": lambda c, t: (
        f"Hier ist das gewünschte JSON:\n{_json(c, t)}\nSag Bescheid, wenn du mehr brauchst."
    ),
    "thoughts": lambda c, t: (
        f'<think>The user wants JSON, as {{"caption": "..."}}. I see something.</think>\n{_json(c, t)}'
    ),
    "keywords": lambda c, t: json.dumps({"caption": c, "keywords": t}, ensure_ascii=False),
    "title too": lambda c, t: json.dumps(
        {"title": "Photo", "caption": c, "tags": t, "mood": "calm"}, ensure_ascii=False
    ),
    "capitals": lambda c, t: json.dumps({"Caption": c, "Tags": t}, ensure_ascii=False),
    "nested": lambda c, t: json.dumps({"result": {"caption": c, "tags": t}}, ensure_ascii=False),
    "in a list": lambda c, t: f"[{_json(c, t)}]",
    "tags first": lambda c, t: json.dumps({"tags": t, "caption": c}, ensure_ascii=False),
    "tags as text": lambda c, t: json.dumps({"caption": c, "tags": ", ".join(t)}, ensure_ascii=False),
    "tags as objects": lambda c, t: json.dumps(
        {"caption": c, "tags": [{"name": x, "confidence": 0.9} for x in t]}, ensure_ascii=False
    ),
    "single quotes": lambda c, t: f"{{'caption': '{c}', 'tags': [{_quoted(t, chr(39))}]}}",
    "curly quotes": lambda c, t: f"{{“caption”: “{c}”, “tags”: [{', '.join(f'“{x}”' for x in t)}]}}",
    "bare keys": lambda c, t: f'{{caption: "{c}", tags: [{_quoted(t)}]}}',
    "comments": lambda c, t: (
        f'{{\n  "caption": "{c}", // one sentence\n  "tags": [{_quoted(t)}] // keywords\n}}'
    ),
    "missing comma": lambda c, t: f'{{\n  "caption": "{c}"\n  "tags": [{_quoted(t)}]\n}}',
    "no last brace": lambda c, t: f'{{"caption": "{c}", "tags": [{_quoted(t)}]',
    "line break in the text": lambda c, t: (
        f'{{"caption": "{c.replace(" ", chr(10), 1)}", "tags": [{_quoted(t)}]}}'
    ),
    "quotes within": lambda c, t: (
        f'{{"caption": "{c.replace("STOP", chr(34) + "STOP" + chr(34))}", "tags": [{_quoted(t)}]}}'
    ),
    "labels": lambda c, t: f"Caption: {c}\nTags: {', '.join(t)}",
    "bold labels": lambda c, t: f"**Caption:** {c}\n\n**Tags:** {', '.join(t)}",
    "bullets": lambda c, t: f"{c}\n\nTags:\n" + "\n".join(f"- {x}" for x in t),
    "hashtags": lambda c, t: f"{c}\nTags: " + " ".join("#" + x.replace(" ", "") for x in t),
    "twice": lambda c, t: f"{_json(c, t)}\n{_json(c, t)}",
    "template marks": lambda c, t: f"<|im_start|>assistant\n{_json(c, t)}<|im_end|>",
    "escaped": lambda c, t: json.dumps(_json(c, t), ensure_ascii=False),
}


def _cut(text: str, generator: random.Random) -> str:
    return text[: generator.randrange(1, len(text))]


def answers(number: int, seed: int = 20) -> list[Answer]:
    """Return this many answers over all styles, photos and ways to break off; the same each time."""
    return list(itertools.islice(_answers(random.Random(seed)), number))


def _answers(generator: random.Random) -> Iterator[Answer]:
    for round_ in itertools.count():
        for style, wrap in WRAPS.items():
            caption, tags = generator.choice(PHOTOS)
            text = wrap(caption, tags)
            if round_ % 3 == 2:
                yield Answer(_cut(text, generator), caption, "length", f"{style}, cut")
            else:
                yield Answer(text, caption, "stop", style)
        for text in (
            "I'm sorry, I can't help with identifying people in this image.",
            '{"error": "content policy"}',
            '{"caption": "", "tags": []}',
            '{"caption": null, "tags": ["dog", "lawn", "grass"]}',
            '["dog", "lawn", "grass"]',
            '{"tags": ["dog", "lawn", "grass"]}',
            '{"caption": "...", "tags": ["...", "..."]}',
            "```json\n```",
            "null",
        ):
            yield Answer(text, None, "stop", "nothing")
