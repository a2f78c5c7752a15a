"""Owns the XML of a sidecar as a tree that knows where in the file each element stands.

What changes is cut out of the bytes or put between them; all others stay as they are. A library that writes the whole
tree again, as lxml does, would change quotes, entities, line ends and the XML declaration.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

from errors import SidecarError

if TYPE_CHECKING:
    from collections.abc import Iterable

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DEEPEST = 100
_ROOTS = {"adobe:ns:meta/ xmpmeta", "adobe:ns:meta/ xapmeta", f"{RDF} RDF"}
_DECLARED = re.compile(rb"\s*<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z][\w.-]*)", re.ASCII)
_UTF_16 = {BOM_UTF16_LE: "utf-16-le", BOM_UTF16_BE: "utf-16-be", b"<\0": "utf-16-le", b"\0<": "utf-16-be"}
_ATTRIBUTE = re.compile(rb"\s+([^\s=/>]+)\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_TWO_PARTS = re.compile("[\U00010000-\U0010ffff]")
_SPACE_BEFORE = re.compile(rb"[ \t\r\n]*\Z")


@dataclass(slots=True)
class Element:
    """One element and where it stands in the text, in bytes.

    Attributes:
        name: namespace, a space and the local name; without a namespace the local name alone.
        attributes: by names of the same form, in their order.
        start: where it begins; `inner_end`: where its end tag begins; `end`: behind it.
        text: what stands directly in it.
    """

    name: str
    attributes: dict[str, str]
    start: int
    inner_end: int = 0
    end: int = 0
    children: list[Element] = field(default_factory=list)
    text: str = ""

    @property
    def is_empty_tag(self) -> bool:
        """Whether it is of the form `<name/>`, which nothing can be put into."""
        return self.inner_end == self.end


Edit = tuple[int, int, str]
"""What stands from one place to another gives way to a text."""


class Document:
    """A sidecar's text and its `rdf:RDF`.

    Attributes:
        text: the file in UTF-8, which all places count in.
        rdf: its `rdf:RDF`.
        prefixes: the first prefix of each namespace.
    """

    def __init__(self, raw: bytes) -> None:
        """Read the bytes of a file.

        Raises:
            SidecarError: it is no XMP, or none that can be changed safely.
        """
        self._raw = raw
        self._encoding = _encoding(raw)
        try:
            text = raw.decode(self._encoding)
            exact = text.encode(self._encoding) == raw
            self.text = text.encode()
        except (UnicodeError, LookupError):
            raise SidecarError("its letters are not in the encoding that it names") from None
        if not exact:
            raise SidecarError(f"its encoding {self._encoding} cannot be written back as it is")
        self.prefixes: dict[str, str] = {}
        self.rdf = _rdf(self.text, self.prefixes)

    @property
    def line_end(self) -> str:
        return "\r\n" if b"\r\n" in self.text else "\n"

    def raw_name(self, element: Element) -> str:
        """Return an element's name as it is spelled in the file, with its prefix."""
        found = re.compile(rb"<([^\s/>]+)").match(self.text, element.start)
        return found[1].decode() if found else ""

    def space_before(self, place: int) -> str:
        """Return the white space that ends at a place."""
        found = _SPACE_BEFORE.search(self.text, max(0, place - 1000), place)
        return found[0].decode() if found else ""

    def without(self, element: Element) -> Edit:
        """Return the edit that takes an element out, with the space that was put in with it."""
        space = self.space_before(element.start).encode()
        after = self.text.startswith(space, element.end)
        return element.start, element.end + (len(space) if after else 0), ""

    def without_attributes(self, element: Element, names: Iterable[str]) -> list[Edit]:
        """Return the edits that take attributes out of an element's tag."""
        place = element.start + 1 + len(self.raw_name(element).encode())
        spans = []
        while found := _ATTRIBUTE.match(self.text, place):
            place = found.end()
            if found[1] != b"xmlns" and not found[1].startswith(b"xmlns:"):
                spans.append(found.span())
        of = dict(zip(element.attributes, spans, strict=True))
        return [(*of[name], "") for name in names]

    def edited(self, edits: Iterable[Edit]) -> bytes:
        """Return the bytes of the file after edits, which do not overlap."""
        edits = sorted(edits)
        if not edits:
            return self._raw
        parts, place = [], 0
        for start, end, new in edits:
            parts += [self.text[place:start], self._spelled(new).encode()]
            place = end
        text = b"".join([*parts, self.text[place:]]).decode()
        return text.encode(self._encoding, "xmlcharrefreplace")

    def _spelled(self, new: str) -> str:
        """Return a new text as exiftool (12.57) reads it: in UTF-16 it knows no letters in two parts."""
        if not self._encoding.startswith("utf-16"):
            return new
        return _TWO_PARTS.sub(lambda letter: f"&#{ord(letter[0])};", new)


def _encoding(raw: bytes) -> str:
    if raw[:2] in _UTF_16:
        return _UTF_16[raw[:2]]
    declared = _DECLARED.match(raw)
    return declared[1].decode() if declared else "utf-8"


def _rdf(text: bytes, prefixes: dict[str, str]) -> Element:
    """Return the one `rdf:RDF` of a packet, with all that is in it; note the prefixes of its namespaces."""
    top = Element("", {}, 0)
    open_elements = [top]
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")

    def start(name: str, attributes: list[str]) -> None:
        if len(open_elements) > _DEEPEST:
            raise SidecarError("its XML is nested too deeply")
        pairs = dict(zip(attributes[::2], attributes[1::2], strict=True))
        element = Element(name, pairs, parser.CurrentByteIndex)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_: str) -> None:
        element, place = open_elements.pop(), parser.CurrentByteIndex
        # At a tag like <name/> the parser stands behind it already, else before the end tag.
        empty = not element.children and not element.text and text.endswith(b"/>", 0, place)
        element.inner_end = place
        element.end = place if empty else text.index(b">", place) + 1

    def characters(part: str) -> None:
        open_elements[-1].text += part

    def declare(prefix: str | None, uri: str) -> None:
        if prefix:
            prefixes.setdefault(uri, prefix)

    def refuse(*_: object) -> None:
        raise SidecarError("it has a document type, which no XMP has")

    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartNamespaceDeclHandler = declare
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise SidecarError(
            f"its XML is broken in line {error.lineno} ({expat.ErrorString(error.code)})"
        ) from None
    root = top.children[0]
    found = [one for one in (root, *root.children) if one.name == f"{RDF} RDF"]
    if root.name not in _ROOTS or len(found) != 1 or found[0].is_empty_tag:
        raise SidecarError("it is no XMP that words can be put into")
    return found[0]
