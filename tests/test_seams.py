"""Where features meet: tags, captions by people, copies, trips and towns, and what finds, names and writes them."""

from __future__ import annotations

import json
from datetime import datetime

from report.events import Event
from report.naming.asked import NamesByModel
from report.naming.names import Told, name_trips
from report.time.trips import Trip
from tests.conftest import Product, draw
from tests.helpers.askers import CAKES, DOGS, Answers
from tests.helpers.provider import Provider, run
from tests.helpers.searched import shown, write_table


def record(product: Product, path: str, caption: str | None, **more: object) -> None:
    status = "success" if caption else "error_model"
    with product.journal.open("a") as file:
        file.write(json.dumps({"rel_path": path, "caption": caption, "status": status} | more) + "\n")


def test_tags_are_found_as_captions_are_and_go_with_them(product: Product) -> None:
    record(product, "a.jpg", "A brown animal on grass", tags=["dog", "Animals > Labrador", 7])
    record(product, "b.jpg", "A dog on a sofa", tags="dog")
    record(product, "c.jpg", "A chair")
    assert set(shown(product, "dogs")) == {"a.jpg", "b.jpg"}
    assert next(iter(shown(product, '"dog" grass'))) == "a.jpg"
    assert list(shown(product, "labrador")) == list(shown(product, "animals labrador")) == ["a.jpg"]
    said = json.loads(product.call("find", "labrador grass", "--json").stdout)
    assert (said["tags"], said["words"]) == (
        ["dog", "Animals > Labrador"],
        {"tags": ["labrador"], "caption": ["grass"]},
    )
    assert "    tag: labrador" in product.call("find", "labrador").stdout
    product.call("compact")
    assert list(shown(product, "labrador")) == ["a.jpg"]
    record(product, "a.jpg", None, tags=["dog"])
    assert list(shown(product, "labrador")) == []


def test_a_caption_by_a_person_is_found_with_the_tags_of_the_model(product: Product) -> None:
    draw(product.photos / "a.jpg")
    record(product, "a.jpg", "A brown animal", tags=["dog"], model="openai/x")
    product.call("set", "a.jpg", "Rex in the garden", "--photos-dir", str(product.photos))
    assert list(shown(product, "rex dog")) == ["a.jpg"]
    record(product, "a.jpg", "Another animal", tags=["cat"])  # by a run that does not know of it
    assert list(shown(product, "rex dog")) == ["a.jpg"]
    assert not shown(product, "cat")


def test_photos_are_found_by_trip_and_town(product: Product) -> None:
    record(product, "a.jpg", "A tram")
    write_table(
        product.folder / "cluster_export.csv",
        [{"rel_path": "a.jpg", "trip_label": "Lisbon, June 2019", "place": "Sintra, Portugal"}],
    )
    for query in ("tram lisbon", "sintra", "portugal tram"):
        assert list(shown(product, query)) == ["a.jpg"], query


def test_a_language_model_names_trips_that_no_town_names() -> None:
    captions = [*DOGS[:6], *CAKES[:6], *DOGS[6:12]]
    day = datetime(2019, 7, 12)  # noqa: DTZ001 - a wall clock
    events = [
        Event(number, f"{number}", day, day, (), tuple(range(6 * number - 6, 6 * number)), name=name)
        for number, name in enumerate(("Dogs", "Cakes", "Lawns"), 1)
    ]
    trips = [
        Trip(1, "Lisbon", "Lisbon, 12 July 2019", day, day, (1, 2), has_town=True),
        Trip(2, "Lawns", "Lawns, 12 July 2019", day, day, (3,)),
        Trip(3, "Cakes", "Cakes, 12 July 2019", day, day, (2, 3)),
    ]
    model = Answers(json.dumps({"1": "Dogs and cakes"}))
    first = NamesByModel((), model)
    named = name_trips(trips, events, Told(first, captions))
    assert [trip.title for trip in named] == [
        *(trip.title for trip in trips[:2]),
        "Dogs and cakes, 12 July 2019",
    ]
    assert model.asked[0] == "1 trips"
    assert "Lisbon" not in model.asked[1]
    later = name_trips(trips, events, Told(NamesByModel(first.made), captions))
    assert later == named, "a report without a model keeps the name"


def test_captions_without_tags_are_made_again_and_those_with_tags_are_not(product: Product) -> None:
    with Provider("openai").serve() as provider:
        provider.script = lambda number, _: provider.good(
            json.dumps({"caption": f"A brown dog on lawn {number}.", "tags": ["dog", "lawn", "grass"]})
        )
        names = ["a.jpg", "b.jpg", "c.jpg"]
        for shade, name in enumerate(names):
            draw(product.folder / "library" / name, shade=50 * shade)
        product.photos = product.folder / "library"
        run(product, provider, "--limit", "1")
        run(product, provider, "--limit", "1", "--tags")
        run(product, provider)
        product.call("set", "c.jpg", "Rex", "--photos-dir", str(product.photos))
        (bare,) = [name for name in names[:2] if "tags" not in product.records()[name]]
        asked = len(provider.requests)
        assert "1 caption without tags will stay. To make them again with tags, add --redo tags." in run(
            product, provider, "--tags"
        )
        assert "add --tags" in run(product, provider, "--redo", "tags", code=64)
        run(product, provider, "--redo", f"tags and path={bare}", "--tags")
        assert len(provider.requests) == asked + 1
        assert product.records()[bare]["tags"] == ["dog", "lawn", "grass"]
        assert product.records()["c.jpg"]["caption"] == "Rex"
        run(product, provider, "--redo", "tags", "--tags")
        assert len(provider.requests) == asked + 1
        run(product, provider, "--redo", f"path={bare}")
        run(product, provider, "--redo", f"path={bare}", "--tags")
        assert len(provider.requests) == asked + 3, "with tags it is another redo"


def test_a_table_from_before_a_redo_brings_no_old_caption_back(product: Product) -> None:
    for name in ("a.jpg", "b.jpg"):
        draw(product.photos / name)
        record(product, name, f"An old caption of {name}", model="openai/x")
    table = product.folder / "cluster_export.csv"
    rows: list[dict[str, object]] = [
        {"rel_path": name, "label": f"An old caption of {name}", "label_source": "caption"}
        for name in ("a.jpg", "b.jpg")
    ]
    record(product, "a.jpg", "A better caption", model="openai/y")
    record(product, "b.jpg", "Another better caption", model="openai/y")
    rows[1]["label"] = "Rex"
    write_table(table, rows)
    said = product.call("set", "--from", str(table), "--photos-dir", str(product.photos)).stdout
    assert said.startswith("1 caption set, 0 unchanged, 0 empty.\n")
    assert "A model's caption from before, left out: 1 ('a.jpg')." in said
    captions = {name: line["caption"] for name, line in product.records().items()}
    assert captions == {"a.jpg": "A better caption", "b.jpg": "Rex"}
    product.call("set", "a.jpg", "An old caption of a.jpg", "--photos-dir", str(product.photos))
    assert product.records()["a.jpg"]["caption"] == "An old caption of a.jpg"


def test_why_a_photo_is_in_no_event_is_not_what_it_belongs_to(product: Product) -> None:
    record(product, "a.jpg", "A tram")
    row = {"rel_path": "a.jpg", "event_id": -1, "event_label": "Without a date", "group_name": "Trams"}
    write_table(product.folder / "cluster_export.csv", [row])
    assert not shown(product, '"without a date"')
    assert product.call("find", "trams").stdout.endswith("    caption: trams | in: Trams\n")
