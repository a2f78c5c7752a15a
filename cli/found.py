"""Owns what becomes of photos that were found: a page to look at them, and a folder of links to them."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import unicodedata
import webbrowser
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from cli.selection import lies_in
from cli.words import count
from errors import StopRunError
from library.dates import Date
from library.walk import VIDEO_EXTENSIONS, Photo, extension
from report.build import Report, odd_links, photos_link
from report.events import Event
from report.files.albums import export_found
from report.files.page import PAGE, write_page
from report.files.table import Row
from report.files.thumbnails import make_pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report.files.thumbnails import Picture
    from search.find import Found

_PAGES = 10
"""Pages of earlier searches that are kept."""
_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


def link_photos(found: Sequence[Found], title: str, photos_dir: Path, folder: Path) -> str:
    """Make a folder of links to the photos; return a sentence about it.

    Raises:
        StopRunError: the folder cannot be written, or it lies among the photos.
    """
    if lies_in(folder, photos_dir):
        raise StopRunError(
            f"{folder} lies in the photos folder, where links would be taken for the library's: give --links a folder outside."
        )
    there = [photo.path for photo in _photos(found, photos_dir) if os.path.exists(photo.path)]
    done = export_found(folder, title, map(os.path.abspath, there), "--links")
    gone = len(found) - len(there)
    missing = f" {count(gone, 'photo')} of those found {'is' if gone == 1 else 'are'} gone." if gone else ""
    return f"Links in {folder}: {count(len(there), 'photo')} ({done.made:,} made, {done.removed:,} removed).{missing}"


def show_page(found: Sequence[Found], title: str, photos_dir: Path, own: Path) -> Path:
    """Write a page of the photos below the folder `own`, or below the temporary one; open it where there is a browser.

    Raises:
        StopRunError: the page cannot be written, or packages are missing.
    """
    # Among the photos its pictures would be taken for the library's.
    folder = _temporary() if lies_in(own, photos_dir) else _folder(own, title)
    photos = _photos(found, photos_dir)
    pictures = make_pictures(photos, folder, folder / ".cache")
    rows = [_row(one, picture) for one, picture in zip(found, pictures, strict=True)]
    report = Report(
        rows,
        events=[Event(1, f"Found: {title}", None, None, (), tuple(range(len(rows))))],
        pictures=pictures,
        videos=frozenset(photo.rel_path for photo in photos if photo.is_video),
        summary=f"The {count(len(rows), 'photo')} that fit best",
        method=f"Found by: {title}",
        link=photos_link(photos_dir, folder),
        odd=odd_links(photos, photos_dir),
        start="#event=1",
    )
    write_page(report, folder)
    page = folder / PAGE
    if sys.platform == "darwin" or any(os.environ.get(name) for name in _SCREENS):
        with suppress(webbrowser.Error):
            webbrowser.open(page.absolute().as_uri())
    return page


def _photos(found: Sequence[Found], photos_dir: Path) -> list[Photo]:
    """Return the photos as files; on a disk that tells spellings apart, a name may have its accents apart."""
    photos = []
    for one in found:
        name = one.photo.path
        path = os.path.join(photos_dir, name)
        apart = os.path.join(photos_dir, unicodedata.normalize("NFD", name))
        is_apart = not os.path.lexists(path) and os.path.lexists(apart)
        is_video = extension(name) in VIDEO_EXTENSIONS
        photos.append(Photo(name, apart if is_apart else path, is_video))
    return photos


def _row(one: Found, picture: Picture) -> Row:
    moment, caption = picture.moment, one.photo.caption
    row = Row(
        one.photo.path, None, "", caption or "", "caption" if caption else "none", None, None, None, None
    )
    if not moment.at:
        return row
    return row._replace(
        taken_at=str(Date(moment.at, moment.precision)),
        taken_from=moment.source,
        taken_precision=moment.precision,
    )


def _folder(own: Path, title: str) -> Path:
    """Return a folder for the page of this search; the oldest pages go."""
    try:
        pages = own / "pages"
        pages.mkdir(parents=True, exist_ok=True)
        others = sorted(pages.iterdir(), key=lambda page: page.stat().st_mtime, reverse=True)
        folder = pages / sha256(title.encode("utf-8", "replace")).hexdigest()[:12]
        folder.mkdir(exist_ok=True)
        for page in [page for page in others if page != folder][_PAGES - 1 :]:
            shutil.rmtree(page, ignore_errors=True)
    except OSError:
        return _temporary()
    return folder


def _temporary() -> Path:
    return Path(tempfile.mkdtemp(prefix="found-"))
