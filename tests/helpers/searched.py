"""Photos, queries and what each has to find: the page's search and `find` obey the same table."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from journal import CaptionJournal
from report.files.table import COLUMNS, guarded
from search.find import Asked
from search.find import find as search
from search.index import Index
from search.kept import with_index
from search.query import Span
from tests.conftest import Product

PHOTOS = [  # file, caption, when, how exactly that is known, group
    ("2019/IMG_0031.jpg", "Two cars in front of a barn", "2019-07-12T10:00:00", 0),
    ("2019/IMG_0032.jpg", "A discarded sofa beside a road", "2019-07-13T10:00:00", 1),
    ("2019/IMG_0033.jpg", "A dog in a red shirt", "2019-12-24T18:00:00", 2),
    ("2020/IMG_0034.jpg", "A man with a shirt and a red hat", "2020-07-12T10:00:00", 1),
    ("2020/IMG_0035.jpg", "Children riding horses on a beach", "2020-08", 1),
    ("2020/dog-party.png", "A cake with candles", "2021-07-04", 1),
    ("old/a.jpg", "A puppy asleep on a sofa", "2021", 2),
    ("old/b.jpg", "A carpet and a vase", "", 1),
    ("old/c.jpg", "Ein Haus am See, Straße und Hunde", "2021-01-31", 1),
    ("old/d.jpg", "A child stands under a T-shirt print of the Café Zoë", "", 1),
    ("old/e.jpg", "海边的一只狗", "", 1),
    ("old/copy 2021.jpg", "A jpg of the year 2019 on a calendar", "2018-03-02", 1),
    ("old/bus.jpg", "A bus with glass doors in a city", "", 1),
    ("old/buses.jpg", "Buses of several cities, and knives", "", 1),
]
NAMES = ["Vintage cars", "Everything", "Dogs asleep"]
QUERIES = {
    "car": [0, 7],  # a whole word before the beginning of one; nothing in the middle of a word
    "cars": [0],
    "carp": [7],
    "dog": [2, 5],  # the caption before the file's name; not the puppy, whose group is called "Dogs"
    "dogs": [2, 5],
    "dogs sofa": [6],  # one word in the caption, one in the group's name
    "photo of a dog": [2, 5],
    "a picture with the dog": [2, 5],
    "show me all photos of children": [4, 9],
    "ride a horse": [4],
    "riding horses": [4],
    "city bus": [12, 13],
    "knife": [13],
    "Haus": [8],
    "hund": [8],
    "strasse": [8],
    "ein Bild mit Hunde": [8],
    "CAFE zoe": [9],
    "狗": [10],
    "海边": [10],
    "边海": [],
    '"red shirt"': [2],
    "“red shirt”": [2],
    '"red sh': [2],
    "red shirt": [2, 3],
    "shirt red": [2, 3],
    "t-shirt": [9],
    "2019": [0, 1, 2, 11],
    "july 2019": [0, 1],
    "Jul 2019": [0, 1],
    "july": [0, 1, 3, 5],
    "summer 2020": [3, 4],
    "winter 2019": [2],
    "12 july 2019": [0],
    "July 12th, 2019": [0],
    "2019-07-12": [0],
    "12.7.2019": [0],
    "2020-08": [4],
    "12 july": [0, 3],
    "12": [],
    "january": [8],  # not what is known by its year alone
    "sofa 2019": [1],
    "2021": [6, 8, 5],
    "jpg": [11],
    ".jpg": [11],
    "png": [],
    "IMG_0031.jpg": [0],
    "img_0031 cars": [0],
    "0032": [1],
    "32": [],
    "party": [5],
    "nothing of this": [],
    "???": [],
}


def write_table(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for row in rows:
            cells = {name: guarded(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
            writer.writerow({"cluster_id": 0, "cluster_label": "x"} | cells)


def shown(product: Product, query: str, days: Span | None = None) -> dict[str, str | None]:
    """Return the photos that `find` finds and their captions, in this process: a start takes half a second."""
    journal = CaptionJournal(product.journal)

    def use(index: Index, _: Path | None) -> dict[str, str | None]:
        index.catch_up(journal, product.folder / "cluster_export.csv")
        return {one.photo.path: one.photo.caption for one in search(index, Asked(query, days))}

    return with_index(journal, use, pytest.fail)
