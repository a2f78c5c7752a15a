"""Owns telling the kind of a file from its first bytes. Never decodes anything."""

from __future__ import annotations

HEAD_BYTES = 512
"""How many bytes `kind_of` needs; 32 are enough to recognise a picture."""

PICTURE = "picture"
VIDEO = "video"
RAW = "a camera raw file"
JPEG_XL = "a JPEG XL picture"

_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
"""TIFF, BigTIFF and most raw formats."""
_PICTURE_BRANDS = frozenset(b"heic heix heim heis hevc hevx hevm hevs mif1 msf1 avif avis".split())
_VIDEO_BRANDS = tuple(
    b"qt isom iso mp4 M4V avc1 3gp 3g2 dash f4v MSNV XAVC mmp4 F4V NDSC hvc1 hev1 av01 caqv kddi mqt piff ismv CAEP niko "
    b"pana".split()
)
# Old QuickTime files, from before ftyp existed, begin with one of these atoms.
_QUICKTIME_ATOMS = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}

_STARTS = (
    (b"\xff\xd8\xff", PICTURE),  # JPEG
    (b"\x89PNG\r\n\x1a\n", PICTURE),
    (b"GIF87a", PICTURE),
    (b"GIF89a", PICTURE),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", PICTURE),  # JPEG 2000
    (b"\xff\x4f\xff\x51", PICTURE),  # JPEG 2000 code stream
    (b"8BPS", PICTURE),  # Photoshop
    (b"FUJIFILMCCD-RAW", RAW),
    (b"IIU\x00", RAW),  # Panasonic
    (b"IIRO", RAW),  # Olympus
    (b"IIRS", RAW),
    (b"MMOR", RAW),
    (b"FOVb", RAW),  # Sigma
    (b"\x00MRM", RAW),  # Minolta
    (b"II\x1a\x00\x00\x00HEAPCCDR", RAW),  # Canon CRW
    (b"\xff\x0a", JPEG_XL),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", JPEG_XL),
    (b"\x1aE\xdf\xa3", VIDEO),  # Matroska, WebM
    (b"FLV\x01", VIDEO),
    (b"OggS", VIDEO),
    (b"\x00\x00\x01\xba", VIDEO),  # MPEG
    (b"\x00\x00\x01\xb3", VIDEO),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", VIDEO),  # Windows Media
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"Rar!", "a rar archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"bplist", "a property list"),
    (b"SQLite format 3", "a database"),
    (b"\xd0\xcf\x11\xe0", "an Office document"),
    (b"ID3", "a sound file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)


def kind_of(head: bytes) -> str | None:
    """Return the kind of a file that begins with `head`: PICTURE, VIDEO, RAW, another kind in words, or None."""
    brand = head[8:12]
    if head[4:8] == b"ftyp":
        if brand in _PICTURE_BRANDS:
            return PICTURE
        if brand == b"crx ":  # Canon CR3
            return RAW
        return VIDEO if brand.startswith(_VIDEO_BRANDS) else None
    if head[:4] == b"RIFF":
        return {b"WEBP": PICTURE, b"AVI ": VIDEO, b"WAVE": "a sound file"}.get(brand)
    if head.startswith(_TIFF):
        return RAW if brand[:2] == b"CR" else PICTURE
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0" and len(head) >= 26:
        return PICTURE
    if head[4:8] in _QUICKTIME_ATOMS:
        return VIDEO
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    return _text_kind(head)


def may_be_raw(head: bytes) -> bool:
    """Tell whether a file with a raw file's extension that begins with `head` can be one."""
    return kind_of(head) in {RAW, None} or head.startswith(_TIFF)


def _text_kind(head: bytes) -> str | None:
    try:
        text = head.decode("utf-8").lstrip("\ufeff \t\r\n")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # not only a character that the end of `head` cuts in two
            return None
        text = head[: error.start].decode("utf-8")
    if not text or any(ord(character) < 9 for character in text):
        return None
    lowered = text.lower()
    if "<svg" in lowered:
        return "an SVG drawing"
    if lowered.startswith(("<!doctype html", "<html")):
        return "a web page"
    return "text"
