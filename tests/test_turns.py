"""Whose turn it is: of photos with the same content one, then a second if that fails, then the rest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engines.turns import Turns
from journal import CaptionRecord
from library.walk import Photo

CONTENTS = st.lists(st.none() | st.integers(0, 4), max_size=25)


def content(number: int | None) -> str | None:
    return None if number is None else f"{number}-0011223344556677"


@given(CONTENTS, st.none() | st.integers(1, 30), st.data())
def test_every_photo_once_and_no_more_than_allowed(
    numbers: list[int | None], most: int | None, data: st.DataObject
) -> None:
    photos = [Photo(f"{at}.jpg", f"/{at}.jpg", content=content(number)) for at, number in enumerate(numbers)]
    turns = Turns(photos, most)
    asked: list[Photo] = []
    carried: list[CaptionRecord] = []
    good: set[str] = set()
    rounds = 0
    for photos_of_round in turns.rounds():
        rounds += 1
        for photo in photos_of_round:
            assert photo.content is None or photo.content not in good, "its caption was there"
            asked.append(photo)
        for photo in photos_of_round:
            if data.draw(st.booleans()):
                good |= {photo.content} if photo.content else set()
                made = CaptionRecord(
                    rel_path=photo.rel_path, caption="c", status="success", model="m", content=photo.content
                )
                copies = turns.copies_of(made)
                assert {(copy.copy_of, copy.caption, copy.content) for copy in copies} <= {
                    (photo.rel_path, "c", photo.content)
                }
                carried += copies
            else:
                failed = CaptionRecord(
                    rel_path=photo.rel_path, caption=None, status="error_api", content=photo.content
                )
                assert turns.copies_of(failed) == []
    assert rounds <= 3
    done = [photo.rel_path for photo in asked] + [record.rel_path for record in carried]
    assert len(set(done)) == len(done)
    assert len(asked) <= (len(photos) if most is None else most)
    assert turns.asked == len(asked)
    assert turns.carried == len(carried)
    assert turns.left == len(photos) - len(done)
    assert len(done) <= turns.size == (len(photos) if most is None else min(most, len(photos)))
    assert turns.left == len(photos) - turns.size


def test_the_first_round_has_one_of_each_content() -> None:
    photos = [
        Photo(f"{at}.jpg", "", content=content(number)) for at, number in enumerate([1, None, 1, None, 2, 1])
    ]
    turns = Turns(photos, 4)
    assert (turns.size, turns.quota, turns.alike) == (4, 3, 1)
    assert [photo.rel_path for photo in next(turns.rounds())] == ["0.jpg", "1.jpg", "3.jpg"]
