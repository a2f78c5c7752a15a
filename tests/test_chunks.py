"""Events and bursts: hand-made timelines with known answers, and what holds for any."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.moments import Moment
from report.events import UNDATED, name_events
from report.naming.naming import Label
from report.time.bursts import bursts
from report.time.cut import cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from report.events import Event

Place = tuple[float, float]
MUNICH, ROME, NEW_YORK = (48.14, 11.58), (41.90, 12.50), (40.71, -74.01)
DAY = datetime(2019, 7, 12)  # noqa: DTZ001 - a wall clock


def at(hours: float, offset: float | None = None, place: Place | None = None) -> Moment:
    """A photo so many hours after the beginning of the day by the clock of the place, `offset` hours ahead of UTC."""
    zone = None if offset is None else timezone(timedelta(hours=offset))
    return Moment((DAY + timedelta(hours=hours)).replace(tzinfo=zone), "exif", place)


def every(minutes: float, begin: float, end: float, place: Place | None = None) -> list[Moment]:
    return [at(hour, place=place) for hour in np.arange(begin, end, minutes / 60).tolist()]


def sizes(moments: Sequence[Moment]) -> list[int]:
    events = cut(moments)
    found: list[int] = np.bincount(events[events >= 0]).tolist()
    return found


def named(
    moments: Sequence[Moment], captions: Iterable[str] | None = None, source: str = "caption"
) -> list[Event]:
    paths = [f"{number:04}.jpg" for number in range(len(moments))]
    texts = captions or [""] * len(paths)
    labels = {path: Label(text, source) for path, text in zip(paths, texts, strict=True)}  # type: ignore[arg-type]
    return name_events(cut(moments), moments, paths, labels)


# --- the cut


def test_three_days_on_end_are_one_event_apart_from_home() -> None:
    home = [at(0), at(31)]
    festival = [photo for day in (10, 11, 12) for photo in every(10, 24 * day + 9, 24 * day + 18)]
    assert sizes([*home, *festival, at(24 * 20)]) == [2, 162, 1]
    sparse = [at(24 * day + hour) for day in (10, 11, 12) for hour in (9, 13, 17, 21)]
    assert sizes([*home, *sparse, at(24 * 20)]) == [2, 12, 1]


def test_a_day_is_one_event_with_its_bursts_and_pauses_and_its_night() -> None:
    day: list[Moment] = []
    for hour in (11, 11.5, 12.1, 14, 14.3, 16.2, 18, 18.05, 20, 21.5, 23.2, 26.5):
        day += [at(hour + second / 3600) for second in (0, 0.2, 0.4, 1, 2, 30, 31)]
    before, after = every(60, -120, -117), every(60, 120, 123)
    assert sizes([*before, *day, *after]) == [3, 84, 3]
    assert sizes([*every(2, 8, 11), *every(2, 14.5, 17)]) == [165], "a lunch ends nothing"


def test_days_like_all_days_are_an_event_each_and_rare_days_on_end_are_one() -> None:
    assert sizes([at(24 * day + hour) for day in range(60) for hour in (8, 13, 20)]) == [3] * 60
    assert sizes([at(24 * day + hour) for day in range(5) for hour in (8, 13, 20)]) == [15]
    assert sizes([at(0), at(24), at(48.01), at(73)]) == [4]
    assert sizes([at(0), at(24 * 4)]) == [1, 1], "three days without photos"


def test_few_photos() -> None:
    assert cut([]).tolist() == []
    assert cut([Moment()]).tolist() == [-1]
    assert cut([at(1)]).tolist() == [0]
    assert cut([at(1)] * 5).tolist() == [0] * 5
    assert cut([at(1), at(26)]).tolist() == [0, 0]


def test_only_dates_from_exif_count() -> None:
    scan = Moment(DAY, "file")
    assert cut([scan, at(0), Moment(), scan, at(1)]).tolist() == [-1, 0, -1, -1, 0]
    assert cut([scan] * 3).tolist() == [-1, -1, -1]


def test_a_clock_that_was_reset_makes_an_event_of_its_own() -> None:
    reset = [Moment(datetime(2000, 1, 1, 0, minute), "exif") for minute in range(5)]  # noqa: DTZ001
    # 1970 and dates to come arrive without a date.
    assert cut([*every(5, 9, 10), *reset, Moment(None, ""), Moment(None, "", MUNICH)]).tolist() == [
        *[1] * 12,
        *[0] * 5,
        -1,
        -1,
    ]


def test_offsets_put_photos_into_their_order() -> None:
    # Munich, a flight of nine hours, New York: the clock of the place moves by three only.
    out = [at(hour, 2, MUNICH) for hour in (8, 8.5, 9)]
    there = [at(hour, -4, NEW_YORK) for hour in (12, 12.5, 13)]
    assert cut([*there, *out]).tolist() == [1, 1, 1, 0, 0, 0]
    # A friend's phone is still on the time of home: the same minutes, six hours later by its clock.
    friend = [at(hour, 2) for hour in (18, 18.5, 19)]
    assert cut([*every(30, 12, 13.5), *friend, *there]).tolist() == [0] * 9


@pytest.mark.parametrize(("before", "after"), [(0, 30), (-40, 33), (12.05, 33), (-300, 18.1)])
def test_a_change_of_the_zone_tears_no_event_without_offsets_apart(before: float, after: float) -> None:
    """A camera between two photos of a phone, which had been to another zone meanwhile; also right in the middle."""
    party = every(5, 12, 18)
    events = cut([at(before, 2), *party, at(after, -4)])
    assert len(set(events[1:-1].tolist())) == 1


def test_a_jump_of_place_is_cut_at_the_widest_gap_between_the_two() -> None:
    here, there = every(1, 9, 9.2, MUNICH), every(1, 10, 10.2, ROME)
    assert sizes([*here, *there]) == [len(here), len(there)]
    # The camera of the trip has no GPS: its photos go with the phone's of the place they were taken at.
    before, after = every(1, 9.3, 9.4), every(1, 9.8, 9.9)
    assert sizes([*here, *before, *after, *there]) == [len(here + before), len(after + there)]
    near = every(1, 10, 10.2, (47.5, 11.0))
    assert sizes([*here, *near]) == [len(here) + len(near)]
    assert sizes([at(9, place=MUNICH), at(10, place=ROME)]) == [1, 1]


def test_the_date_line_is_no_jump() -> None:
    west, east = every(1, 9, 9.2, (-17.0, 179.9)), every(1, 9.2, 9.4, (-17.0, -179.9))
    assert len(sizes([*west, *east])) == 1


def test_a_place_that_no_other_photo_confirms_cuts_nothing() -> None:
    here = every(1, 9, 10, MUNICH)
    glitch = [*here[:30], at(9.501, place=NEW_YORK), *here[30:]]
    assert sizes(glitch) == [len(glitch)]
    # Out of a train's window: each is far from the next, and only the end of the journey is another place.
    train = [at(10 + step / 2, place=(48 - step, 12.0)) for step in range(1, 6)]
    assert len(sizes([*here, *train, *every(1, 13.5, 14, (41.9, 12.5))])) == 2


MOMENT = st.builds(
    lambda hours, offset, place, source: Moment(
        None if source == "" else at(hours, offset).at, source, place
    ),
    st.floats(0, 2000).map(lambda hours: round(hours * 6) / 6) | st.sampled_from([0, 1, 1, 30]),
    st.none() | st.sampled_from([-8, 0, 2]),
    st.none() | st.sampled_from([MUNICH, ROME, NEW_YORK]),
    st.sampled_from(["exif", "exif", "exif", "exif", "file", ""]),
)


@settings(deadline=None, database=None)
@given(st.lists(MOMENT, max_size=40), st.randoms(use_true_random=False))
def test_the_cut_does_not_depend_on_the_order_and_is_contiguous(
    moments: list[Moment], random: object
) -> None:
    events = cut(moments)
    order = list(range(len(moments)))
    random.shuffle(order)  # type: ignore[attr-defined]
    again = cut([moments[place] for place in order])
    # Equal photos may change places with one another.
    assert sorted(zip(map(repr, moments), events.tolist(), strict=True)) == sorted(
        (repr(moments[place]), event) for place, event in zip(order, again.tolist(), strict=True)
    )
    assert [event < 0 for event in events.tolist()] == [moment.source != "exif" for moment in moments]
    found = sorted(set(events[events >= 0].tolist()))
    assert found == list(range(len(found)))
    names = named(moments)
    assert [event.id for event in names if event.id > 0] == [number + 1 for number in found]
    assert sorted(place for event in names for place in event.members) == list(range(len(moments)))
    assert len({event.title for event in names}) == len(names)
    # In time order (known by its UTC alone where all offsets are), each event follows the one before.
    if all(moment.at is None or moment.at.tzinfo for moment in moments):
        times = [[moments[p].at.astimezone(UTC) for p in c.members] for c in names if c.id > 0]  # type: ignore[union-attr]
        flat = [time for inside in times for time in inside]
        assert flat == sorted(flat)


# --- bursts


def pictures(*angles: float) -> np.ndarray:
    """Unit vectors, so many degrees apart."""
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_frames_of_nearly_the_same_within_a_minute_are_stacked_behind_the_one_in_their_middle() -> None:
    seconds = [0, 1, 2, 50, 120, 130, 300]
    moments = [at(second / 3600) for second in seconds]
    vectors = pictures(0, 10, 12, 15, 15, 90, 90)
    assert bursts(moments, np.arange(7), vectors).tolist() == [1, 1, 1, 1, -1, -1, -1]


def test_a_burst_does_not_drift() -> None:
    pan = [at(second / 3600) for second in range(10)]
    found = bursts(pan, np.arange(10), pictures(*range(0, 100, 10)))
    assert found.tolist() == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8]
    assert len(set(bursts(pan, np.arange(10), pictures(*range(10))).tolist())) == 1


def test_what_has_no_vector_or_no_date_is_in_no_burst() -> None:
    moments = [at(0), Moment(), at(1 / 3600), Moment(DAY, "file"), Moment(DAY, "file"), at(2 / 3600)]
    assert bursts(moments, np.array([1, 2, 3, 4, 5]), pictures(0, 0, 0, 0, 0)).tolist() == [
        -1,
        -1,
        2,
        -1,
        -1,
        2,
    ]
    assert bursts([], np.arange(0), np.zeros((0, 8), np.float32)).tolist() == []
    assert bursts([at(0)] * 2, np.arange(0), np.zeros((0, 8), np.float32)).tolist() == [-1, -1]


# --- titles


@pytest.mark.parametrize(
    ("start", "end", "title"),
    [
        ((2019, 7, 12), (2019, 7, 12), "12 July 2019"),
        ((2019, 7, 12), (2019, 7, 14), "12\u201314 July 2019"),
        ((2019, 7, 30), (2019, 8, 2), "30 July \u2013 2 August 2019"),
        ((2019, 12, 31), (2020, 1, 1), "31 December 2019 \u2013 1 January 2020"),
    ],
)
def test_dates_are_short(start: tuple[int, int, int], end: tuple[int, int, int], title: str) -> None:
    first, last = datetime(*start, 9), datetime(*end, 18)  # noqa: DTZ001 - wall clocks
    hours = int((last - first).total_seconds() // 3600)
    moments = [Moment(first + timedelta(hours=hour), "exif") for hour in range(hours + 1)]
    (event,) = named(moments)
    assert (event.title, event.start, event.end, event.terms) == (title, first, last, ())


def test_words_are_those_that_many_captions_of_an_event_share_and_the_others_have_not() -> None:
    moments = [*every(10, 9, 12), *every(10, 24 * 9 + 9, 24 * 9 + 12), Moment(), Moment(DAY, "file")]
    beach = ["a dog on a beach", "a tent at the beach", "a tent by the sea"] * 6
    party = ["a cake with candles", "a dog and a cake", "children with candles"] * 6
    events = named(moments, [*beach, *party, "a dog in the snow", ""])
    assert [event.title for event in events] == [
        "12 July 2019 \u00b7 beach, tent, sea",
        "21 July 2019 \u00b7 cake, candles, children",
        UNDATED,
    ]
    assert [event.id for event in events] == [1, 2, -1]
    assert events[2].members == (36, 37)
    assert (events[2].start, events[2].terms) == (None, ())


def test_a_word_of_two_photos_out_of_a_hundred_is_none_of_the_event() -> None:
    moments = [photo for day in range(50) for photo in every(6, 48 * day + 9, 48 * day + 13)]
    captions = [
        f"a {'cat' if day % 2 else 'dog'} on a {'sofa' if day % 3 else 'lawn'} {f'odd{day}' if number < 2 else ''}"
        for day in range(50)
        for number in range(40)
    ]
    events = named(moments, captions)
    assert len(events) == 50
    assert not [event.title for event in events if "odd" in event.title]


def test_twins_get_the_time_of_day() -> None:
    moments = [*every(2, 9.2, 10, MUNICH), *every(2, 14.5, 15, ROME), *every(2, 24 * 5, 24 * 5 + 1)]
    assert [event.title for event in named(moments)] == [
        "12 July 2019, 09:12",
        "12 July 2019, 14:30",
        "17 July 2019",
    ]
    jumps = [at(9, place=place) for place in (MUNICH, MUNICH, ROME, ROME)]
    assert [event.title for event in named(jumps)] == ["12 July 2019, 09:00", "12 July 2019, 09:00 (2)"]


def test_dates_are_by_the_clock_of_the_place() -> None:
    (event,) = named([at(23, 14), at(23.5, 14), at(24.5, 14)])
    assert event.title == "12\u201313 July 2019"
    # Over the date line: it is the day before again.
    (event,) = named([at(23.9, 12), at(0.4, -12), at(1, -12)])
    assert (event.title, event.members) == ("12 July 2019", (0, 1, 2))
