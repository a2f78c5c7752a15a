"""`run --tags`: caption and keywords in one request, from every provider; kept, carried over, and no change without the flag."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from backends.base import ANSWER_SCHEMA, INSTRUCTION, TAGS_INSTRUCTION
from journal import CaptionJournal
from report.naming.naming import Label
from report.naming.short import said, short_names
from tests.conftest import OK, Product
from tests.helpers.provider import DIALECTS, Provider, Reply, Request, run
from tests.helpers.reports import Report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD = json.dumps({"caption": "A brown dog on a lawn.", "tags": ["dog", "lawn", "dogs", "grass"]})


@pytest.fixture(params=DIALECTS)
def provider(request: pytest.FixtureRequest) -> Iterator[Provider]:
    with Provider(request.param).serve() as running:
        yield running


@pytest.fixture
def openai() -> Iterator[Provider]:
    with Provider("openai").serve() as running:
        running.script = lambda number, _: running.good(GOOD)
        yield running


def schema_of(request: Request) -> object:
    """Return the schema in a request, where its API takes one; fail if it is given in another form."""
    body = request.body
    if "response_format" in body:
        form = body["response_format"]
        assert (form["type"], form["json_schema"]["strict"]) == ("json_schema", True)
        return form["json_schema"]["schema"]
    if "output_config" in body:
        assert body["output_config"]["format"]["type"] == "json_schema"
        return body["output_config"]["format"]["schema"]
    if "responseJsonSchema" in body.get("generationConfig", {}):
        assert body["generationConfig"]["responseMimeType"] == "application/json"
        return body["generationConfig"]["responseJsonSchema"]
    return None


def tags_of(product: Product) -> set[tuple[str, ...]]:
    return {tuple(line["tags"]) for line in product.records().values() if line["status"] == "success"}


def test_each_provider_gets_the_schema_and_the_words(product: Product, provider: Provider) -> None:
    provider.script = lambda number, _: provider.good(GOOD)
    run(product, provider, "--limit", "2", "--tags")
    assert all(schema_of(request) == dict(ANSWER_SCHEMA) for request in provider.requests)
    assert all(json.dumps(TAGS_INSTRUCTION)[1:-1] in request.raw.decode() for request in provider.requests)
    assert next(iter(ANSWER_SCHEMA["properties"])) == "caption", "a cut answer still has it"  # type: ignore[call-overload]
    assert tags_of(product) == {("dog", "lawn", "grass")}
    assert {line["caption"] for line in product.lines() if line["status"] == "success"} == {
        "A brown dog on a lawn."
    }


def test_without_the_flag_nothing_changes(product: Product, provider: Provider) -> None:
    run(product, provider, "--limit", "2")
    for request in provider.requests:
        assert schema_of(request) is None
        assert "tags" not in request.raw.decode()
        assert INSTRUCTION in request.raw.decode()
    assert not any("tags" in line for line in product.lines())


@pytest.mark.slow
def test_a_server_that_knows_no_schema_is_asked_in_words_alone(product: Product, openai: Provider) -> None:
    def script(number: int, request: Request) -> Reply:
        if "response_format" in request.body:
            return openai.error(400, "invalid_request_error", "response_format is not supported")
        return openai.good(f"Sure:\n```json\n{GOOD}\n```")

    openai.script = script
    run(product, openai, "--tags", "--max-workers", "2")
    assert tags_of(product) == {("dog", "lawn", "grass")}
    assert sum("response_format" in request.body for request in openai.requests) <= 2


def test_too_few_tags_are_asked_for_once_more_and_the_caption_stays(
    product: Product, openai: Provider
) -> None:
    few = json.dumps({"caption": "A dog.", "tags": ["dog"]})
    openai.script = lambda number, _: openai.good(
        few if number == 0 else "I'm sorry, I can't help with that."
    )
    run(product, openai, "--tags", "--limit", "1")
    assert len(openai.requests) == 2
    (record,) = [line for line in product.lines() if line["status"] == "success"]
    assert (record["caption"], record["tags"]) == ("A dog.", ["dog"])


def test_the_remains_of_json_are_no_caption(product: Product, openai: Provider) -> None:
    openai.script = lambda number, _: openai.good('{"tags": ["dog", "lawn", "grass"]}')
    run(product, openai, "--tags", "--limit", "1")
    assert [line["status"] for line in product.lines()] == ["error_model"]


def test_a_list_makes_them_strict(product: Product, openai: Provider) -> None:
    words = product.folder / "keywords.txt"
    words.write_text("Animals\n\tDog\nPlants > Lawn\n")
    run(product, openai, "--limit", "1", "--tags", str(words))
    assert tags_of(product) == {("Animals > Dog", "Plants > Lawn")}
    assert "Animals; Animals > Dog; Plants > Lawn" in openai.requests[0].text


@pytest.mark.parametrize(("text", "sentence"), [(None, "cannot be read"), ("\n \n", "holds no tag")])
def test_a_list_that_is_none(product: Product, text: str | None, sentence: str) -> None:
    words = product.folder / "keywords.txt"
    if text is not None:
        words.write_text(text)
    said = product.run("--tags", str(words), code=64)
    assert sentence in said


def test_captions_without_tags_stay_and_are_named(product: Product) -> None:
    product.run()
    assert f"{OK} captions without tags will stay." in product.run("--tags")
    assert "without tags" not in product.run()


def test_tags_go_with_the_caption_of_a_copy(product: Product, openai: Provider) -> None:
    run(product, openai, "--tags")
    asked = len(openai.requests)
    source = product.photos / "cover.bmp"
    (product.photos / "copy.bmp").write_bytes(source.read_bytes())
    said = run(product, openai, "--tags")
    assert "1 caption carried over" in said
    assert len(openai.requests) == asked
    records = product.records()
    assert records["copy.bmp"]["tags"] == records["cover.bmp"]["tags"] == ["dog", "lawn", "grass"]


@pytest.mark.slow
def test_a_caption_without_tags_is_not_carried_over_where_tags_are_asked_for(
    product: Product, openai: Provider
) -> None:
    run(product, openai)
    (product.photos / "copy.bmp").write_bytes((product.photos / "cover.bmp").read_bytes())
    run(product, openai, "--tags")
    assert product.records()["copy.bmp"]["tags"] == ["dog", "lawn", "grass"]


def test_they_stay_where_a_person_writes_another_caption(product: Product) -> None:
    product.run("--tags")
    product.call("set", "cover.bmp", "Our first boat.")
    record = product.records()["cover.bmp"]
    assert (record["caption"], record["tags"]) == ("Our first boat.", ["mock", "cover", "photo"])


def test_compact_keeps_them_and_a_bad_field_harms_nothing(product: Product) -> None:
    product.run("--tags")
    lines = product.journal.read_text()
    odd = '{"rel_path": "odd.jpg", "caption": "A dog.", "status": "success", "tags": "dog"}\n'
    product.journal.write_text(lines + odd + lines)
    product.call("compact")
    assert tags_of_all(product.journal)["cover.bmp"] == ("mock", "cover", "photo")
    assert tags_of_all(product.journal)["odd.jpg"] == ()


def tags_of_all(path: Path) -> dict[str, tuple[str, ...]]:
    return {name: entry.get("tags", ()) for name, entry in CaptionJournal(path).load().items()}


def test_the_estimate_counts_the_longer_answers(product: Product) -> None:
    def cost(*more: str) -> float:
        said = product.call(
            "estimate", "--backend", "anthropic", "--photos-dir", str(product.photos), *more
        ).stdout
        return float(said.partition("= ~$")[2].split()[0])

    assert cost("--tags") > 1.2 * cost()


def test_german_words_from_a_german_prompt(product: Product, openai: Provider) -> None:
    """No flag for it: captions, tags and names are in the language of the prompt."""
    answers = [
        {"caption": "Zwei Hunde liegen auf einer Wiese.", "tags": ["Hund", "Wiese", "Hunde", "Gras"]},
        {"caption": "Ein Hund springt über einen Zaun.", "tags": ["Hund", "Zaun", "Sprung"]},
    ]
    openai.script = lambda number, _: openai.good(json.dumps(answers[number % 2], ensure_ascii=False))
    run(product, openai, "--tags", "--prompt", "Beschreibe dieses Foto in einem Satz auf Deutsch.")
    assert tags_of(product) == {("Hund", "Wiese", "Gras"), ("Hund", "Zaun", "Sprung")}
    labels = [
        Label(line["caption"], "caption", tags=tuple(line["tags"]))
        for line in product.records().values()
        if line["status"] == "success"
    ]
    others = [Label("Ein Berg im Nebel.", "caption", tags=("Berg", "Nebel", "Wolke"))] * len(labels)
    members = [range(len(labels)), range(len(labels), 2 * len(labels))]
    names = [name.text for name in short_names(members, said([*labels, *others]))]
    assert names[0].startswith("Hund")


def test_tags_name_a_group_that_its_captions_do_not() -> None:
    """Each caption says it by another word, the tags by the same."""
    captions = ["A spaniel runs.", "A puppy asleep.", "Rex and a ball.", "A collie waits."]
    labels = [Label(text, "caption", tags=("dog", "outdoors", "play")) for text in captions]
    others = [
        Label(f"A boat at pier {number}.", "caption", tags=("boat", "harbour", "sea")) for number in range(8)
    ]
    with_tags = short_names([range(4), range(4, 12)], said([*labels, *others]))
    assert with_tags[0].text == "Dogs"


@pytest.mark.slow
def test_the_report_has_them(product: Product, tmp_path: Path) -> None:
    product.run("--tags")
    out = tmp_path / "report"
    out.mkdir()
    report = Report(out, product.photos)
    report.make("--captions-jsonl", str(product.journal), "--out-dir", str(out))
    assert report.rows()["cover.bmp"]["tags"] == "mock; cover; photo"
    page = (out / "cluster_report.html").read_text()
    assert '"tags":{"words":["mock",' in page


def test_export_xmp_writes_them_and_takes_them_out(product: Product) -> None:
    records = [
        {
            "rel_path": "cover.bmp",
            "caption": "A dog.",
            "status": "success",
            "model": "openai/x",
            "tags": ["Animals > Dog", "Lawn"],
        },
    ]
    product.journal.write_text("".join(json.dumps(record) + "\n" for record in records))
    product.call("export-xmp", "--photos-dir", str(product.photos))
    sidecar = product.photos / "cover.bmp.xmp"
    text = sidecar.read_text()
    for one in ("<rdf:li>Dog</rdf:li>", "<rdf:li>Lawn</rdf:li>", "Animals|Dog", "Animals/Dog"):
        assert one in text
    product.call("export-xmp", "--undo")
    assert not sidecar.exists()
