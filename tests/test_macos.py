"""macOS, simulated on Linux: what its Python lacks, and how its disk takes names. A Mac was never asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

import pytest

from tests.conftest import PATIENCE, ROOT, Product, draw, wait_for

EXAMPLES = ROOT / "examples" / "photos"
LACKING = r"""
import builtins, ctypes, fcntl, io, os, resource, select, signal, socket, sys, sysconfig

# What typeshed knows of Python on a Mac that this project or the standard library might reach for.
GONE = {
    os: "sched_ memfd_ pipe2 posix_fadvise posix_fallocate fdatasync getrandom splice eventfd EFD_ MFD_ getxattr setxattr "
    "listxattr removexattr copy_file_range getres setres pidfd_open O_TMPFILE O_DIRECT O_PATH O_NOATIME O_LARGEFILE",
    resource: "prlimit RLIMIT_OFILE RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RT RLIMIT_SIGPENDING RUSAGE_THREAD",
    signal: "pidfd_send_signal sigtimedwait sigwaitinfo SIGCLD SIGPOLL SIGPWR SIGRT SIGSTKFLT",
    select: "epoll EPOLL",
    socket: "SOCK_CLOEXEC SOCK_NONBLOCK AF_NETLINK",
    fcntl: "F_ADD_SEALS F_GET_SEALS F_OFD_ F_SETPIPE_SZ F_GETPIPE_SZ",
}
for module, names in GONE.items():
    for name in [name for name in vars(module) if name.startswith(tuple(names.split()))]:
        delattr(module, name)


def note(what):
    with real_open(os.environ["MET"], "a") as file:
        file.write(what + "\n")


def refuse(*_):
    note("setrlimit")
    raise ValueError("current limit exceeds maximum limit")


def control(descriptor, command, *rest):
    if command != 51:
        return real_control(descriptor, command, *rest)
    note("F_FULLFSYNC")
    os.fsync(descriptor)
    return 0


def hidden(real):
    def ask(path=".", *arguments, **options):
        if isinstance(path, str | bytes | os.PathLike):
            text = os.path.abspath(os.fsdecode(path)) + "/"
            if text.startswith(("/proc/", "/sys/", "/dev/shm/")):
                raise FileNotFoundError(2, "No such file or directory", text)
        return real(path, *arguments, **options)

    return ask


class Library(ctypes.CDLL):
    def __getattr__(self, name):
        if name in {"malloc_trim", "prctl", "memfd_create"}:
            raise AttributeError(name)
        return super().__getattr__(name)


real_control, fcntl.fcntl, fcntl.F_FULLFSYNC = fcntl.fcntl, control, 51
real_open = open
resource.setrlimit = refuse
ctypes.CDLL = Library
builtins.open = io.open = hidden(open)
for name in ("open", "stat", "lstat", "listdir", "scandir", "readlink", "access"):
    setattr(os, name, hidden(getattr(os, name)))
kernel = os.uname()
os.uname = lambda: type(kernel)(("Darwin", kernel.nodename, "23.6.0", "Darwin", "arm64"))
sysconfig.get_config_vars()  # from a file that is named after the real system
import urllib.request  # there it needs a module that only a Mac has
sys.platform = "darwin"
"""
DISK = r"""
import builtins, io, os, unicodedata


def key(name):
    return unicodedata.normalize("NFD", os.fsdecode(name)).casefold()


def found(path):
    # The path as the names on the disk are, each part of it in any case and spelling; a part that is not there stays.
    real, parts = "/", os.path.abspath(os.fsdecode(path)).strip("/").split("/")
    for place, part in enumerate(parts):
        way = os.path.join(real, part)
        if not real_exists(way):
            try:
                names = real_listdir(real)
            except OSError:
                names = []
            way = next((os.path.join(real, name) for name in names if key(name) == key(part)), None)
            if way is None:
                return os.path.join(real, *parts[place:])
        real = way
    return real


def real_exists(path):
    try:
        real_lstat(path)
    except OSError:
        return False
    return True


def on_disk(real):
    def ask(path, *arguments, **options):
        if isinstance(path, str | os.PathLike) and key(path).startswith(key(DISK)):
            path = found(path)
        return real(path, *arguments, **options)

    return ask


class Entry:
    # What a folder lists has the names of the disk and the path that was asked for.
    def __init__(self, entry, folder):
        self.real, self.name, self.path = entry, entry.name, os.path.join(folder, entry.name)

    def __getattr__(self, name):
        return getattr(self.real, name)

    def __fspath__(self):
        return self.path


class Scan:
    def __init__(self, scan, folder):
        self.scan, self.folder = scan, folder

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.scan.close()

    def __iter__(self):
        return (Entry(entry, self.folder) for entry in self.scan)


DISK = os.environ["DISK"]
real_lstat, real_listdir, real_scandir = os.lstat, os.listdir, os.scandir
builtins.open = io.open = on_disk(open)
for name in ("open", "stat", "lstat", "listdir", "readlink", "access", "mkdir", "unlink"):
    setattr(os, name, on_disk(getattr(os, name)))
seen = on_disk(os.scandir)
os.scandir = lambda path=".": Scan(seen(path), os.fspath(path))
"""
"""A disk such as a Mac's, below the folder DISK: it takes a name in any case and spelling, and lists it as it was made."""


@pytest.fixture
def mac(product: Product, tmp_path: Path) -> Product:
    """The product where Python is as on a Mac, over the example photos; the file `met` notes what it met."""
    shim(product, tmp_path, LACKING)
    product.env["MET"] = str(tmp_path / "met")
    product.photos = EXAMPLES
    return product


def shim(product: Product, tmp_path: Path, text: str) -> None:
    """Run `text` at the start of every Python that the product starts, itself included."""
    (tmp_path / "shim").mkdir(exist_ok=True)
    (tmp_path / "shim" / "sitecustomize.py").write_text(text)
    product.env["PYTHONPATH"] = str(tmp_path / "shim")


def report(product: Product, *arguments: str, code: int = 0) -> str:
    """Run the report over the library; return what it said."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "cluster_report.py"), "--photos-dir", str(product.photos),
         "--embedder", "pixels", *arguments],
        cwd=product.folder, env=product.env, capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stderr


def markdown_links(product: Product) -> set[bytes]:
    """Return where the links of the Markdown lead: paths as bytes, which exist."""
    text = (product.folder / "cluster_report.md").read_text()
    links = {unquote_to_bytes(link) for link in re.findall(r"\]\(([^)]*)\)", text)}
    assert links
    for link in links:
        assert os.path.exists(os.path.join(os.fsencode(product.folder), link)), link
    return links


def page_data(product: Product) -> dict[str, Any]:
    text = (product.folder / "cluster_report.html").read_text()
    found = re.search(r'<script[^>]*id="data"[^>]*>(.*?)</script>', text, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


# --- what Python on a Mac lacks ---------------------------------------------------------------------------------------


def test_a_whole_run(mac: Product, tmp_path: Path) -> None:
    said = mac.run()
    assert sum(record["status"] == "success" for record in mac.lines()) == 11
    assert "1 error (1 error_corrupt), 1 video" in said
    assert "resource_tracker" not in said
    met = (tmp_path / "met").read_text().split()
    assert "setrlimit" in met, "the decoding children were as on a Mac, too"
    assert met.count("F_FULLFSYNC") > 1, "the platter has it, not only the drive's memory"
    mac.journal.write_bytes(mac.journal.read_bytes() * 2)
    mac.call("compact")
    mac.call("stats", "--photos-dir", str(EXAMPLES))
    assert mac.line_count() == 13


def test_a_whole_report(mac: Product) -> None:
    mac.run()
    said = report(mac, "--export-albums", str(mac.folder / "albums"))
    assert "13 files, " in said
    assert "resource_tracker" not in said
    assert len(markdown_links(mac)) >= 10
    assert any((mac.folder / "albums").rglob("*.JPG"))


# --- how its disk takes names -----------------------------------------------------------------------------------------


@pytest.fixture
def insensitive(product: Product, tmp_path: Path) -> Product:
    """The product with its photos on a disk such as a Mac's."""
    shim(product, tmp_path, DISK)
    product.env["DISK"] = str(product.photos)
    return product


Form = Literal["NFC", "NFD"]


def spelled(form: Form) -> set[str]:
    """Return the names of `accents`, in this Unicode form."""
    return {unicodedata.normalize(form, name) for name in ("Zoë/é.jpg", "Zoë/plain.jpg", "한국.png")}


@pytest.fixture(params=["NFC", "NFD"])
def accents(request: pytest.FixtureRequest, product: Product) -> Form:
    """A library with names on the disk in this form."""
    product.photos = product.photos.with_name("accents")
    for shade, name in enumerate(sorted(spelled(request.param))):
        draw(product.photos / name, shade=shade * 80)
    form: Form = request.param
    return form


@pytest.mark.parametrize("other", ["NFC", "NFD"])
def test_a_journal_from_a_system_that_spells_otherwise(product: Product, accents: Form, other: Form) -> None:
    """Whatever form another program wrote: no photo is captioned again, and links lead to the names on the disk."""
    lines = [{"rel_path": name, "caption": f"It is {name}.", "status": "success", "model": "openai/x"}
             for name in sorted(spelled(other))]  # fmt: skip
    product.journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    before = product.journal.read_bytes()
    assert "Skipping 3 already processed (3 success, 0 errors)" in product.run()
    assert product.journal.read_bytes() == before
    assert "Done: 3 of 3 photos" in product.call("stats", "--photos-dir", str(product.photos)).stdout
    assert "3 captioned, 0 errors" in report(product)
    assert markdown_links(product) == {f"../accents/{name}".encode() for name in spelled(accents)}


def test_links_of_the_page_lead_to_the_names_on_the_disk(product: Product, accents: Form) -> None:
    stray = Path(os.fsdecode(os.path.join(os.fsencode(product.photos), b"stray \xff.jpg")))
    stray.write_bytes((product.photos / unicodedata.normalize(accents, "Zoë/é.jpg")).read_bytes())
    product.run()
    report(product)
    data = page_data(product)
    ways = {unquote_to_bytes(way) for way in data["odd"].values()}
    assert ways == {b"stray \xff.jpg", *(name.encode() for name in spelled("NFD") if accents == "NFD")}
    for way in ways:
        assert os.path.exists(os.path.join(os.fsencode(product.photos), way))
    assert b"../accents/stray \xff.jpg" in markdown_links(product)


def test_a_folder_and_a_photo_that_are_listed_in_another_case(insensitive: Product) -> None:
    """Renamed in case alone, and the folder given in yet another one: nothing is captioned again, nothing reported twice."""
    draw(insensitive.photos / "Trip" / "é.jpg")
    insensitive.run()
    report(insensitive)
    before = insensitive.journal.read_bytes()
    groups = (insensitive.folder / "cluster_export.csv").read_text()
    (insensitive.photos / "Trip").rename(insensitive.photos / "TRIP")
    (insensitive.photos / "cover.bmp").rename(insensitive.photos / "COVER.BMP")
    (insensitive.photos / "2024" / "Screenshot 1.png").rename(
        insensitive.photos / "2024" / "SCREENSHOT 1.PNG"
    )
    folder = str(insensitive.photos)
    insensitive.photos = Path(folder.replace("/photos", "/PHOTOS"))
    assert "Skipping 13 already processed (11 success, 1 errors, 1 videos)" in insensitive.run()
    assert insensitive.journal.read_bytes() == before
    assert (
        "Done: 13 of 13 photos" in insensitive.call("stats", "--photos-dir", str(insensitive.photos)).stdout
    )
    said = report(insensitive)
    assert "gone" not in said
    assert (insensitive.folder / "cluster_export.csv").read_text() == groups
    ways = {unquote_to_bytes(way).decode() for way in page_data(insensitive)["odd"].values()}
    assert ways == {"COVER.BMP", "2024/SCREENSHOT 1.PNG", "TRIP/é.jpg"}


def test_the_journal_in_another_case_and_spelling(insensitive: Product) -> None:
    insensitive.env["DISK"] = str(insensitive.folder)
    insensitive.run("--captions-jsonl", "zo\u00eb.jsonl", "--limit", "3")
    other = "ZOE\u0308.jsonl"
    assert "Skipping 3 already processed" in insensitive.run("--captions-jsonl", other)
    assert [path.name for path in insensitive.folder.glob("*.jsonl")] == ["zo\u00eb.jsonl"]
    process = insensitive.start("--captions-jsonl", "zo\u00eb.jsonl", "--force", "--mock-latency", "1")
    wait_for(lambda: bool(list(insensitive.folder.glob("*.bak"))))
    assert "Another run is writing" in insensitive.run("--captions-jsonl", other, code=1)
    process.terminate()
    insensitive.finish(process)


def test_another_case_is_another_photo_where_the_disk_says_so(product: Product) -> None:
    product.run()
    (product.photos / "cover.bmp").unlink()
    draw(product.photos / "COVER.BMP", shade=200)
    product.run()
    assert {"cover.bmp", "COVER.BMP"} <= set(product.records())


def test_a_report_among_the_photos_is_refused_in_another_case_too(insensitive: Product) -> None:
    out = str(insensitive.photos).replace("/photos", "/Photos") + "/report"
    assert "give --out-dir a folder outside" in report(insensitive, "--out-dir", out, code=1)
    assert not (insensitive.photos / "report").exists()
