"""Made lives of many kinds, with what belongs together by hand: for the tests of events and trips and their benchmark.

`KINDS` were there when the numbers of report/time/cut.py were chosen; `HELD_OUT` were made afterwards and changed nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from library.moments import Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Place = tuple[float, float]
HOME, WORK, LAKE, FIELD = (48.14, 11.58), (48.37, 10.90), (47.42, 12.50), (49.10, 12.60)
OTHER_HOME, LISBON, PORTO, COAST, SPAIN = (52.52, 13.40), (38.72, -9.14), (41.15, -8.61), (37.10, -8.67), (40.42, -3.70)  # fmt: skip
START = datetime(2018, 3, 1)  # noqa: DTZ001 - wall clocks


@dataclass
class Life:
    """Photos of one person, and for each the event and the trip it belongs to; -1 for none."""

    rng: np.random.Generator
    gps: bool = True
    moments: list[Moment] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    trips: list[int] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)

    def shoot(
        self,
        day: float,
        hours: tuple[float, float],
        count: int,
        event: str,
        place: Place = HOME,
        *,
        trip: int = -1,
    ) -> None:
        """Take photos in clumps of some minutes, spread over these hours of a day."""
        begin, end = hours
        clumps = self.rng.uniform(begin, end, max(1, round(count / 4)))
        for clump in self.rng.choice(clumps, count):
            hour = min(max(clump + self.rng.exponential(0.03), begin), end)
            self.add(24 * day + hour, event, place, trip)

    def add(self, hour: float, event: str, place: Place, trip: int = -1) -> None:
        where = (place[0] + self.rng.normal(0, 0.01), place[1] + self.rng.normal(0, 0.01))
        at = START + timedelta(seconds=round(hour * 3600))
        self.moments.append(Moment(at, "exif", where if self.gps and self.rng.random() < 0.8 else None))
        self.events.append(self.names.setdefault(event, len(self.names)))
        self.trips.append(trip)

    def snaps(
        self, days: range, often: float, most: int, place: Place = HOME, but: Sequence[range] = ()
    ) -> None:
        """Take a few photos on some of the days, an event each, but not where something else is on."""
        for day in days:
            if self.rng.random() < often and not any(day in some for some in but):
                self.shoot(day, (7.5, 21.5), int(self.rng.integers(1, most + 1)), f"snaps of {day}", place)


def _daily(life: Life) -> None:
    life.snaps(range(150), 0.9, 6)


def _festival(life: Life, place: Place = FIELD, often: float = 0.3) -> None:
    """Three days from the afternoon into the night, with quiet hours; the nights are without photos."""
    days = range(60, 63)
    life.snaps(range(150), often, 5, but=[days])
    for day in days:
        for hours in ((14, 16), (18.5, 21), (22, 25.2)):
            life.shoot(
                day, hours, int(life.rng.integers(15, 50)), "festival", place, trip=0 if place != HOME else -1
            )


def _festival_in_daily(life: Life) -> None:
    _festival(life, often=0.9)


def _festival_at_home(life: Life) -> None:
    _festival(life, HOME, 0.6)


def _wedding(life: Life) -> None:
    days = range(70, 73)
    life.snaps(range(150), 0.35, 6, but=[days])
    place = (48.3, 11.9)
    life.shoot(70, (18, 23), 25, "wedding", place)
    for hours in ((9.5, 12.5), (15.5, 18), (19.5, 26.5)):
        life.shoot(71, hours, int(life.rng.integers(40, 90)), "wedding", place)
    life.shoot(72, (10.5, 13.5), 20, "wedding", place)


def _round_trip(life: Life) -> None:
    """Two weeks, four stays, some days with hardly a photo."""
    days = range(80, 94)
    life.snaps(range(180), 0.35, 5, but=[days])
    stays = ((80, LISBON), (84, COAST), (88, SPAIN), (91, PORTO))
    for day in days:
        name, place = [stay for stay in stays if stay[0] <= day][-1]
        still = day in {82, 86, 87}
        count = int(life.rng.integers(0, 3) if still else life.rng.integers(15, 60))
        if count:
            life.shoot(day, (11, 22), count, f"stay of {name}", place, trip=0)


def _commuter(life: Life) -> None:
    for day in range(120):
        for hours, place in (((7, 8), HOME), ((12, 13), WORK if day % 7 < 5 else HOME), ((18, 21), HOME)):
            if life.rng.random() < 0.6:
                life.shoot(day, hours, int(life.rng.integers(1, 4)), f"day {day}", place)


def _move(life: Life) -> None:
    life.snaps(range(100), 0.6, 5, HOME)
    life.snaps(range(101, 220), 0.6, 5, OTHER_HOME)


def _second_home(life: Life) -> None:
    weekends = [range(day, day + 2) for day in range(5, 180, 14)]
    life.snaps(range(180), 0.4, 4, but=weekends)
    for weekend in weekends:
        for day in weekend:
            life.shoot(day, (10, 21), int(life.rng.integers(8, 25)), f"weekend {weekend[0]}", LAKE)


def _conference(life: Life) -> None:
    days = range(90, 99)
    life.snaps(range(180), 0.3, 4, but=[days])
    for day in days:
        is_conference = day < 93
        name, place = ("conference", LISBON) if is_conference else ("holidays", COAST)
        hours = (9, 18) if is_conference else (10, 22)
        life.shoot(day, hours, int(life.rng.integers(12, 40)), name, place, trip=0)


def _unset(life: Life) -> None:
    """A party whose camera began in 2000 beside daily photos of a phone: it is in no event."""
    life.snaps(range(100), 0.5, 5)
    for minute in range(40):
        life.moments.append(Moment(None, "", unset=datetime(2000, 1, 1) + timedelta(minutes=minute)))  # noqa: DTZ001
        life.events.append(-1)
        life.trips.append(-1)


def _sparse(life: Life) -> None:
    """Years with a photo or some every few weeks, now and then a weekend away."""
    day = 0
    while day < 6 * 365:
        day += int(life.rng.integers(6, 40))
        name = f"event {day}"
        if life.rng.random() < 0.15:
            for some in (day, day + 1):
                life.shoot(some, (10, 20), int(life.rng.integers(6, 20)), name, LAKE, trip=day)
        else:
            life.shoot(day, (10, 22), int(life.rng.integers(1, 8)), name)


def _bursts(life: Life) -> None:
    """A phone that takes twenty frames at a touch, on every other day."""
    for day in range(150):
        if life.rng.random() < 0.6:
            for _ in range(int(life.rng.integers(1, 4))):
                hour = 24 * day + life.rng.uniform(8, 21)
                for frame in range(int(life.rng.choice([1, 1, 20, 30]))):
                    life.add(hour + frame / 3 / 3600, f"day {day}", HOME)


def _other_clock(life: Life) -> None:
    """Daily snaps with a clock that is nine hours behind: the night is in the afternoon."""
    for day in range(150):
        life.shoot(day, (-1.5, 12.5), int(life.rng.integers(1, 7)), f"snaps of {day}")


Kind = tuple[bool, "Callable[[Life], None]"]
KINDS: dict[str, Kind] = {
    "daily snaps": (True, _daily),
    "daily snaps, no GPS": (False, _daily),
    "clock nine hours behind": (False, _other_clock),
    "festival": (True, _festival),
    "festival, no GPS": (False, _festival),
    "festival among daily snaps": (True, _festival_in_daily),
    "festival at home, no GPS": (False, _festival_at_home),
    "wedding weekend": (True, _wedding),
    "wedding weekend, no GPS": (False, _wedding),
    "round trip": (True, _round_trip),
    "round trip, no GPS": (False, _round_trip),
    "commuter": (True, _commuter),
    "move of home": (True, _move),
    "second home": (True, _second_home),
    "conference and holidays": (True, _conference),
    "unset clock": (False, _unset),
    "sparse years": (True, _sparse),
    "sparse years, no GPS": (False, _sparse),
    "phone bursts": (False, _bursts),
}


# --- made after the numbers were chosen


def _newborn(life: Life) -> None:
    """Dozens of photos on every day, and a christening that is only a fuller day."""
    for day in range(120):
        life.shoot(day, (7, 21), int(life.rng.integers(10, 40)), f"day {day}")
    life.shoot(60, (11, 19), 150, "day 60")


def _ski_week(life: Life) -> None:
    days = range(40, 47)
    life.snaps(range(120), 0.25, 6, but=[days])
    for day in days:
        life.shoot(day, (9.5, 21), int(life.rng.integers(10, 50)), "ski week", (46.6, 8.0), trip=0)


def _saturdays(life: Life) -> None:
    """A club's match on each Saturday, and a tournament of two days."""
    for week in range(30):
        life.shoot(7 * week + 5, (13, 17), int(life.rng.integers(30, 90)), f"match {week}")
    life.shoot(7 * 15 + 6, (10, 17), 80, "match 15")


def _party(life: Life) -> None:
    life.snaps(range(120), 0.4, 4, but=[range(50, 52)])
    life.shoot(50, (20, 31), 150, "party")
    life.shoot(51, (17, 19), 3, "snaps of 51")


def _business(life: Life) -> None:
    """Four days a week in another city, photos now and then."""
    for day in range(140):
        life.shoot(
            day, (8, 22), int(life.rng.integers(1, 4)), f"day {day}", OTHER_HOME if day % 7 < 4 else HOME
        )


def _rain(life: Life) -> None:
    """A long weekend with a day of rain without a photo."""
    life.snaps(range(120), 0.15, 4, but=[range(58, 65)])
    for day in (60, 62, 63):
        life.shoot(day, (10, 20), int(life.rng.integers(20, 60)), "long weekend", LAKE, trip=0)


def _two_cameras(life: Life) -> None:
    """A camera without GPS makes most of the photos; the phone knows where."""
    days = range(60, 70)
    life.snaps(range(140), 0.4, 4, but=[days])
    for day in days:
        name, place = ("north", PORTO) if day < 65 else ("south", COAST)
        life.shoot(day, (11, 13), 3, name, place, trip=0)
        life.gps = False
        life.shoot(day, (10, 21), 40, name, place, trip=0)
        life.gps = True


def _concerts(life: Life) -> None:
    """Hardly a photo but at concerts, now and then on two evenings running, which are two."""
    day = 0
    for number in range(40):
        day += int(life.rng.choice([1, 2, 9, 20, 30, 50], p=[0.05, 0.05, 0.3, 0.3, 0.2, 0.1]))
        life.shoot(day, (20, 23.5), int(life.rng.integers(5, 60)), f"concert {number}")
    for some in (day + 20, day + 21, day + 23, day + 24):
        life.shoot(some, (14, 24.5), int(life.rng.integers(60, 200)), "festival")


def _only_holidays(life: Life) -> None:
    """A camera that leaves the house for two weeks a year only."""
    for year in range(6):
        first = 365 * year + int(life.rng.integers(90, 200))
        place = (LISBON, COAST, SPAIN, PORTO, LAKE, OTHER_HOME)[year]
        for day in range(first, first + 12):
            if life.rng.random() < 0.85:
                life.shoot(day, (9, 22), int(life.rng.integers(5, 60)), f"holidays {year}", place, trip=year)


def _families(life: Life) -> None:
    """Christmas at two families, 300 km apart, among a photo every few days."""
    life.snaps(range(150), 0.3, 5, but=[range(59, 66)])
    for day in range(60, 65):
        name, place = ("hers", HOME) if day < 62 else ("his", (50.11, 8.68))
        life.shoot(day, (11, 23), int(life.rng.integers(15, 40)), name, place, trip=-1 if day < 62 else 0)


HELD_OUT: dict[str, Kind] = {
    "newborn": (False, _newborn),
    "ski week": (True, _ski_week),
    "ski week, no GPS": (False, _ski_week),
    "match on Saturdays": (False, _saturdays),
    "party until seven": (False, _party),
    "business traveller": (True, _business),
    "long weekend with rain": (True, _rain),
    "long weekend, rain, no GPS": (False, _rain),
    "two cameras": (True, _two_cameras),
    "concerts": (False, _concerts),
    "only holidays": (True, _only_holidays),
    "only holidays, no GPS": (False, _only_holidays),
    "two families": (True, _families),
}


def made(kind: str, seed: int) -> Life:
    gps, make = {**KINDS, **HELD_OUT}[kind]
    life = Life(np.random.default_rng(seed), gps)
    make(life)
    return life


def scores(found: Sequence[int], truth: Sequence[int]) -> tuple[float, float, float]:
    """Return precision, recall and their harmonic mean, by photo (B-cubed).

    A photo's precision is the share of its found event that is of its true event, its recall the share of its true event
    that is in its found event; both are averaged over the photos that have a true event (from 0 up). What is found in no
    event (below 0) is alone.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    real: dict[int, list[int]] = defaultdict(list)
    photos = [place for place, event in enumerate(truth) if event >= 0]
    for place in photos:
        groups[found[place] if found[place] >= 0 else -10 - place].append(place)
        real[truth[place]].append(place)
    both: dict[tuple[int, int], int] = defaultdict(int)
    for one, members in groups.items():
        for place in members:
            both[one, truth[place]] += 1
    precision = sum(size * size / len(groups[one]) for (one, _), size in both.items()) / len(photos)
    recall = sum(size * size / len(real[event]) for (_, event), size in both.items()) / len(photos)
    return precision, recall, 2 * precision * recall / (precision + recall)
