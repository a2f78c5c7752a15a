"""What is put into a sidecar and taken out again: only ours, byte for byte, in every layout."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import SidecarError
from library.xmp import read_xmp
from sidecars.document import Document
from sidecars.words import Words, clean, has_ours, holds_nothing, is_made, merge, strip
from tests.helpers.foreign_xmp import foreign

WORDS = Words("A red kayak on a lake.", "openai/gpt-6-luna", "2026-11-01T10:00:00Z", (("Groups", "Kayaks"),))
HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:lr="http://ns.adobe.com/lightroom/1.0/" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:digiKam="http://www.digikam.org/ns/1.0/">'
)
TAIL = "</rdf:Description></rdf:RDF></x:xmpmeta>"
texts = st.text().map(clean).filter(bool)
levels = texts.filter(lambda text: not set(text) & set("/|"))
words = st.builds(
    Words,
    caption=texts,
    model=texts,
    at=st.sampled_from(["", "2026-11-01T10:00:00Z"]),
    tags=st.lists(st.tuples(st.sampled_from(["Groups", "Events"]), levels)).map(tuple),
    keywords=st.lists(st.lists(levels, min_size=1, max_size=3).map(tuple)).map(tuple),
)


def packet(inner: str) -> bytes:
    return f"{HEAD}{inner}{TAIL}".encode()


def alternative(name: str, text: str) -> str:
    return f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></{name}>'


def bag(name: str, *items: str) -> str:
    return f"<{name}><rdf:Bag>{''.join(f'<rdf:li>{item}</rdf:li>' for item in items)}</rdf:Bag></{name}>"


@given(st.integers(0, 10**9), words, words)
@settings(max_examples=150)
def test_what_was_put_in_comes_out_byte_for_byte(seed: int, first: Words, second: Words) -> None:
    raw = foreign(seed).raw
    merged = merge(raw, first)
    assert merged.base == raw
    assert strip(merged.new) == raw
    again = merge(merged.new, second)
    assert again.base == raw
    assert strip(again.new) == raw
    assert merge(again.new, second).new == again.new
    assert not has_ours(raw)


@given(words)
def test_a_sidecar_of_ours_alone(said: Words) -> None:
    new = merge(None, said).new
    assert has_ours(new)
    assert not holds_nothing(new)
    assert is_made(strip(new))
    assert holds_nothing(strip(new))
    assert merge(new, said).new == new
    assert read_xmp(new) == (None, None)  # no date, no place


def test_new_words_take_the_place_of_ours() -> None:
    old = merge(packet(bag("dc:subject", "Oma")), WORDS).new
    new = merge(old, WORDS._replace(caption="Two dogs.", tags=(("Groups", "Dogs"),))).new
    assert b"kayak" not in new.lower()
    assert new.count(b"Two dogs.") == 3
    assert b"<rdf:li>Oma</rdf:li><rdf:li>Dogs</rdf:li>" in new


@pytest.mark.parametrize("name", ["dc:description", "tiff:ImageDescription"])
def test_a_description_of_another_stays(name: str) -> None:
    """And none of ours stands beside it, because Immich shows one before the other."""
    merged = merge(packet(alternative(name, "Oma, 80")), WORDS)
    assert merged.foreign
    assert merged.new.count(WORDS.caption.encode()) == 1
    assert b"AltTextAccessibility" in merged.new
    assert b"CaptionWriter" not in merged.new


def test_a_description_that_was_edited_stays_for_ever() -> None:
    ours = merge(None, WORDS._replace(tags=())).new
    edited = ours.replace(
        b'<rdf:li xml:lang="x-default">A red kayak', b'<rdf:li xml:lang="x-default">Our red kayak', 1
    )
    merged = merge(edited, WORDS._replace(caption="Something else.", tags=()))
    assert merged.foreign
    assert b"Our red kayak on a lake." in merged.new
    assert b">A red kayak" not in merged.new
    assert merged.new.count(b"Something else.") == 1  # the alternative text
    assert b"CaptionWriter" not in merged.new
    assert merge(merged.new, WORDS._replace(caption="Something else.", tags=())).new == merged.new
    left = strip(merged.new)
    assert b"Our red kayak on a lake." in left
    assert not has_ours(left)
    assert not holds_nothing(left)


def test_a_second_language_is_a_persons() -> None:
    ours = merge(None, WORDS).new
    edited = ours.replace(
        b"</rdf:li></rdf:Alt>", b'</rdf:li><rdf:li xml:lang="de">Ein Kajak</rdf:li></rdf:Alt>', 1
    )
    assert b"Ein Kajak" in strip(edited)


def test_a_comment_in_our_block_stays() -> None:
    ours = merge(packet(""), WORDS).new
    assert b"<!-- mine -->" in strip(
        ours.replace(b"<captioner:captionModel>", b"<!-- mine --><captioner:captionModel>")
    )


def test_tags_of_others_stay_and_are_not_doubled() -> None:
    raw = packet(bag("dc:subject", "Kayaks") + bag("digiKam:TagsList", "Kayaks", "Captioner/Groups/Mine"))
    merged = merge(raw, WORDS)
    assert merged.new.count(b"<rdf:li>Kayaks</rdf:li>") == 2
    assert b"<rdf:li>Captioner/Groups/Kayaks</rdf:li></rdf:Bag></digiKam:TagsList>" in merged.new
    assert strip(merged.new) == raw


def test_immich_still_reads_the_tags_of_lightroom() -> None:
    """It reads no lr:hierarchicalSubject where there is a digiKam:TagsList."""
    merged = merge(packet(bag("lr:hierarchicalSubject", "Familie|Oma")), WORDS)
    assert b"TagsList" not in merged.new
    assert b"<rdf:li>Familie|Oma</rdf:li><rdf:li>Captioner|Groups|Kayaks</rdf:li>" in merged.new


def test_words_as_attributes_are_known_as_ours() -> None:
    """Lightroom makes attributes of simple properties."""
    ours = merge(packet(""), WORDS._replace(tags=())).new.decode()
    for name in ("captionModel", "captionTime", "captionHash"):
        start, end = ours.index(f"<captioner:{name}>"), ours.index(f"</captioner:{name}>")
        value = ours[start + len(f"<captioner:{name}>") : end]
        ours = ours[:start] + ours[end + len(f"</captioner:{name}>") :]
        ours = ours.replace("<rdf:Description ", f"<rdf:Description  captioner:{name} = '{value}' xmp:Rating=\"3\" ", 1) if name == "captionHash" else ours.replace("<rdf:Description ", f"<rdf:Description captioner:{name}='{value}' ", 1)  # fmt: skip
    ours = ours.replace("<x:xmpmeta ", '<x:xmpmeta xmlns:captioner="urn:picture-captioner:xmp/1.0/" ', 1)
    left = strip(ours.encode())
    assert not has_ours(left)
    assert b"kayak" not in left
    assert b'xmp:Rating="3"' in left


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "broken"),
        (b"\0" * 50, "broken"),
        (b"<html></html>", "no XMP"),
        (b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x/>', "document type"),
        (packet("<dc:title>")[:-5], "broken"),
        (packet("<nobody:title/>"), "broken"),
        (packet("\ufeff").replace(b"\xef\xbb\xbf", b"\xff"), "encoding"),
        (b'<?xml version="1.0" encoding="klingon"?>' + packet(""), "encoding"),
        (b'<?xml version="1.0" encoding="rot13"?>' + packet(""), "encoding"),
        (b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>', "no XMP"),
        (b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>', "no XMP"),
        (packet("<dc:a>" * 5000 + "</dc:a>" * 5000), "deeply"),
        (packet("").replace(b"<x:", b"<").replace(b"</x:", b"</"), "no XMP"),
        (packet("")[:-12].replace(b"</rdf:Description>", b""), "broken"),
        (packet("").decode().encode("utf-32"), "broken"),
    ],
)
def test_what_must_be_left_alone(raw: bytes, why: str) -> None:
    with pytest.raises(SidecarError, match=why):
        merge(raw, WORDS)


@given(st.integers(0, 500), st.data())
def test_damage_is_a_sentence_or_changes_nothing_else(seed: int, data: st.DataObject) -> None:
    raw = bytearray(foreign(seed).raw)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=4))
    try:
        merged = merge(bytes(raw), WORDS)
    except SidecarError:
        return
    assert strip(merged.new) == raw


@dataclass(frozen=True)
class Coded:
    encoding: str
    declared: str


@pytest.mark.parametrize(
    "coded",
    [Coded("iso-8859-1", "ISO-8859-1"), Coded("windows-1252", "windows-1252"), Coded("ascii", "US-ASCII")],
)
def test_other_encodings_get_what_they_lack_as_numbers(coded: Coded) -> None:
    title = "Müller" if coded.encoding != "ascii" else "Mueller"
    text = (
        f'<?xml version="1.0" encoding="{coded.declared}"?>' + packet(alternative("dc:title", title)).decode()
    )
    raw = text.encode(coded.encoding)
    merged = merge(raw, WORDS._replace(caption="海 🛶"))
    assert b"&#28023; &#128758;" in merged.new
    assert strip(merged.new) == raw
    Document(merged.new)


def test_the_place_of_an_element_is_exact() -> None:
    """Empty tags, tags that close at once, comments and data that look like tags."""
    raw = packet(
        "<dc:a/><dc:b></dc:b><dc:c><!--/>--></dc:c><dc:d><![CDATA[/>]]></dc:d><dc:e x='/>'></dc:e><dc:f />\n"
    )
    document = Document(raw)
    spans = [raw[one.start : one.end].decode() for one in document.rdf.children[0].children]
    assert spans == [
        *("<dc:a/>", "<dc:b></dc:b>", "<dc:c><!--/>--></dc:c>", "<dc:d><![CDATA[/>]]></dc:d>"),
        *("<dc:e x='/>'></dc:e>", "<dc:f />"),
    ]
