"""`cluster_report.py --name-with`: names by a language model on a loopback server, from captions and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from backends import BACKENDS, load_backend
from backends.base import StopRunError
from cluster_report import app
from config import Settings
from report.events import Event
from report.naming.asked import LONGEST_QUESTION, Kept, NamesByModel, Subject, question, read, taken
from report.naming.names import Told, name_events_shortly, name_shortly
from report.naming.naming import Group, Label
from report.naming.short import said
from tests.conftest import draw
from tests.helpers.askers import CAKES, DOGS, Answers
from tests.helpers.provider import DIALECTS, KEY, KEYS, Provider, Request, closed_port
from tests.helpers.reports import Report, report

__all__ = ["report"]  # a fixture

SMALL = ("--min-cluster-size", "5")


# --- questions and answers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        ('{"1": "Dogs", "2": "Cakes"}', ["Dogs", "Cakes"]),
        ('<think>{"1": "no"}</think> Sure:\n```json\n{"1": "Dogs", "2": "Cakes"}\n```', ["Dogs", "Cakes"]),
        ('["Dogs", "Cakes"]', ["Dogs", "Cakes"]),
        ('{"names": {"2": "Cakes"}}', ["", "Cakes"]),
        ('{"1": 7, "2": null}', ["", ""]),
        ('["Dogs"]', ["", ""]),
        ("", ["", ""]),
        ('{"1": "Dogs"', ["", ""]),
        ("[" * 5000, ["", ""]),
    ],
)
def test_an_answer_is_read(answer: str, names: list[str]) -> None:
    assert read(answer, 2) == names


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("Brown dogs", "Brown dogs"),
        ('"dogs on lawns."', "Dogs on lawns"),
        ("Cats", ""),
        ("Dogs and cats", ""),
        ("The dog that runs over my lawn today", ""),
        ("Running", ""),
        ("", ""),
        ("D" * 50, ""),
        ("Dogs\nDROP TABLE", ""),
    ],
)
def test_an_answer_that_says_more_than_the_captions_is_not_used(name: str, used: str) -> None:
    assert taken(name, Subject(DOGS)) == used


@given(st.text(), st.lists(st.text(max_size=300), max_size=12))
def test_no_answer_breaks_anything(answer: str, captions: list[str]) -> None:
    subject = Subject(captions, inside=captions, terms=captions, alike=captions)
    assert len(read(answer, 3)) == 3
    assert len(taken(answer, subject)) <= 40
    assert len(question("group", [subject] * 8)) <= LONGEST_QUESTION


def test_twins_are_asked_about_once_more_and_kept_names_not_at_all() -> None:
    subjects = [Subject(DOGS[:10]), Subject(DOGS[10:]), Subject(CAKES), Subject(["one caption"])]
    model = Answers(
        json.dumps({"1": "Dogs", "2": "Dog", "3": "Birthday cakes"}),
        json.dumps({"1": "Dogs", "2": "Brown dogs"}),
    )
    first = NamesByModel((), model)
    assert first.names("group", subjects) == ["Dogs", "Brown dogs", "Birthday cakes", ""]
    assert [model.asked[0], model.asked[2]] == ["3 groups", "2 groups named alike"]
    assert "Called alike: Dogs" in model.asked[3]
    silent = Answers()
    changed = [
        Subject(DOGS[10:]),
        Subject([*CAKES, "A dog."]),
        Subject(DOGS[:10]),
        Subject(["Two trains."] * 3),
    ]
    second = NamesByModel(first.made, silent)
    assert second.names("group", changed) == ["Brown dogs", "Birthday cakes", "Dogs", ""]
    assert silent.asked[0] == "1 groups"
    assert NamesByModel(first.made).names("group", changed)[:3] == ["Brown dogs", "Birthday cakes", "Dogs"]
    assert NamesByModel(first.made).names("event", changed) == [""] * 4
    gone = NamesByModel([Kept("group", "Birthday cakes", first.made[2].marks, "any/model")])
    assert gone.names("group", [Subject(CAKES[:3])]) == [""], "most of its captions are elsewhere"


def test_what_a_model_failed_at_is_asked_of_another_model_only() -> None:
    subjects = [Subject(DOGS), Subject(CAKES)]
    first = NamesByModel((), Answers(json.dumps({"1": "Cats", "2": "Birthday cakes"})))
    assert first.names("group", subjects) == ["", "Birthday cakes"]
    silent = Answers()
    assert NamesByModel(first.made, silent).names("group", subjects) == ["", "Birthday cakes"]
    assert not silent.asked
    other = Answers(json.dumps({"1": "Brown dogs"}))
    other.model = "another/model"
    assert NamesByModel(first.made, other).names("group", subjects) == ["Brown dogs", "Birthday cakes"]
    lost = NamesByModel((), Answers())  # no answer came: the next report asks
    lost.names("group", subjects)
    assert not lost.made


# --- the report -------------------------------------------------------------------------------------------------------


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider("openai").serve() as running:
        running.script = lambda number, request: running.good(named(request))
        yield running


def named(request: Request) -> str:
    """Answer as a model would: what each set is about, from its captions."""
    parts = re.split(r"\n\n(?:Group|Theme|Event) \d+\n", text_of(request))[1:]
    names = {str(n): "Wooden boats" if "boat" in part else "Steam trains" for n, part in enumerate(parts, 1)}
    return f"Here you are: {json.dumps(names)}"


def text_of(request: Request) -> str:
    content = request.body["messages"][-1]["content"]
    assert isinstance(content, str), "a text and no picture"
    return content


@pytest.fixture
def library(report: Report, tmp_path: Path) -> Report:
    """Two kinds of pictures with captions, in folders whose names are secret."""
    report.photos = tmp_path / "photos"
    records: list[dict[str, str | None]] = []
    for number in range(24):
        boat = number % 2
        name = f"secret folder/secret{number}.png"
        draw(report.photos / name, size=(96, 64) if boat else (64, 96), shade=250 if boat else 5)
        caption = f"A wooden boat on lake {number}." if boat else f"A steam train at station {number}."
        records.append({"rel_path": name, "caption": caption, "status": "success", "model": "openai/x"})
    report.write(*records)
    report.env[KEYS["openai"]] = KEY
    return report


def short_names(library: Report) -> set[str]:
    return {row["group_name"] for row in library.rows().values() if row["group_name"]}


def test_a_model_names_groups_from_captions_and_is_not_asked_twice(
    library: Report, provider: Provider
) -> None:
    flags = ["--name-with", "openai/some-model", "--base-url", provider.base_url]
    said = library.make(*flags, *SMALL)
    assert short_names(library) <= {"Wooden boats", "Steam trains"}
    assert short_names(library)
    assert re.search(
        r"Naming \d+ groups with openai/some-model: 1 question\. Captions go to 127\.0\.0\.1:\d+, no photos",
        said,
    )
    assert "Names: Used 1,000 input and 20 output tokens" in said
    assert provider.requests
    for request in provider.requests:
        assert request.body["model"] == "some-model"
        assert "secret" not in request.text.replace(KEY, "").replace("sk-secret", "")
        assert "image" not in request.text
    count = len(provider.requests)
    before = short_names(library)
    again = library.make(*flags, *SMALL)
    assert len(provider.requests) == count
    assert "Naming" not in again
    assert short_names(library) == before
    library.make(*SMALL)  # without the flag nothing goes out, and the names stay
    assert len(provider.requests) == count
    assert short_names(library) == before


SLOWER = [pytest.param(name, marks=pytest.mark.slow) for name in ("no server", "nonsense", "refused")]


@pytest.mark.parametrize("trouble", ["key", "budget", *SLOWER])
def test_whatever_fails_the_short_names_stand(library: Report, provider: Provider, trouble: str) -> None:
    flags = ["--name-with", "openai/gpt-4o-mini", "--base-url", provider.base_url]
    line = "--name-with gives no more names; short names from captions stand in their place: "
    if trouble == "no server":
        flags[3] = f"http://127.0.0.1:{closed_port()}/v1"
        line += "Nothing answers at 127.0.0.1"
    elif trouble == "key":
        provider.script = lambda number, _: provider.error(401, "invalid_api_key")
        line += "127.0.0.1"
    elif trouble == "budget":
        flags += ["--budget", "0.000001"]
        line += "The budget of $0.000001 is less than one question may cost"
    elif trouble == "refused":
        provider.script = lambda number, _: provider.error(400)
        line = "Names: Used 0 input"
    else:
        provider.script = lambda number, _: provider.good("I cannot name these.")
        line = "Names: Used"
    words = library.make(*flags, *SMALL)
    assert line in words
    assert short_names(library)
    assert not short_names(library) & {"", "I cannot name these."}
    assert len(provider.requests) <= 4


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_cloud_backend_answers_a_text(dialect: str) -> None:
    settings = Settings(**{KEYS[dialect]: KEY})  # type: ignore[arg-type]
    with Provider(dialect).serve() as provider:
        provider.script = lambda number, _: provider.good('{"1": "Dogs"}')
        backend = load_backend(dialect, None, settings, "caption it", base_url=provider.base_url)
        answer = backend.answer("What are these?")
        backend._http.close()  # type: ignore[attr-defined]
        (request,) = provider.requests
    assert getattr(answer, "text", answer) == '{"1": "Dogs"}'
    assert "What are these?" in request.text
    assert "caption" not in request.raw.decode(), "neither the prompt nor the system line for pictures"
    assert BACKENDS[dialect].default_model in request.text


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--name-with", "mock"], "--name-with 'mock' is no backend: choose one of local, openai"),
        (["--base-url", "http://localhost/v1"], "are for --name-with: add it"),
        (["--name-with", "local", "--budget", "1"], "are not for local: leave them out"),
        (["--name-with", "openai", "--budget", "x"], "is not a dollar amount"),
    ],
)
def test_wrong_use_is_a_sentence(flags: list[str], sentence: str) -> None:
    result = CliRunner().invoke(app, flags)
    assert result.exit_code == 64
    assert sentence in " ".join(result.output.split())


def test_the_mock_answers_no_question() -> None:
    with pytest.raises(StopRunError, match="mock answers no questions without a picture"):
        load_backend("mock", None, Settings(), "x").answer("What?")


# --- groups, themes and events together


def test_themes_are_asked_about_after_their_groups_and_people_before_all() -> None:
    captions = [*DOGS[:6], *CAKES[:6], *DOGS[6:12]]
    labels = [Label(text, "caption") for text in captions]
    groups = [
        Group(7, "A dog", "caption", ("lawn",), tuple(range(6))),
        Group(8, "A cake", "caption", (), tuple(range(6, 12))),
        Group(9, "Another dog", "caption", (), tuple(range(12, 18))),
    ]
    model = Answers(
        json.dumps({"1": "Brown dogs", "2": "Birthday cakes"}), json.dumps({"1": "Dogs and cakes"})
    )
    told = Told(NamesByModel((), model), captions, [[1], [0], [0]])
    named_now, themes = name_shortly(groups, said(labels), [0, 0, -1], given={9: "Rex"}, told=told)
    assert [group.name for group in named_now] == ["Brown dogs", "Birthday cakes", "Rex"]
    assert [theme.name for theme in themes][:1] == ["Dogs and cakes"]
    of_groups, of_themes = model.asked[1], model.asked[3]
    assert "Set apart by: lawn" in of_groups
    assert "Rex" not in of_groups
    assert "Group 3" not in of_groups
    assert "Holds: Brown dogs, Birthday cakes" in of_themes
    assert "2 groups" in model.asked
    assert model.asked[2].endswith("themes")


def test_events_are_named_and_what_is_in_none_is_not() -> None:
    captions = [*DOGS[:6], *CAKES[:6]]
    day = datetime(2019, 7, 12)  # noqa: DTZ001 - a wall clock
    events = [
        Event(1, "12 July 2019", day, day, ("lawn",), tuple(range(6))),
        Event(-1, "Without a date", None, None, (), tuple(range(6, 12))),
    ]
    model = Answers(json.dumps({"1": "Dogs on the lawn"}))
    things = said([Label(text, "caption") for text in captions])
    named_now = name_events_shortly(events, things, Told(NamesByModel((), model), captions))
    assert [event.name for event in named_now] == ["Dogs on the lawn", ""]
    assert "cake" not in model.asked[1].partition("\n\n")[2]
