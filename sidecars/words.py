"""Owns what stands in a sidecar of a caption, and what of it is ours.

Ours is told by what stands in the file, so that it is found in every layout that other programs give it: a text whose hash
is the one that we wrote beside it, and the tags that we wrote down as added. All else is a person's or another program's.
Descriptions go together: where one stands that is not ours, we write none, because programs show one before the other.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from sidecars.document import RDF, Document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidecars.document import Edit, Element

OURS = "urn:picture-captioner:xmp/1.0/"
ROOT = "Captioner"
"""What our groups and events stand below; keywords stand where a person would put them."""
_SPACES = {
    "rdf": RDF,
    "dc": "http://purl.org/dc/elements/1.1/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "captioner": OURS,
}


def _full(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{_SPACES[prefix]} {local}"


_DESCRIPTIONS = ("dc:description", "tiff:ImageDescription")
_ALT_TEXT = "Iptc4xmpCore:AltTextAccessibility"
_TEXTS = {_full(name) for name in (*_DESCRIPTIONS, _ALT_TEXT)}
_WRITER = "photoshop:CaptionWriter"
_TAGS = {"digiKam:TagsList": ("Seq", "/"), "lr:hierarchicalSubject": ("Bag", "|"), "dc:subject": ("Bag", "")}
"""Where tags stand: the kind of list, and what separates the levels of a tag; without levels the last stands alone."""
_TAG_NAMES = {_full(name): levels for name, (_, levels) in _TAGS.items()}
_MODEL, _TIME, _HASH, _ADDED = (
    f"{OURS} {name}" for name in ("captionModel", "captionTime", "captionHash", "captionTags")
)
# No plain `date`: exiftool, asked to copy all of a sidecar into a photo, would make dc:Date of it.
_ABOUT = {f"{RDF} about", "about", f"{RDF} ID"}
_NOT_XML = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="picture-captioner">\n'
    f' <rdf:RDF xmlns:rdf="{RDF}">\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>\n'
).encode()


class Words(NamedTuple):
    """What is to stand in a sidecar: the caption, what made it (may be empty), when, tags as their levels below the root, and
    keywords as their levels.
    """

    caption: str
    model: str
    at: str
    tags: tuple[tuple[str, ...], ...] = ()
    keywords: tuple[tuple[str, ...], ...] = ()


class Merged(NamedTuple):
    """A sidecar with our words: the bytes, those without our words, and whether the description is another's."""

    new: bytes
    base: bytes
    foreign: bool


def merge(raw: bytes | None, words: Words) -> Merged:
    """Put words into a sidecar, in place of our own of before; None for a sidecar that is not there yet.

    Where what stands there says the same already, `new` is `raw`.

    Raises:
        SidecarError: the sidecar must be left alone.
    """
    base = _EMPTY if raw is None else strip(raw)
    document = Document(base)
    there = {name for name, _, _ in _properties(document)}
    foreign = any(_full(name) in there for name in _DESCRIPTIONS)
    new = document.edited(_additions(document, words, there, foreign=foreign))
    if raw is not None and raw not in (new, base) and _said(Document(raw)) == _said(Document(new)):
        new = raw
    return Merged(new, base, foreign)


def strip(raw: bytes) -> bytes:
    """Return a sidecar without our words; byte for byte what it was if nothing else has changed since.

    Raises:
        SidecarError: the sidecar must be left alone.
    """
    document = Document(raw)
    mine = _Mine(document)
    edits: list[Edit] = []
    for block in document.rdf.children:
        rests = [mine.part(one) for one in block.children]
        ours = [name for name in block.attributes if mine.has_attribute(block, name)]
        if mine.is_whole(block) and all(rest is None for rest in rests):
            edits.append(document.without(block))
            continue
        if ours:
            edits += document.without_attributes(block, ours)
        for one, rest in zip(block.children, rests, strict=True):
            edits += map(document.without, [one] if rest is None else rest)
    return document.edited(edits)


def has_ours(raw: bytes) -> bool:
    """Tell whether a sidecar holds words of ours."""
    return any(name.startswith(f"{OURS} ") for name, _, _ in _properties(Document(raw)))


def holds_nothing(raw: bytes) -> bool:
    """Tell whether a sidecar says nothing about its photo."""
    return not any(_properties(Document(raw)))


def is_made(base: bytes) -> bool:
    """Tell whether a sidecar without our words is the bare one that we begin with."""
    return base == _EMPTY


def clean(text: str) -> str:
    """Return a text as XML can hold it."""
    return _NOT_XML.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _hash(text: str) -> str:
    return sha256(text.strip().encode()).hexdigest()[:16]


def _writer(model: str) -> str:
    return f"AI: {model}" if model else "AI"


def _properties(document: Document) -> Iterator[tuple[str, Element, str | None]]:
    """Yield every property: its name, its element, and its value if it is an attribute of that element."""
    for block in document.rdf.children:
        for name, value in block.attributes.items():
            if name not in _ABOUT and not name.startswith("http://www.w3.org/XML/1998/namespace "):
                yield name, block, value
        for one in block.children:
            yield one.name, one, None


def _items(element: Element) -> list[Element]:
    """Return the items of a property that is a list; none if it is anything else."""
    if len(element.children) != 1 or element.children[0].name not in {
        f"{RDF} {kind}" for kind in ("Bag", "Seq", "Alt")
    }:
        return []
    return [one for one in element.children[0].children if one.name == f"{RDF} li" and not one.children]


def _text(element: Element) -> str | None:
    """Return the one text of a property; None where it has several, or none."""
    if not element.children:
        return element.text
    items = _items(element)
    return items[0].text if len(items) == len(element.children[0].children) == 1 else None


class _Mine:
    """Tells what is ours in one sidecar, by the marks in it."""

    def __init__(self, document: Document) -> None:
        self._text = document.text
        self._hashes: set[str] = set()
        self._writers: set[str] = set()
        self._added: set[str] = set()
        for name, element, value in _properties(document):
            text = value if value is not None else _text(element) or ""
            if name == _HASH:
                self._hashes.add(text.strip())
            elif name == _MODEL:
                self._writers.add(_writer(text))
            elif name == _ADDED:
                self._added |= {item.text for item in _items(element)}

    def is_whole(self, block: Element) -> bool:
        """Tell whether a block of properties can be the one that we put in: no attribute, and no comment of anybody."""
        comment = self._text.find(b"<!--", block.start, block.end) >= 0
        return (
            not comment
            and block.attributes.keys() <= _ABOUT
            and any(one.name == _HASH for one in block.children)
        )

    def has_attribute(self, block: Element, name: str) -> bool:
        return self._has(name, block.attributes[name])

    def part(self, element: Element) -> list[Element] | None:
        """Return which items of a property are ours; None if all of it is."""
        if element.name in _TAG_NAMES:
            items = _items(element)
            ours = [item for item in items if self._is_tag(item.text, _TAG_NAMES[element.name])]
            return None if items and len(ours) == len(element.children[0].children) else ours
        return None if self._has(element.name, _text(element)) else []

    def _has(self, name: str, text: str | None) -> bool:
        if name.startswith(f"{OURS} "):
            return True
        if text is None:
            return False
        if name == _full(_WRITER):
            return text in self._writers
        return name in _TEXTS and _hash(text) in self._hashes

    def _is_tag(self, text: str, levels: str) -> bool:
        if levels and levels + text in self._added:
            return True
        if text not in self._added:
            return False
        return text.startswith(ROOT + levels) if levels else not re.match(rf"(?:{ROOT})?[/|]", text)


def _additions(document: Document, words: Words, there: set[str], *, foreign: bool) -> list[Edit]:
    """Return the edits that put words into a sidecar that has none of ours."""
    edits, added, lists = _tag_additions(document, words, there)
    texts = [name for name in (*(() if foreign else _DESCRIPTIONS), _ALT_TEXT) if _full(name) not in there]
    if not texts and not added:
        return []
    names = _Names(document)
    parts = [
        names.property(name, names.list("Alt", [words.caption], ' xml:lang="x-default"')) for name in texts
    ]
    if not foreign and words.model and _full(_WRITER) not in there:
        parts.append(names.property(_WRITER, escape(_writer(words.model))))
    parts += [names.property(name, names.list(kind, tags)) for name, kind, tags in lists]
    ours = {"captionModel": words.model, "captionTime": words.at, "captionHash": _hash(words.caption)}
    parts += [names.property(f"captioner:{name}", escape(value)) for name, value in ours.items() if value]
    if added:
        parts.append(names.property("captioner:captionTags", names.list("Bag", added)))
    abouts = (
        block.attributes.get(f"{RDF} about", block.attributes.get("about")) for block in document.rdf.children
    )
    about = next(filter(None, abouts), "")
    place = document.rdf.inner_end
    space, line = document.space_before(place), document.line_end + "   "
    node = f"{names.prefix('rdf')}:Description"
    head = f"<{node} {names.prefix('rdf')}:about={quoteattr(about)}{names.declared()}>"
    block = head + "".join(line + part for part in parts) + line[:-1] + f"</{node}>"
    return [*edits, (place, place, block + space)]


class _Names:
    """Spells names as a document does: exiv2 reads nothing where a namespace has two prefixes."""

    def __init__(self, document: Document) -> None:
        self._prefixes = document.prefixes
        self._used: dict[str, str] = {}

    def prefix(self, ours: str) -> str:
        if ours not in self._used:
            new = ours
            while new in self._prefixes.values():
                new += "1"
            self._used[ours] = self._prefixes.get(_SPACES[ours], new)
        return self._used[ours]

    def declared(self) -> str:
        return "".join(f' xmlns:{prefix}="{_SPACES[ours]}"' for ours, prefix in self._used.items())

    def property(self, name: str, inner: str) -> str:
        ours, _, local = name.partition(":")
        full = f"{self.prefix(ours)}:{local}"
        return f"<{full}>{inner}</{full}>"

    def list(self, kind: str, items: list[str], attributes: str = "") -> str:
        rdf = self.prefix("rdf")
        inner = "".join(f"<{rdf}:li{attributes}>{escape(item)}</{rdf}:li>" for item in items)
        return f"<{rdf}:{kind}>{inner}</{rdf}:{kind}>"


def _tag_additions(
    document: Document, words: Words, there: set[str]
) -> tuple[list[Edit], list[str], list[tuple[str, str, list[str]]]]:
    """Return the edits that add tags to lists that are there, all the tags that are added, and the lists that are not there."""
    edits: list[Edit] = []
    added: list[str] = []
    new: list[tuple[str, str, list[str]]] = []
    elements = {name: element for name, element, value in _properties(document) if value is None}
    for name, (kind, levels) in _TAGS.items():
        tags = [levels.join((ROOT, *tag)) if levels else tag[-1] for tag in words.tags]
        keywords = [levels.join(tag) if levels else tag[-1] for tag in words.keywords]
        tags = list(dict.fromkeys([*tags, *keywords]))
        # In the list of what we have added, a keyword says by its beginning in which list with levels it stands.
        marks = {keyword: levels + keyword for keyword in keywords}
        if _full(name) not in there:
            # Immich reads no lr:hierarchicalSubject where there is a digiKam:TagsList.
            if tags and not (name == "digiKam:TagsList" and _full("lr:hierarchicalSubject") in there):
                new.append((name, kind, tags))
                added += [marks.get(tag, tag) for tag in tags]
            continue
        items = _items(elements[_full(name)]) if _full(name) in elements else []
        tags = [tag for tag in tags if items and tag not in {item.text for item in items}]
        if tags:
            item, place = document.raw_name(items[0]), elements[_full(name)].children[0].inner_end
            space = document.space_before(place)
            text = "".join(f"<{item}>{escape(tag)}</{item}>{space}" for tag in tags)
            edits.append((place, place, text))
            added += [marks.get(tag, tag) for tag in tags]
    return edits, added, new


def _said(document: Document) -> dict[str, list[object]]:
    """Return what a sidecar says, whatever its layout; the order of what is a list counts, that of properties does not."""
    said: dict[str, list[object]] = {}
    for name, element, value in _properties(document):
        said.setdefault(name, []).append(value if value is not None else _shape(element))
    return said


def _shape(element: Element) -> object:
    if not element.children and not element.attributes:
        return element.text
    return element.name, element.attributes, element.text.strip(), [_shape(one) for one in element.children]
