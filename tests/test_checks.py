"""Proves the judgement on captions: over many examples no good one is thrown away, and bad ones are called by name."""

# ruff: noqa: RUF001 (letters and marks of many scripts)

from __future__ import annotations

import json
import re
import time
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines import refusals
from engines.checks import ALIKE, SameAnswerWatch, is_loop, one_line, problem
from engines.outcome import Outcome
from engines.refusals import is_refusal
from library.walk import Photo
from tests.conftest import ROOT

EXAMPLES = [
    example
    for line in (ROOT / "tests" / "caption_examples.jsonl").read_text("utf-8").splitlines()
    if "caption" not in (example := json.loads(line))  # those with something around them: test_answers.py
]
GOOD = [one_line(example["text"]) for example in EXAMPLES if example["verdict"] == "good"]
KINDS = {
    "good": "good",
    "content filter": "content filter",
    "refusal": "refusal",
    "cut off by the token limit": "cut off",
    "repetition loop": "loop",
    "empty caption": "empty",
}
MISSED = {
    "I'm just a text model and can't see pictures.": "it does not say who cannot, and a man in a photo cannot either",
}
"""Bad captions that are taken for good ones, and why no rule can catch them without risk for good ones."""
PICTURE = Photo("a.jpg", "/a.jpg")


HEADINGS = {
    "ar": "Arabic", "bn": "Bengali", "cs": "Czech", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian", "id": "Indonesian",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "no": "Norwegian and Danish", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian and Ukrainian", "sv": "Swedish", "th": "Thai",
    "tr": "Turkish", "uk": "Russian and Ukrainian", "vi": "Vietnamese", "zh-Hans": "Chinese", "zh-Hant": "Chinese",
}  # fmt: skip


def judged(text: str, finish: str | None) -> str:
    return KINDS[problem(one_line(text), finish) or "good"]


class Way(NamedTuple):
    """A line of refusals.txt."""

    number: int
    language: str
    pattern: re.Pattern[str]


def ways() -> list[Way]:
    found, language = [], ""
    for number, line in enumerate((ROOT / "engines" / "refusals.txt").read_text("utf-8").splitlines(), 1):
        kind, _, pattern = line.partition(" ")
        if line.startswith("["):
            language = line[1:-1]
        elif kind == "refuses":
            found.append(Way(number, language, re.compile(refusals.expanded(pattern.strip()))))
    return found


WAYS = ways()


def matching(text: str) -> list[Way]:
    """Return the lines that the text begins with, whatever follows."""
    begin = refusals._COURTESY.sub("", refusals._plain(text), count=1)
    return [way for way in WAYS if way.pattern.match(begin)]


def lines(text: str) -> str:
    """Return which lines of refusals.txt the text begins with, for the message of a failed test."""
    return f"engines/refusals.txt: {[(line.number, line.language) for line in matching(one_line(text))]}"


def test_there_are_many_examples() -> None:
    assert len(EXAMPLES) >= 300
    assert len(GOOD) >= 200
    assert {example["verdict"] for example in EXAMPLES} == {"good", "empty", "refusal", "cut off", "loop"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example['verdict']}: {example['note']}")
def test_an_example_is_judged_right(example: dict[str, str]) -> None:
    if example["text"] in MISSED:
        verdicts = {"good"}
    elif example["finish"] == "content_filter":
        verdicts = {"content filter", example["verdict"]}
    else:
        verdicts = {example["verdict"]}
    assert judged(example["text"], example["finish"]) in verdicts, lines(example["text"])


REFUSALS = [
    example for example in EXAMPLES if example["verdict"] == "refusal" and example["text"] not in MISSED
]


@pytest.mark.parametrize("example", REFUSALS, ids=lambda example: f"{example['language']}: {example['note']}")
def test_a_refusal_is_found_under_the_heading_of_its_language(example: dict[str, str]) -> None:
    languages = {line.language for line in matching(one_line(example["text"]))}
    assert HEADINGS[example["language"]] in languages, lines(example["text"])


def test_every_way_to_refuse_has_an_example() -> None:
    met = {line.number for example in REFUSALS for line in matching(one_line(example["text"]))}
    assert [way for way in WAYS if way.number not in met] == []


def test_what_is_missed_is_known() -> None:
    assert set(MISSED) <= {example["text"] for example in EXAMPLES if example["verdict"] != "good"}


@pytest.mark.parametrize("text", GOOD)
def test_a_good_caption_in_quotes_or_bold_is_good(text: str) -> None:
    assert problem(f"**{text}**", "stop") is None
    assert problem(f"Caption: {text}", "stop") is None


@given(st.sampled_from(GOOD), st.sampled_from(GOOD))
def test_a_good_caption_stays_good_when_another_follows(one: str, other: str) -> None:
    assert problem(f"{one}. {other}", "stop") is None  # Thai has no full stop


@given(st.text())
def test_folding_leaves_one_line(text: str) -> None:
    line = one_line(text)
    assert line.splitlines() in ([], [line])
    assert one_line(line) == line.strip() == line


@given(
    st.text() | st.text("ab .!?,\"“”«»'’*\n無画像が，。") | st.characters().map(lambda one: one * 300),
    st.sampled_from([None, "stop", "length", "content_filter", "refusal", "tool_calls"]),
)
def test_any_text_is_judged(text: str, finish: str | None) -> None:
    assert (problem(one_line(text), finish) or "good").split(" while ")[0].split(" before ")[0] in KINDS
    problem(text, finish)


def test_a_thought_that_the_limit_cut_off_is_no_caption() -> None:
    assert problem("<think>A dog? Or a cat?", "length") == "cut off by the token limit while thinking"
    assert problem("", "length") == "cut off by the token limit before a word"
    assert problem("A cat", "length") == "cut off by the token limit"


@pytest.mark.parametrize(
    ("spellings", "reason"),
    [
        (
            (
                "length MAX_TOKENS max_tokens LENGTH maxTokens FinishReason.MAX_TOKENS FINISH_REASON_MAX_TOKENS model_length "
                "model_context_window_exceeded max_output_tokens context_length_exceeded token-limit truncated incomplete"
            ),
            "cut off by the token limit",
        ),
        (
            (
                "content_filter CONTENT_FILTER content-filter contentFilter SAFETY IMAGE_SAFETY PROHIBITED_CONTENT BLOCKLIST "
                "SPII RECITATION blocked guardrail_intervened"
            ),
            "content filter",
        ),
        ("refusal REFUSAL refused", "refusal"),
        ("abort", "cut off by the server (abort)"),
        ("error", "cut off by the server (error)"),
        (
            "stop STOP end_turn EndTurn eos eos_token stop_sequence tool_calls other FINISH_REASON_UNSPECIFIED",
            None,
        ),
    ],
)
def test_why_an_answer_ended_in_any_spelling(spellings: str, reason: str | None) -> None:
    text = "A brown dog on a"
    assert {spelling: problem(text, spelling) for spelling in spellings.split()} == dict.fromkeys(
        spellings.split(), reason
    )


@pytest.mark.parametrize(
    "text",
    [
        "A bus timetable: " + ", ".join(f"{6 + n // 3:02d}:{5 + 20 * (n % 3):02d}" for n in range(150)),
        "Framed sampler: " + "; for want of ".join(
            f"a {one} the {other} was lost"
            for one, other in [("nail", "shoe"), ("shoe", "horse"), ("horse", "rider"), ("rider", "message")]
        ),
        "The image shows five people. " + " ".join(
            f"The {nth} person from the left is a {who} holding a {what}."
            for nth, who, what in [
                ("first", "man in a blue shirt", "glass"), ("second", "woman in a red dress", "plate"),
                ("third", "man in a grey suit", "phone"), ("fourth", "woman in a black dress", "baby"),
                ("fifth", "boy in a white shirt", "ball"),
            ]
        ),
        ("इस तस्वीर में एक बड़ा परिवार आँगन में बैठा हुआ दिखाई दे रहा है। बीच में दादाजी चारपाई पर बैठे हैं और उनके हाथ में "
        "अख़बार है, उनके पास दादी स्वेटर बुन रही हैं। बाईं ओर दो बच्चे कैरम खेल रहे हैं और दाईं ओर एक लड़की रंगोली बना रही है। "
        "पीछे रसोई के दरवाज़े पर माँ चाय की ट्रे लेकर खड़ी हैं और छत पर कपड़े सूख रहे हैं।"),
        ("ภาพนี้แสดงครอบครัวหนึ่งกำลังนั่งรับประทานอาหารเย็นร่วมกันที่โต๊ะไม้ในสวนหลังบ้าน คุณยายนั่งอยู่ตรงกลางและกำลังตักข้าวให้หลานชาย "
        "ทางซ้ายมีคุณพ่อสวมเสื้อสีฟ้ากำลังย่างปลาบนเตาถ่าน ทางขวามีคุณแม่สวมเสื้อสีขาวกำลังหั่นแตงโม ด้านหลังมีต้นมะม่วงใหญ่"),
    ],
    ids=["timetable", "poem", "people", "hindi", "thai"],
)  # fmt: skip
def test_a_long_caption_is_no_loop(text: str) -> None:
    assert not is_loop(text)
    assert problem(text, "stop") is None


def test_an_end_that_repeats_is_a_loop_only_when_it_is_long_or_cut_off() -> None:
    beginning = (
        "Children play in a fountain while pigeons peck at crumbs and an old man feeds them from a paper bag"
    )
    assert problem(beginning + ", very happy" * 5 + ".", "stop") is None
    assert problem(beginning + ", very happy" * 5, "length") == "repetition loop"
    assert problem(beginning + ", very happy" * 20 + ".", "stop") == "repetition loop"
    assert problem(beginning + "." * 39, "stop") is None
    assert problem(beginning + "." * 400, "stop") == "repetition loop"


@pytest.mark.parametrize(
    "text",
    ["a " * 2000, "." * 4000, "«" * 4000, "I can't help with " * 220, "I can't help but " * 220, "no not " * 570,
     "it looks like " * 280, "ich kann " * 440, "我无" * 2000, "<|" * 2000, "<think>" * 570, "sorry, " * 570],
    ids=lambda text: text[:8],
)  # fmt: skip
def test_no_text_takes_long(text: str) -> None:
    start = time.process_time()
    problem(one_line(text), "length")
    is_refusal(text)
    assert time.process_time() - start < 0.2


def success(caption: str) -> Outcome:
    return Outcome(PICTURE, "success", caption=caption)


def unusable(reason: str) -> Outcome:
    return Outcome(PICTURE, "error_model", error=reason, answered=True)


def warnings(outcomes: list[Outcome]) -> list[str]:
    alike = SameAnswerWatch()
    return [warning for outcome in outcomes if (warning := alike.see(outcome))]


def test_identical_captions_warn_once() -> None:
    assert warnings([success("A cat.")] * (ALIKE - 1)) == []
    (warning,) = warnings([success("A cat on a sofa.")] * 3 * ALIKE)
    assert "A cat on a sofa." in warning
    assert "--model" in warning


def test_different_captions_do_not_warn() -> None:
    assert warnings([success(text) for text in GOOD[:ALIKE]]) == []
    assert warnings(([success("A cat.")] * (ALIKE - 1) + [success("Two dogs run.")]) * 3) == []


def test_unusable_answers_for_the_same_reason_warn() -> None:
    assert len(warnings([unusable("refusal")] * ALIKE)) == 1
    assert warnings([unusable("refusal")] * 10 + [success("A cat.")] * 10) == []


def test_photos_that_were_not_answered_are_ignored() -> None:
    corrupt = Outcome(PICTURE, "error_corrupt", error="truncated")
    assert warnings([corrupt] * 3 * ALIKE) == []
    assert len(warnings([success("A cat."), corrupt] * ALIKE)) == 1
    refused = Outcome(PICTURE, "error_model", error="400 bad request")
    assert warnings([refused] * 3 * ALIKE) == []
