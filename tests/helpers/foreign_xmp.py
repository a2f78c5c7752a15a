"""Makes sidecars as other programs and people write them: a seed names one, so that a failure can be made again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
SPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
    "darktable": "http://darktable.sf.net/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
}
STYLES = ("darktable", "digikam", "lightroom", "immich", "exiftool", "hand")
WORDS = "Oma Geburtstag Strand Ünïcode 海 Rom 'quoted' \"double\" a&b <x> Beach Paris/Nord".split()


@dataclass(slots=True)
class Foreign:
    """One sidecar: its bytes, the same in UTF-8 (exiv2 reads no UTF-16), its prefix of RDF, and whether a description is in it."""

    raw: bytes
    utf_8: bytes
    style: str
    rdf: str
    described: bool


@dataclass(slots=True)
class _Parts:
    attributes: list[tuple[str, str]] = field(default_factory=list)
    elements: list[tuple[str, str]] = field(default_factory=list)


def foreign(seed: int) -> Foreign:
    """Return the sidecar of a seed."""
    chance = random.Random(seed)
    style = STYLES[seed % len(STYLES)]
    rdf = chance.choice(["rdf"] * 9 + ["r"])
    described = chance.random() < 0.4
    parts = _parts(chance, style, rdf, described=described)
    text = _document(chance, style, rdf, parts)
    if chance.random() < 0.25:
        text = text.replace("\n", "\r\n")
    encoding = chance.choice(["utf-8"] * 6 + ["utf-8-sig", "utf-16", "utf-16-be"])
    declared = f'<?xml version="1.0" encoding="{"UTF-16" if "16" in encoding else "UTF-8"}"?>\n'
    plain = '<?xml version="1.0" encoding="UTF-8"?>\n'
    if style == "digikam" or (style in {"darktable", "hand"} and chance.random() < 0.8) or "16" in encoding:
        raw = declared + text
        plain += text
    else:
        raw = plain = text
    start = "\ufeff" if encoding == "utf-16-be" else ""
    return Foreign((start + raw).encode(encoding), plain.encode(), style, rdf, described)


def _escaped(chance: random.Random, text: str) -> str:
    marks = {
        "&": chance.choice(["&amp;", "&#38;", "&#x26;"]),
        "<": "&lt;",
        '"': "&quot;",
        "'": chance.choice(["'", "&apos;", "&#39;"]),
    }
    return "".join(marks.get(letter, letter) for letter in text)


def _items(chance: random.Random, rdf: str, kind: str, items: list[str], indent: str) -> str:
    space = chance.choice(["", indent])
    inner = "".join(f"{space}<{rdf}:li>{_escaped(chance, item)}</{rdf}:li>" for item in items)
    return f"{space}<{rdf}:{kind}>{inner}{space}</{rdf}:{kind}>{space}"


def _alternative(chance: random.Random, rdf: str, text: str) -> str:
    other = f'<{rdf}:li xml:lang="de">Auf Deutsch</{rdf}:li>' if chance.random() < 0.2 else ""
    return f'<{rdf}:Alt><{rdf}:li xml:lang="x-default">{_escaped(chance, text)}</{rdf}:li>{other}</{rdf}:Alt>'


def _parts(chance: random.Random, style: str, rdf: str, *, described: bool) -> _Parts:
    """Return properties in the way of a program."""
    parts = _Parts()
    as_attributes = style in {"darktable", "lightroom"} or (style == "hand" and chance.random() < 0.5)
    simple = [
        ("xmp:Rating", str(chance.randint(-1, 5))),
        ("exif:DateTimeOriginal", "2019-07-12T14:30:00"),
        ("xmpMM:DocumentID", f"xmp.did:{chance.getrandbits(64):x}"),
        ("photoshop:City", chance.choice(WORDS)),
    ]
    if style == "lightroom":
        simple += [
            (f"crs:Exposure{number}", f"{chance.random():+.2f}") for number in range(chance.randint(5, 60))
        ]
    if chance.random() < 0.2:
        simple.append(("photoshop:CaptionWriter", "Mara"))
    where = parts.attributes if as_attributes else parts.elements
    where += [(name, _escaped(chance, value)) for name, value in simple if chance.random() < 0.8]
    if style == "darktable":
        items = "".join(
            f'\n     <{rdf}:li darktable:num="{n}" darktable:operation="op{n}" darktable:params="{chance.getrandbits(90):x}"/>'
            for n in range(chance.randint(0, 30))
        )
        parts.elements.append(("darktable:history", f"\n    <{rdf}:Seq>{items}\n    </{rdf}:Seq>\n   "))
    for name, kind in (("digiKam:TagsList", "Seq"), ("lr:hierarchicalSubject", "Bag"), ("dc:subject", "Bag")):
        if chance.random() < 0.4:
            tags = chance.sample(WORDS, chance.randint(1, 4))
            parts.elements.append((name, _items(chance, rdf, kind, tags, "\n      ")))
    if described:
        names = chance.sample(["dc:description", "tiff:ImageDescription"], chance.randint(1, 2))
        parts.elements += [
            (name, _alternative(chance, rdf, " ".join(chance.sample(WORDS, 3)))) for name in names
        ]
    if chance.random() < 0.2:
        parts.elements.append(
            ("Iptc4xmpCore:AltTextAccessibility", _alternative(chance, rdf, "Somebody's alt text"))
        )
    if chance.random() < 0.3:
        parts.elements.append(("dc:title", _alternative(chance, rdf, chance.choice(WORDS))))
    chance.shuffle(parts.elements)
    return parts


def _document(chance: random.Random, style: str, rdf: str, parts: _Parts) -> str:
    quote = "'" if style in {"exiftool", "immich"} else '"'
    renamed = {prefix: prefix for prefix in SPACES}
    if style == "hand":
        renamed |= {"dc": "purl", "photoshop": "ps", "tiff": "ns7"}
    blocks = _blocks(style, parts)
    about = chance.choice(["", "", "uuid:faf5bdd5-ba3d-11da-ad31-d33d75182f1b"])
    written = [_block(chance, rdf, renamed, block, (about, quote)) for block in blocks]
    comments = [
        f"\n <!-- {text} -->" for text in ("</rdf:RDF> is not here", "rdf:Description", "edited by hand")
    ]
    inner = "".join(block + (chance.choice(comments) if chance.random() < 0.2 else "") for block in written)
    toolkit = {
        "exiftool": "Image::ExifTool 12.57",
        "immich": "Image::ExifTool 13.00",
        "lightroom": "Adobe XMP Core 7.0-c000 1.000000",
    }.get(style, "XMP Core 4.4.0-Exiv2")
    last = chance.choice(["\n", "\n ", ""])
    text = (
        f"<x:xmpmeta xmlns:x={quote}adobe:ns:meta/{quote} x:xmptk={quote}{toolkit}{quote}>\n"
        f"<{rdf}:RDF xmlns:{rdf}={quote}{RDF}{quote}>{inner}{last}</{rdf}:RDF>\n</x:xmpmeta>"
    )
    if style in {"lightroom", "exiftool", "immich"} or chance.random() < 0.2:
        padding = chance.choice([0, 0, 20]) * (" " * 99 + "\n")
        text = (
            f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n{text}\n{padding}<?xpacket end="w"?>'
        )
    return text + chance.choice(["", "\n"])


def _blocks(style: str, parts: _Parts) -> list[_Parts]:
    """Put properties into one block, or one for each namespace, as exiftool does."""
    if style not in {"exiftool", "immich"}:
        return [parts]
    of: dict[str, _Parts] = {}
    for name, value in parts.elements:
        of.setdefault(name.partition(":")[0], _Parts()).elements.append((name, value))
    return list(of.values()) or [parts]


def _block(
    chance: random.Random, rdf: str, renamed: dict[str, str], parts: _Parts, form: tuple[str, str]
) -> str:
    about, quote = form

    def name_of(name: str) -> str:
        prefix, _, local = name.partition(":")
        return f"{renamed[prefix]}:{local}"

    used = {name.partition(":")[0] for name, _ in parts.attributes + parts.elements}
    if any("darktable:" in value for _, value in parts.elements):
        used.add("darktable")
    spaces = "".join(
        f"\n    xmlns:{renamed[prefix]}={quote}{SPACES[prefix]}{quote}" for prefix in sorted(used)
    )
    attributes = "".join(f'\n   {name_of(name)}="{value}"' for name, value in parts.attributes)
    head = f"\n <{rdf}:Description {rdf}:about={quote}{about}{quote}{spaces}{attributes}"
    if not parts.elements:
        return head + chance.choice(["/>", f">\n </{rdf}:Description>"])
    inner = "".join(f"\n  <{name_of(name)}>{value}</{name_of(name)}>" for name, value in parts.elements)
    return f"{head}>{inner}\n </{rdf}:Description>"
