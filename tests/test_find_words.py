"""What a query of `find` means: the rules of the page's search, word for word, over the page's own examples."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal import CaptionJournal
from search.find import Asked, Found, find, joined, text_for_pictures
from search.index import Index
from search.query import Span, span_of, terms_of
from search.words import forms, separated, variants, words_in
from tests.conftest import ROOT
from tests.helpers.searched import NAMES, PHOTOS, QUERIES, write_table

MORE = {  # what the page shows as a group or an event, or not at all
    "vintage": [0],
    "birthday": [5],
    "birthday dog": [5],
    "asleep 2021": [6],
    "dog 2021": [5, 6],
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("words")
    journal = folder / "captions.jsonl"
    lines = [{"rel_path": path, "caption": said, "status": "success"} for path, said, _, _ in PHOTOS]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows: list[dict[str, object]] = [
        {
            "rel_path": path,
            "taken_at": at,
            "taken_from": "exif" if at else "",
            "group_name": NAMES[group],
            "event_name": "4 Jul 2021: birthday of a dog" if path == "2020/dog-party.png" else "",
        }
        for path, _, at, group in PHOTOS
    ]
    write_table(folder / "cluster_export.csv", rows)
    made = Index(None)
    made.catch_up(CaptionJournal(journal), folder / "cluster_export.csv")
    return made


def found(index: Index, query: str, days: Span | None = None) -> list[Found]:
    return find(index, Asked(query, days, limit=100))


def places(photos: list[Found]) -> list[int]:
    number = {path: place for place, (path, *_) in enumerate(PHOTOS)}
    return [number[one.photo.path] for one in photos]


@pytest.mark.parametrize("query", QUERIES)
def test_what_the_page_finds_is_found_and_comes_first(index: Index, query: str) -> None:
    photos = found(index, query)
    is_dates = all(term.when for term in terms_of(query, with_dates=True) or [])
    fit = [one for one in photos if is_dates or (not one.missing and set(one.words) - {"names"})]
    assert sorted(places(fit)) == sorted(QUERIES[query])
    assert set(places(photos)[: len(QUERIES[query])]) == set(QUERIES[query])


@pytest.mark.parametrize("query", MORE)
def test_groups_and_events_find_their_photos(index: Index, query: str) -> None:
    assert sorted(places([one for one in found(index, query) if not one.missing])) == MORE[query]


def test_captions_come_before_names_and_all_words_before_some(index: Index) -> None:
    assert places(found(index, "dog"))[:2] == [2, 5]
    photos = found(index, "red shirt sofa")
    assert places(photos)[0] in {2, 3}
    assert {tuple(one.missing) for one in photos} >= {("sofa",), ("red", "shirt")}
    assert places(found(index, '"red shirt" sofa')) == [2], "a phrase in quotes must be there"


def test_words_alone_of_no_meaning_find_everything(index: Index) -> None:
    assert len(found(index, "a picture with the")) == len(PHOTOS)
    assert not found(index, "???")


def test_days(index: Index) -> None:
    def between(since: str, until: str, query: str = "") -> list[int]:
        first, last = span_of(since), span_of(until)
        assert first
        assert last
        return places(found(index, query, Span(first.first, last.last)))

    assert between("2019", "2019") == [0, 1, 2]
    assert between("july 2019", "2019-07-12") == [0]
    assert between("2020-08-15", "2020-08-20") == [4], "it may have been on one of these days"
    assert between("2021-03", "2021-06") == [6]
    assert between("2018", "2022", "sofa") == [1, 6]


@pytest.mark.parametrize(
    "text", ["", "x", "31 feb 2019", "2019-13", "2019-00-01", "july", "2019 2020", "dog 2019", "00"]
)
def test_what_is_no_date(text: str) -> None:
    assert span_of(text) is None


def test_the_months_of_this_machines_language_are_known() -> None:
    assert span_of("sept 2020") == Span(20200901, 20200930)
    assert span_of("winter 2020") == Span(20200101, 20201231)
    assert span_of("12.7.2019") == Span(20190712, 20190712)


# --- words

WORD = st.text("abdefgimnoprstvyz", min_size=1, max_size=6)
ENDED = st.builds(
    str.__add__, WORD, st.sampled_from(["", "s", "es", "ies", "ves", "ing", "ed", "ning", "y", "e", "fe"])
)


@settings(max_examples=500, database=None)
@given(ENDED, ENDED)
def test_variants_are_the_other_way_round_of_forms(one: str, other: str) -> None:
    assert (other in variants(one)) == bool(forms(one) & forms(other))


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here, which runs the page's own rules")
def test_words_and_forms_are_those_of_the_page() -> None:
    texts = [
        *"children buses knives cities riding running need see movies boxes dishes dogs glass bus stopped leaves ties die".split(),
        *("Straße & Café-Zoë", "海边的狗 on a T-shirt_2", "don't 3½ x²", "ÉCOLE İstanbul", "IMG_0031"),
    ]
    program = (
        (ROOT / "report/files/templates/words.js").read_text()
        + f"\nconsole.log(JSON.stringify({json.dumps(texts)}.map((t) => wordsIn(t).map((w) => [w, [...new Set(formsOf(w))].sort()]))))"
    )
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [
        [[word, sorted(forms(word))] for word in words_in(text)] for text in texts
    ]


@settings(max_examples=200, database=None)
@given(st.text() | st.text('"“”*^:(){}+-,. \x00\ud800andORNOT狗ß12', max_size=40))
def test_no_query_is_more_than_words(index: Index, query: str) -> None:
    for one in found(index, query):
        assert one.photo.path
    terms = terms_of(query, with_dates=True) or []
    assert all(word == separated(word) for term in terms for word in term.words)
    text_for_pictures(query)


def test_what_is_asked_of_pictures_has_no_dates() -> None:
    assert text_for_pictures("a red kayak, july 2019") == "a red kayak,"
    assert text_for_pictures("photos of july 2019") == ""
    assert text_for_pictures("the photos") == ""


def test_what_is_well_up_in_both_lists_comes_first() -> None:
    assert joined([[1, 2, 3], [4, 2, 5]])[0] == 2
    assert joined([[1, 2], []]) == [1, 2]
