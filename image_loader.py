"""Owns loading pictures: any photo file in, a clean upright RGB picture out. Never writes, never prints.

Captions, embeddings and thumbnails all load pictures in the same way. A photo may be hostile, so `decoding/` calls this
file in a child process.
"""

from __future__ import annotations

import errno
import os
import threading
import warnings
from contextlib import closing, nullcontext
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pillow_heif
from PIL import Image, UnidentifiedImageError

from errors import CorruptImageError, UnavailableImageError
from library import jpeg
from library.colours import to_rgb
from library.jpeg_xl import open_jpeg_xl
from library.memory import total_memory
from library.raw import open_raw
from library.reasons import why_not
from library.shapes import fit_for_models, fitted
from library.signatures import HEAD_BYTES, JPEG_XL, PICTURE, RAW, VIDEO, kind_of, may_be_raw
from library.upright import cropped, turn_of
from library.video import BYTES_PER_PIXEL as BYTES_PER_VIDEO_PIXEL
from library.video import Video
from library.walk import RAW_EXTENSIONS, VIDEO_EXTENSIONS, extension

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import BinaryIO

MAX_SIDE = 1024
"""Longer side, in pixels, of the pictures for backends; 768 to 1024 is usual for short captions."""
MEMORY_LIMIT = min(4 << 30, total_memory() // 2)
"""Bytes that decoding a picture may need: refuses decompression bombs, and lets a gigapixel panorama pass."""
LARGE = 256 << 20
"""Bytes. Larger pictures are decoded one at a time, so that several together cannot use up the memory."""

# Decoders that are safe for files of unknown origin. EPS is not among them: it would run a program.
_FORMATS = "JPEG PNG WEBP GIF TIFF BMP DIB PCX JPEG2000 AVIF HEIF ICO PSD PPM QOI".split()
# Measured at the peak. RGB and similar modes are scaled directly. Other modes are first converted in full size, and some
# formats decode into extra buffers.
_BYTES_PER_PIXEL = {"L": 1, "1": 6, "P": 10, "I;16": 13, "I;16B": 13, "I;16L": 13, "I": 17, "F": 17}
_BYTES_PER_PIXEL_OF_FORMAT = {"HEIF": 8, "AVIF": 8, "WEBP": 16, "JPEG2000": 20, "JXL": 12, "RAW": 10}
_DNG_VERSION, _NEW_SUBFILE_TYPE, _SUB_IFDS = 50706, 254, 330
_RAW_BEGINNING = 1 << 20
"""Bytes of a raw file in which its date and place stand."""
_large_lock = threading.Lock()

Image.init()  # `open(formats=...)` knows only the formats that are loaded
pillow_heif.register_heif_opener(decode_threads=1)  # photos are decoded in parallel: one core each
# Pillow's own limit, by pixel count, refuses real 200-megapixel phone photos; MEMORY_LIMIT replaces it.
Image.MAX_IMAGE_PIXELS = None


class Beginning(bytes):
    """The beginning of a video or raw file; of the rest, which can be huge, only what is needed is read while it is decoded."""


def load_image(
    path: str | os.PathLike[str],
    max_side: int = MAX_SIDE,
    *,
    large: AbstractContextManager[object] = _large_lock,
) -> Image.Image:
    """Return the photo as RGB, upright, at most `max_side` pixels on its longer side, without any metadata.

    A thin or tiny one is enlarged and padded, as `fit_for_models` does. The picture carries the file's base name as
    `filename`, for the mock. `large` is held while a picture that needs more than `LARGE` bytes is decoded.

    Raises:
        UnavailableImageError: the file is gone or could not be read this time.
        CorruptImageError: there is no picture in it that can be decoded.
    """
    image = fit_for_models(decode(read_file(path), path, max_side, large=large), max_side)
    image.filename = os.path.basename(os.fspath(path))  # type: ignore[attr-defined]
    return image


def sent_size(path: str | os.PathLike[str], max_side: int = MAX_SIDE) -> tuple[int, int] | None:
    """Return the size that `load_image` gives the photo, before turning it upright, from the header alone.

    None if there is no picture in it, or it cannot be read now.
    """
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = kind_of(file.read(HEAD_BYTES))
            image = _open(file, path, kind)
            _draft(image, max_side)
            return fitted(image.size, max_side)[1]
    except Exception:  # noqa: BLE001 - any type can come out of a decoder
        return None


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Return the file's bytes. Reading is separate from decoding, so that disk errors do not count as damage.

    Of a video or raw file only the `Beginning` is returned.

    Raises:
        UnavailableImageError: the file is gone or could not be read this time.
        CorruptImageError: there is no permission to read it, or it is larger than any picture.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
            kind = kind_of(head)
            if _is_video(kind, path):
                return Beginning(head)
            if kind == RAW or (extension(os.fspath(path)) in RAW_EXTENSIONS and may_be_raw(head)):
                return Beginning(head + file.read(_RAW_BEGINNING))
            if os.fstat(file.fileno()).st_size > MEMORY_LIMIT:
                raise CorruptImageError(path, f"too large: a file of over {MEMORY_LIMIT / 1e9:.1f} GB")
            return head + file.read()
    except OSError as error:
        raise _unreadable(path, error) from error
    except MemoryError as error:
        raise UnavailableImageError(path, "not enough memory to read it") from error


def _unreadable(path: str | os.PathLike[str], error: OSError) -> CorruptImageError:
    reason = error.strerror or type(error).__name__
    if isinstance(error, PermissionError | IsADirectoryError):
        return CorruptImageError(path, reason)
    return UnavailableImageError(path, reason, gone=error.errno in {errno.ENOENT, errno.ENOTDIR})


def decode(
    data: bytes,
    path: str | os.PathLike[str],
    max_side: int,
    *,
    large: AbstractContextManager[object],
    videos: bool = False,
) -> Image.Image:
    """Decode a file's bytes as `load_image` does, but for `fit_for_models`; `path` is used for its extension and in errors.

    Where `data` are only the `Beginning`, the rest is read from there. With `videos` a video's still frame is its picture.

    Raises:
        CorruptImageError: there is no picture in it that can be decoded.
        UnavailableImageError: there is too little memory now, or the rest could not be read this time.
    """
    is_whole = not isinstance(data, Beginning)
    kind = kind_of(data[:HEAD_BYTES])
    if _is_video(kind, path):
        if not videos:
            raise CorruptImageError(path, VIDEO)
        return _still(path, max_side, large)
    need = 0
    compression = ""
    try:
        with BytesIO(data) if is_whole else open(path, "rb") as file:
            image = _open(file, path, kind)
            compression = str(image.info.get("compression", ""))
            full_size = image.size
            _draft(image, max_side)
            need = _memory_need(image, full_size)
            with _room(path, image.size, need, large):
                return _finish(_loaded(image, path, max_side), data, max_side)
    except CorruptImageError:
        raise
    except MemoryError as error:
        if need > LARGE:
            raise CorruptImageError(
                path, f"too large: it needs more than {MEMORY_LIMIT / 1e9:.1f} GB to decode"
            ) from error
        raise UnavailableImageError(path, "not enough memory to decode it") from error
    except Exception as error:  # any type can come out of a decoder
        if not is_whole:
            _read_through(path)
        raise CorruptImageError(path, why_not(error, data, kind, compression)) from error


def _read_through(path: str | os.PathLike[str]) -> None:
    """Raise UnavailableImageError if the disk and not the file is what is damaged: LibRaw does not tell them apart."""
    try:
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 20):
                pass
    except OSError as error:
        raise _unreadable(path, error) from error


def _is_video(kind: str | None, path: str | os.PathLike[str]) -> bool:
    """Tell by the first bytes, or where they say nothing by the extension."""
    return kind == VIDEO or (kind is None and extension(os.fspath(path)) in VIDEO_EXTENSIONS)


def _still(path: str | os.PathLike[str], max_side: int, large: AbstractContextManager[object]) -> Image.Image:
    try:
        with open(path, "rb") as file, closing(Video(file)) as video:
            need = video.size[0] * video.size[1] * BYTES_PER_VIDEO_PIXEL
            with _room(path, video.size, need, large):
                return video.still(max_side)
    except OSError as error:
        raise _unreadable(path, error) from error
    except MemoryError as error:
        raise UnavailableImageError(path, "not enough memory to decode it") from error
    except ModuleNotFoundError as error:
        raise UnavailableImageError(path, "the package for videos (av) is missing on this machine") from error
    except CorruptImageError:
        raise
    except Exception as error:  # any type can come out of a decoder
        raise CorruptImageError(path, str(error) or f"damaged video: {type(error).__name__}") from error


def _room(
    path: str | os.PathLike[str], size: tuple[int, int], need: int, large: AbstractContextManager[object]
) -> AbstractContextManager[object]:
    """Return what to hold while a picture of this size is decoded, which takes `need` bytes.

    Raises:
        CorruptImageError: no machine like this has as much.
    """
    if need > MEMORY_LIMIT:
        pixels = f"{size[0]:,} x {size[1]:,} pixels"
        raise CorruptImageError(path, f"too large: {pixels} would need {need / 1e9:,.1f} GB to decode")
    return large if need > LARGE else nullcontext()


def _open(file: BinaryIO, path: str | os.PathLike[str], kind: str | None) -> Image.Image:
    """Return the picture in a file that begins as `kind` does, not yet decoded."""
    file.seek(0)
    if kind == JPEG_XL:
        return open_jpeg_xl(file.read())
    if kind == RAW:
        return open_raw(file)
    ending = extension(os.fspath(path))
    # TGA has no signature, so only the extension tells it.
    formats = [*_FORMATS, "TGA"] if ending == "tga" else _FORMATS
    try:
        image = Image.open(file, formats=formats)
    except UnidentifiedImageError:
        if ending not in RAW_EXTENSIONS or kind not in {None, PICTURE}:
            raise
    else:
        if not _is_raw_thumbnail(image, path):
            return image
    file.seek(0)
    return open_raw(file)


def _draft(image: Image.Image, max_side: int) -> None:
    """Let libjpeg scale by 2, 4 or 8 while it decodes. Down to 90 % of `max_side`, no more scaling is needed."""
    if image.format not in {"JPEG", "MPO"}:
        return
    for scale in (8, 4, 2):
        if max(image.size) / scale >= 0.9 * max_side:
            image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))
            return


def _memory_need(image: Image.Image, full_size: tuple[int, int]) -> int:
    """Return the bytes that decoding needs at its peak; `full_size` is the size before `_draft`."""
    per_pixel = _BYTES_PER_PIXEL_OF_FORMAT.get(image.format or "", _BYTES_PER_PIXEL.get(image.mode, 4))
    need = image.width * image.height * per_pixel
    if image.info.get("progressive"):
        need += full_size[0] * full_size[1] * 6  # libjpeg keeps all coefficients until the last scan
    return need


def _is_raw_thumbnail(image: Image.Image, path: str | os.PathLike[str]) -> bool:
    """Tell whether this is the preview of a raw file, which looks like a TIFF."""
    if image.format != "TIFF":
        return False
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    return (
        extension(os.fspath(path)) in RAW_EXTENSIONS
        or _DNG_VERSION in tags
        # A TIFF page flagged as a reduced-size image is a preview, unless it is the only page.
        or (_as_int(tags.get(_NEW_SUBFILE_TYPE)) & 1 == 1 and (_SUB_IFDS in tags or image.n_frames > 1))  # type: ignore[attr-defined]
    )


def _as_int(value: object) -> int:
    return value if isinstance(value, int) else 0


def _loaded(image: Image.Image, path: str | os.PathLike[str], max_side: int) -> Image.Image:
    """Return the picture with its pixels. A JPEG is judged by those that are there, not by its end mark.

    Raises:
        CorruptImageError: too much of a JPEG is missing.
    """
    if image.format not in {"JPEG", "MPO"}:
        image.load()  # only once: a second load of a damaged picture can succeed
        return image
    data: bytes = image.fp.getvalue()  # type: ignore[attr-defined]  # of a raw file, those of the preview
    exif = image._exif  # noqa: SLF001 - where it has been set, it says how to turn that preview
    errors: list[OSError] = []
    for reading in jpeg.readings(data):
        try:
            if reading is not data:
                image = Image.open(BytesIO(reading), formats=["JPEG"])
                image._exif = exif  # noqa: SLF001
                _draft(image, max_side)
            image.load()
            break
        except OSError as error:  # Pillow wants an end mark, or has met damage behind the picture
            errors.append(error)
    else:
        raise errors[0]
    share = jpeg.missing(image, reading)
    if share > jpeg.MOST_MISSING:
        raise CorruptImageError(path, f"cut short: {share:.0%} of the picture is missing")
    return image


def _finish(image: Image.Image, data: bytes, max_side: int) -> Image.Image:
    turn = turn_of(image, data)
    picture = to_rgb(_scaled(cropped(image, data), max_side))
    if turn is not None:
        picture = picture.transpose(turn)
    if picture.info or type(picture) is not Image.Image:
        picture = picture.copy()  # a plain picture, without what the format's own class holds
        picture.info = {}
    return picture


def _scaled(image: Image.Image, max_side: int) -> Image.Image:
    longer = max(image.size)
    if longer <= max_side:
        return image
    if (
        image.mode not in {"RGB", "RGBA", "L", "LA", "CMYK", "LAB", "YCbCr", "RGBX"}
        or "transparency" in image.info
    ):
        image = to_rgb(image)
    size = (max(1, round(image.width * max_side / longer)), max(1, round(image.height * max_side / longer)))
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
