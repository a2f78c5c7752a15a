"""Names: labels, headings, terms, themes and the counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from report.naming.inheritance import Heirs
from report.naming.naming import (
    HEADING_LENGTH,
    Group,
    Label,
    contrast_terms,
    count,
    counted,
    key,
    label_photos,
    name_groups,
    one_line,
    shorten,
)
from report.naming.vocabulary import VOCABULARY, prompt
from tests.helpers.labels import CAPTION, captioned

if TYPE_CHECKING:
    from collections.abc import Sequence


def success(caption: str, model: str = "openai/gpt-4o-mini") -> Any:
    return {"caption": caption, "status": "success", "model": model}


def named(
    texts: Sequence[str], clusters: Sequence[int], distances: Sequence[float] | None = None, **more: Any
) -> list[Group]:
    labels = captioned(texts)
    ways = np.zeros(len(texts)) if distances is None else np.array(distances)
    return name_groups(list(labels), np.array(clusters, int), ways, labels, **more)


# --- the vocabulary


def test_the_vocabulary_is_about_a_thousand_plain_subjects_with_a_prompt_each() -> None:
    assert 1000 <= len(VOCABULARY) <= 1300
    assert len({re.sub(r"e?s$", "", key(subject)) for subject in VOCABULARY}) == len(VOCABULARY)
    for subject in VOCABULARY:
        assert re.fullmatch(r"[A-Za-z' -]+", subject), subject
        assert prompt(subject).endswith(f"{subject}.")
    assert prompt("dog") == "a photo of a dog."
    assert prompt("children playing") == "a photo of children playing."


# --- labels and counts


def test_a_label_is_the_caption_nothing_after_an_error_or_the_match_of_what_has_no_record() -> None:
    asked: list[str] = []

    def match(paths: Sequence[str]) -> list[str]:
        asked.extend(paths)
        return ["cat" for _ in paths]

    records: Any = {
        "a.jpg": success("two\nlines \u202eof\x00 it"),
        "b.jpg": {"caption": None, "status": "error_api"},
        "c.mov": {"caption": None, "status": "error_corrupt", "error": "video"},
        "gone.mov": {"caption": None, "status": "error_corrupt", "error": "video"},
        "m.jpg": success("a mock caption for m.jpg", "mock"),
    }
    files = ["a.jpg", "b.jpg", "broken.jpg", "c.mov", "m.jpg", "new.jpg"]
    labels = label_photos(files, records, placed={"a.jpg", "b.jpg", "m.jpg", "new.jpg"}, match=match)
    assert {name: label[:3] for name, label in labels.items()} == {
        "a.jpg": ("two lines of it", "caption", False),
        "b.jpg": ("", "error", False),
        "broken.jpg": ("", "none", False),
        "c.mov": ("", "error", False),
        "m.jpg": ("a mock caption for m.jpg", "caption", True),
        "new.jpg": ("cat", "vocabulary", False),
    }
    assert list(labels) == files
    assert asked == ["new.jpg"]
    assert count(labels, {"c.mov", "gone.mov"}).line() == (
        "2 captioned, 1 error, 1 vocabulary fallback, 1 unlabelled, 1 video (1 of the captions are the mock's)"
    )
    assert label_photos(files, records)["new.jpg"][:3] == ("", "none", False)


@settings(deadline=None, database=None)
@given(
    st.lists(st.sampled_from(["success", "error_api", "error_corrupt", "error_model", None]), max_size=20),
    st.booleans(),
)
def test_the_counts_add_up_to_all_files(statuses: list[str | None], has_model: bool) -> None:
    files = [f"{row}.jpg" for row in range(len(statuses))]
    records: Any = {
        name: success("a") if status == "success" else {"caption": None, "status": status}
        for name, status in zip(files, statuses, strict=True)
        if status
    }
    match = (lambda paths: ["dog"] * len(paths)) if has_model else None
    counts = count(label_photos(files, records, placed=set(files[::2]), match=match), ())
    assert sum(counts.sources.values()) == len(files)
    assert counts.line().startswith(
        f"{statuses.count('success')} captioned, {counted(len([s for s in statuses if s and s != 'success']), 'error')}, "
    )


def test_the_model_is_not_asked_when_every_photo_has_a_record_and_every_centre_a_caption() -> None:
    def match(paths: Sequence[str]) -> list[str]:
        raise AssertionError(paths)

    records = {"a.jpg": success("a"), "b.jpg": success("b")}
    labels = label_photos(["a.jpg", "b.jpg"], records, placed=records, match=match)
    groups = name_groups(["a.jpg", "b.jpg"], np.array([0, 0]), np.zeros(2), labels, match=match)
    assert groups[0].heading == "a"


# --- headings


def test_a_heading_is_the_caption_of_the_photo_nearest_to_the_centroid() -> None:
    groups = named(["far", "near", "alone", "nowhere"], [0, 0, 1, -1], [0.5, 0.1, 0.0, 0.3])
    assert [(group.heading, group.members) for group in groups] == [("near", (1, 0)), ("alone", (2,))]


def test_a_group_whose_centre_has_no_caption_is_called_what_most_photos_around_it_are_like() -> None:
    labels = {
        "0": Label("", "error"),
        "1": Label("a dog on grass", "caption"),
        "2": Label("cat", "vocabulary"),
    }
    groups = name_groups(
        list(labels),
        np.zeros(3, int),
        np.array([0.1, 0.2, 0.3]),
        labels,
        match=lambda paths: ["fox", "cat", "cat"],
    )
    assert (groups[0].heading, groups[0].source) == ("cat", "vocabulary")


def test_without_a_text_model_the_nearest_captioned_photo_heads_the_group_else_its_number() -> None:
    labels = {
        "0": Label("", "none"),
        "1": Label("a dog on grass", "caption"),
        "2": Label("", "none"),
        "3": Label("", "error"),
    }
    groups = name_groups(
        list(labels),
        np.array([0, 0, 1, 1]),
        np.array([0.1, 0.2, 0.3, 0.4]),
        labels,
        heirs=Heirs({0: 7, 1: 12}, {}),
    )
    assert [group.heading for group in groups] == ["a dog on grass", "Group 12"]


def test_headings_that_are_alike_get_the_terms_that_set_the_groups_apart_else_a_number() -> None:
    texts = [
        "A dog on a beach",
        "a dog in the waves",
        "waves and sand",
        "a dog on a beach!",
        "a dog at sunset",
        "sunset",
    ]
    groups = named(texts, [0, 0, 0, 1, 1, 1])
    assert [group.heading for group in groups] == ["A dog on a beach (waves)", "a dog on a beach! (sunset)"]
    same = named(["a dog"] * 6, [0, 0, 1, 1, 2, 2])
    assert [group.heading for group in same] == ["a dog", "a dog (2)", "a dog (3)"]


def test_a_heading_that_stays_wins_over_a_new_one() -> None:
    groups = named(["a dog", "a dog"], [0, 1], heirs=Heirs({0: 0, 1: 1}, {1: "a dog"}))
    assert [group.heading for group in groups] == ["a dog (2)", "a dog"]


@settings(deadline=None, database=None)
@given(
    st.lists(st.tuples(CAPTION, st.integers(-1, 6)), max_size=25),
    st.dictionaries(st.integers(0, 6), CAPTION, max_size=4),
)
def test_no_two_headings_are_alike(photos: list[tuple[str, int]], kept: dict[int, str]) -> None:
    numbers = sorted({cluster for _, cluster in photos if cluster >= 0})
    clusters = [numbers.index(cluster) if cluster >= 0 else -1 for _, cluster in photos]
    kept = {cluster: one_line(text) or "x" for cluster, text in kept.items() if cluster < len(numbers)}
    groups = named(
        [text for text, _ in photos], clusters, heirs=Heirs(dict(enumerate(range(len(numbers)))), kept)
    )
    keys = [key(group.heading) for group in groups]
    assert len(set(keys)) == len(numbers) == len(groups)
    assert all(keys)
    assert "unclustered" not in keys
    assert all(group.heading.strip() and "\n" not in group.heading for group in groups)


@settings(deadline=None, database=None)
@given(st.text(max_size=300), st.integers(10, 100))
def test_a_shortened_text_is_short_and_begins_as_it_did(text: str, length: int) -> None:
    text = one_line(text)
    short = shorten(text, length)
    assert len(short) <= length
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


def test_a_text_is_cut_at_a_words_end_and_never_inside_a_character() -> None:
    words = "a long caption that goes on and on about all there is to see in the picture, and more of it"
    assert shorten(words) == "a long caption that goes on and on about all there is to see in the picture…"
    assert len(shorten("海" * 200)) == HEADING_LENGTH
    assert shorten("हि" * 60)[-2] == "ि"
    family = "👨\u200d👩\u200d👧"
    assert shorten(family * 30)[:-1].strip("👨👩👧\u200d") == ""
    assert not shorten(family * 30)[:-1].endswith("\u200d")


# --- terms


def test_terms_set_a_group_apart_from_all_other_photos() -> None:
    terms = contrast_terms(
        [
            ["a dog on a beach"] * 3 + ["a dog on sand"] * 2,
            ["a cat on a sofa", "a cat in bed"],
            ["der Hund im Schnee"] * 2,
        ],
        ["a dog in town"],
    )
    assert terms[0][:2] == ["dog", "beach"]
    assert terms[1] == ["cat"]
    assert set(terms[2]) == {"der", "hund", "im", "schnee"}
    assert contrast_terms([["a dog", "a dog"]]) == [[]], "nothing to be set apart from"
    assert contrast_terms([]) == []


def test_words_that_all_groups_share_are_no_terms_in_any_language() -> None:
    one = ["der Hund am Strand", "der Hund im Wasser am Strand"]
    other = ["der Kuchen am Tisch", "der Kuchen im Ofen am Fenster"]
    assert contrast_terms([one, other]) == [["hund", "strand"], ["kuchen"]]


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        (["海滩上的狗", "狗在海滩"], ["桌上的蛋糕", "生日蛋糕"], "海滩"),
        (["東京タワーの夜景", "夜の東京タワー"], ["海の写真", "海の景色"], "タワー"),
        (["강아지 사진", "강아지 해변"], ["케이크 사진", "케이크 식탁"], "강아지"),
        (["हिन्दी किताब", "पुरानी हिन्दी"], ["समुद्र तट", "समुद्र लहर"], "हिन्दी"),
        (["Кот на диване", "кот спит"], ["собака бежит", "собака спит"], "кот"),
    ],
)
def test_terms_of_scripts_with_marks_or_without_spaces(
    here: list[str], there: list[str], expected: str
) -> None:
    terms = contrast_terms([here, there])[0]
    assert expected in terms


def test_the_mock_heads_no_group_that_has_a_real_caption() -> None:
    labels = {"0": Label("a mock caption for 0", "caption", is_mock=True), "1": Label("a dog", "caption")}
    groups = name_groups(list(labels), np.zeros(2, int), np.array([0.1, 0.2]), labels)
    assert groups[0].heading == "a dog"
