"""What becomes of answers with caption and tags: valid, or an error, and never the remains of JSON as a caption."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.tags import judged_with_tags, parted
from engines.vocabulary import LEAST, Vocabulary
from tests.helpers.tagged_answers import PHOTOS, WRAPS, Answer, answers

PROMPT = "Describe this photo in one or two sentences."


def folded(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


def is_wrong(answer: Answer) -> bool:
    """Tell whether what comes out as a caption is not what the model said."""
    (caption, problem), _ = judged_with_tags(answer.text, answer.finish, PROMPT)
    if problem:
        return False
    said = answer.caption
    return (
        said is None
        or folded(caption) != folded(said)
        or bool(re.search(r'[{}\[\]"]', caption.replace("{ok}", "").replace('"STOP"', "")))
    )


def test_of_400_answers_none_becomes_a_wrong_caption() -> None:
    wrong = [answer for answer in answers(400) if is_wrong(answer)]
    assert not wrong, wrong[:3]


def test_of_those_that_hold_a_caption_nearly_all_are_valid() -> None:
    whole = [answer for answer in answers(400) if answer.caption and answer.finish == "stop"]
    assert len(whole) > 200
    lost = [answer for answer in whole if judged_with_tags(answer.text, answer.finish, PROMPT)[0].problem]
    assert len(lost) <= len(whole) * 0.005, lost[:3]


@pytest.mark.parametrize("style", WRAPS)
def test_each_style_gives_its_tags(style: str) -> None:
    for caption, tags in PHOTOS:
        words = judged_with_tags(WRAPS[style](caption, tags), "stop", PROMPT)[1]
        chosen = Vocabulary().chosen(words or ())
        assert [folded(tag) for tag in chosen] == [folded(tag) for tag in tags], (style, caption)


def test_a_cut_answer_still_has_its_caption() -> None:
    for caption, tags in PHOTOS:
        text = WRAPS["plain"](caption, tags)
        for end in range(text.index('"tags"'), len(text)):
            (said, problem), words = judged_with_tags(text[:end], "length", PROMPT)
            assert (said, problem) == (caption, None)
            assert set(Vocabulary().chosen(words or ())) <= set(tags), "no half word"


def test_a_cut_caption_is_no_caption() -> None:
    for end in range(len('{"caption": "A b'), len('{"caption": "A brown dog runs across a green lawn')):
        made, _ = judged_with_tags(
            '{"caption": "A brown dog runs across a green lawn.", "tags": []}'[:end], "length", PROMPT
        )
        assert made.problem, made


@pytest.mark.parametrize(
    "text",
    [
        '{"caption": "Es tut mir leid, ich kann dieses Bild nicht beschreiben.", "tags": []}',
        '```json\n{"caption": "Ich kann leider keine Bilder sehen.", "tags": ["Bild"]}\n```',
        "Tut mir leid, dabei kann ich nicht helfen.",
        '{"caption": "Hund Hund Hund Hund Hund Hund Hund Hund Hund", "tags": ["Hund"]}',
    ],
)
def test_captions_are_checked_in_german_too(text: str) -> None:
    assert judged_with_tags(text, "stop", "Beschreibe dieses Foto in einem Satz.")[0].problem


@given(st.text(max_size=200))
def test_any_text_is_taken(text: str) -> None:
    parts = parted(text)
    Vocabulary().chosen(parts.tags or ())
    parted('{"caption": "' + text + '", "tags": ["a"]}')


@pytest.mark.parametrize(
    ("words", "tags"),
    [
        (["dog", "Dog", "dogs", "lawn"], ["dog", "lawn"]),
        (["wolves", "wolf", "glasses", "T-shirt", "t shirt"], ["wolves", "glasses", "T-shirt"]),
        (["Hund", "Hunde", "Baum", "Bäume", "Kind", "Kinder"], ["Hund", "Baum", "Kind"]),
        (["plan", "plane", "car", "care"], ["plan", "plane", "car", "care"]),
        (["#sunset", '"sea"', "Animals > Dog", "2019", "", " - "], ["sunset", "sea", "Dog"]),
        (["this is a whole sentence and no keyword"], []),
        ([f"word{chr(97 + n)}" for n in range(20)], [f"word{chr(97 + n)}" for n in range(12)]),
    ],
)
def test_tags_are_folded(words: list[str], tags: list[str]) -> None:
    assert list(Vocabulary().chosen(words)) == tags


def test_a_list_makes_them_strict() -> None:
    words = Vocabulary(["Animals > Dog", "Lawn", "", "  Birthday party "])
    assert words.is_strict
    assert words.chosen(["dogs", "lawn", "grass", "Animals > dog", "birthday Party"]) == (
        "Animals > Dog",
        "Lawn",
        "Birthday party",
    )
    assert "Animals > Dog; Lawn; Birthday party" in words.asked("What?")
    assert Vocabulary().asked("What?") == "What?"
    assert len(words.chosen(["grass"])) < LEAST


def test_a_lightroom_export_as_it_is() -> None:
    """Levels by tabs, synonyms in braces, keywords in brackets only sort; the words come in the export's spelling."""
    export = "\ufeff[WHAT]\r\n\tAnimals\r\n\t\t{fauna}\r\n\t\tDog\r\n\t\t\t{hound}\r\n\t\t\t{puppy}\r\n\tPlants\r\nBeach\r\n"
    words = Vocabulary(export.splitlines())
    assert words.chosen(["puppies", "BEACHES", "what", "plant", "fauna"]) == (
        "WHAT > Animals > Dog",
        "Beach",
        "WHAT > Plants",
        "WHAT > Animals",
    )


def test_a_long_list_is_not_sent() -> None:
    words = Vocabulary(f"thing {number}" for number in range(2000))
    assert words.asked("What?") == "What?"
    assert words.chosen(["Thing 1999", "thing 2000"]) == ("thing 1999",)
