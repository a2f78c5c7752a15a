"""Owns the plain words for why there is no picture in a file."""

from __future__ import annotations

from PIL import UnidentifiedImageError

from library.signatures import PICTURE

_NO_RAW_DECODER = "camera raw file: no decoder for it on this machine; export it as JPEG to have it captioned"


def why_not(error: Exception, data: bytes, kind: str | None, compression: str) -> str:
    """Say why there is no picture in a file: `data` are its bytes, `kind` is what they begin as."""
    if not data:
        return "empty file"
    if not data.strip(b"\0"):
        return "holds only zero bytes: its content is lost"
    if isinstance(error, UnidentifiedImageError):
        return _unidentified(kind)
    if isinstance(error, ModuleNotFoundError):
        return _NO_RAW_DECODER
    text = " ".join(str(error).split())
    if "decoder error" in text and compression in {"webp", "lerc", "zstd", "lzma", "jbig"}:
        return f"TIFF with {compression} compression: no decoder for it"
    lowered = text.lower()
    for meaning, signs in _MEANINGS.items():
        if any(sign in lowered for sign in signs):
            return f"{meaning}: {text}"
    return f"damaged: {text or type(error).__name__}"


def _unidentified(kind: str | None) -> str:
    if kind not in {None, PICTURE}:
        return f"not a picture but {kind}"
    return (
        "damaged, or of a rare kind: its header cannot be read" if kind else "not a picture of a known format"
    )


_MEANINGS = {
    "its text or colour profile unpacks to more than any photo holds": ("max_text",),
    "a rare kind of picture that no decoder here knows": ("unsupported bmp",),
    "camera raw file, damaged or of a rare kind": ("libraw does not know",),
    "cut short": (
        "truncated",
        "runs out of data",
        "not enough image data",
        "end of file",
        "expected to read",
    ),
}
"""Plain words for what decoders say; only the reason in the record depends on it."""
