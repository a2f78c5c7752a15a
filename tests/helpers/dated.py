"""Photos and files beside them that say when and where they were taken, made on the spot."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin
from PIL.ExifTags import GPS, IFD, Base

Tags = dict[Any, Any]
BERLIN: Tags = {
    GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (52.0, 31.0, 12.0), GPS.GPSLongitudeRef: "E", GPS.GPSLongitude: (13.0, 24.0, 18.0),
}  # fmt: skip


def photo(
    kind: str = "JPEG",
    *,
    taken: str = "",
    camera: str = "",
    gps: Tags | None = None,
    shade: int = 90,
    **options: Any,
) -> bytes:
    """Return a small picture; `taken` is its EXIF's DateTimeOriginal."""
    exif = Image.Exif()
    if taken:
        exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = taken
    if camera:
        exif[Base.Model] = camera
    if gps:
        exif.get_ifd(IFD.GPSInfo).update(gps)
    if taken or camera or gps:
        options["exif"] = exif.tobytes()
    file = BytesIO()
    Image.new("RGB", (64, 48), (shade % 256, 120, shade // 256)).save(file, kind, **options)
    return file.getvalue()


def xmp(inner: str = "", **attributes: str) -> bytes:
    """Return an XMP packet; keywords are properties, with `_` for the colon: `exif_DateTimeOriginal`."""
    spelled = "".join(f' {name.replace("_", ":", 1)}="{value}"' for name, value in attributes.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        f'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"{spelled}>{inner}</rdf:Description></rdf:RDF></x:xmpmeta>\n'
        '<?xpacket end="w"?>'
    ).encode()


def iptc(**datasets: str) -> bytes:
    """Return the segment of a JPEG with IPTC's datasets, such as `d55="20190712"`."""
    said = b"".join(
        b"\x1c\x02" + bytes([int(name[1:])]) + len(text).to_bytes(2, "big") + text.encode()
        for name, text in datasets.items()
    )
    resource = b"8BIM\x04\x04\0\0" + len(said).to_bytes(4, "big") + said + bytes(len(said) % 2)
    body = b"Photoshop 3.0\0" + resource
    return b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body


def png(texts: dict[str, str], *, behind: bool = False) -> bytes:
    """Return a PNG with texts, before its pixels or behind them."""
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        if key.startswith("XML"):
            info.add_itxt(key, text)
        else:
            info.add_text(key, text, zip=len(key) % 2 == 1)
    whole = photo("PNG", pnginfo=info)
    if not behind:
        return whole
    start, end = whole.index(b"IHDR") + 21, whole.index(b"IDAT") - 4
    return whole[:start] + whole[end:-12] + whole[start:end] + whole[-12:]


def takeout(timestamp: object = 1562941800, place: tuple[float, float] = (0.0, 0.0), **more: Any) -> str:
    """Return the JSON of Google Takeout; 1562941800 is 12 July 2019, 14:30 in UTC."""
    latitude, longitude = place
    return json.dumps(
        {
            "title": "any.jpg",
            "creationTime": {"timestamp": "1600000000", "formatted": "Sep 13, 2020, 12:26:40 PM UTC"},
            "photoTakenTime": {"timestamp": str(timestamp), "formatted": "Jul 12, 2019, 2:30:00 PM UTC"},
            "geoData": {"latitude": latitude, "longitude": longitude, "altitude": 0.0},
            **more,
        }
    )


def put(path: Path, content: bytes | str) -> Path:
    """Write a file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
