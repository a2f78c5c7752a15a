"""Owns where photo programs keep originals, and where their previews and copies: data, each with its source.

A folder counts only where it is such a program's for certain: by the extension of its library, or by a marker that the program
writes. A family's own folder `thumbs` stays. What hides itself, as Picasa's `.picasaoriginals`, is left out by every walk, and
what is no picture by its extension needs no line here: caches of Capture One (`.cot`, `.cop`), previews of Lightroom (`.lrprev`),
the thumbnails of digiKam and darktable.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase, translate
from glob import escape, glob
from typing import NamedTuple


class Library(NamedTuple):
    """A library that is one folder with an extension.

    Attributes:
        extension: of the folder, in lower case.
        originals: the folders in it that hold photos, as globs; without any, it holds none.
        source: where this is said.
    """

    extension: str
    originals: tuple[str, ...]
    source: str


class Copies(NamedTuple):
    """Folders that hold no originals.

    Attributes:
        folders: their names, as globs in lower case.
        markers: what lies beside them, all of it; `{}` is the folder's name.
        source: where this is said.
    """

    folders: tuple[str, ...]
    markers: tuple[str, ...]
    source: str


# What is left out: of Photos `resources` (previews, edited copies, pictures of shared albums) and `scopes` (what others sent);
# of the older programs `Previews`, `Modified` and `Thumbnails`.
_IPHOTO = "http://www.fatcatsoftware.com/iplm/Help/iphoto%20library%20internals.html"
_APERTURE = "https://github.com/search?q=%22.aplibrary%2FMasters%22&type=code (programs that read Aperture 3's libraries)"
LIBRARIES = (
    Library("photoslibrary", ("originals", "Masters"), "https://www.tonkata.com/posts/apple-photos/"),
    Library("photolibrary", ("Masters", "Originals"), _IPHOTO),
    Library(
        "migratedphotolibrary",
        ("Masters", "Originals"),
        "https://fileinfo.com/extension/migratedphotolibrary",
    ),
    Library("aplibrary", ("Masters",), _APERTURE),
    Library("migratedaplibrary", ("Masters",), "https://fileinfo.com/extension/migratedaplibrary"),
    Library("lrlibrary", ("originals", "*/originals"), "https://fileinfo.com/extension/lrlibrary"),
    Library("lrdata", (), "https://insider.kelbyone.com/keeping-lightroom-files-in-check-by-rob-sylvan/"),
    Library("lrcat-data", (), "https://www.arnoldfoto.no/section532270_381024.html"),
    Library("cocatalog", ("Originals",), "https://support.captureone.com/hc/en-us/articles/360003108698"),
)
_IMMICH = ("thumbs", "encoded-video", "profile", "backups")
_PHOTOPRISM = ("cache", "sidecar")
COPIES = (
    Copies(_IMMICH, ("{}/.immich",), "https://docs.immich.app/administration/system-integrity"),
    # Before there was the marker.
    Copies(_IMMICH, ("thumbs", "encoded-video"), "https://github.com/immich-app/immich/releases/tag/v1.52.0"),
    Copies(
        _PHOTOPRISM,
        (".ppstorage",),
        "https://github.com/photoprism/photoprism, internal/config/config_storage.go",
    ),
    Copies(_PHOTOPRISM, ("cache/thumbnails",), "https://docs.photoprism.app/user-guide/backups/folders"),
    Copies(("appdata_*",), (".ncdata",), "https://github.com/nextcloud/server, config/config.sample.php"),
    Copies(("appdata_*",), (".ocdata",), "as the line before: Nextcloud up to 30"),
    # A library of iPhoto that is a plain folder.
    Copies(
        ("data", "data.noindex", "modified", "previews", "thumbnails", "ipod photo cache"),
        ("AlbumData.xml",),
        _IPHOTO,
    ),
)
_COPIES = re.compile("|".join(translate(folder) for copies in COPIES for folder in copies.folders))
_BY_EXTENSION = {library.extension: library for library in LIBRARIES}


def originals(folder: str) -> list[str] | None:
    """Return the paths of the folders of originals, if `folder` is the library of a photo program; None for any other folder.

    Also None where a library has none of the folders that it should have: better too many photos than none.
    """
    library = _BY_EXTENSION.get(folder.rpartition(".")[2].lower())
    if library is None:
        return None
    found = [path for pattern in library.originals for path in glob(f"{escape(folder)}/{pattern}")]
    return found if found or not library.originals else None


def holds_copies(parent: str, name: str) -> bool:
    """Tell whether the folder `name` in `parent` holds no originals, by its name and what lies beside it."""
    lowered = name.lower()
    if not _COPIES.match(lowered):
        return False
    return any(
        all(os.path.exists(os.path.join(parent, marker.format(name))) for marker in copies.markers)
        for copies in COPIES
        if any(fnmatchcase(lowered, pattern) for pattern in copies.folders)
    )
