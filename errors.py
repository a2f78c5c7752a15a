"""Owns the errors that one part of the program raises for another, told apart by type and nowhere by message.

From the photo's own fault to the whole run's:

    CorruptImageError           the photo cannot be decoded             -> error_corrupt
     └─ UnavailableImageError   it could not be read now (disk, memory) -> no record, stays open
    APIError                    a request failed for good               -> error_api
     └─ TransientAPIError       it may succeed if it is tried again     -> tried again, then as `exhausted` says
         ├─ RateLimitError      too many requests (HTTP 429)            -> everybody waits; the photo's turn comes again
         │   └─ NoRoomError     a cheap tier is full for now            -> the same, longer, then no record, stays open
         └─ NotReadyError       the server is still loading (HTTP 503)  -> everybody waits; the photo's turn comes again
    SidecarError                a sidecar must be left alone            -> a sentence about it
    any other exception         the model failed                        -> error_model
    StopRunError                set-up, account, disk                   -> the run stops with exit 1
     └─ PackagesError           packages are missing or too old         -> the same, with the command that gets them
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

OUT_OF_FILES = (
    "This program may not open one more file at once: raise the limit with `ulimit -n 4096`, or close other programs, and run "
    "the same command again; nothing that was written is lost."
)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and the errors that led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def out_of_files(error: BaseException | None) -> bool:
    """Tell whether an error, or one that led to it, is that too many files are open: no fault of a photo or a disk."""
    return any(isinstance(one, OSError) and one.errno in {errno.EMFILE, errno.ENFILE} for one in chain(error))


class CorruptImageError(Exception):
    """The picture at `path` cannot be decoded; `reason` is a short text for people."""

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class UnavailableImageError(CorruptImageError):
    """The picture could not be read this time, which says nothing about the picture itself.

    `gone` is true when there is no such file any more.
    """

    def __init__(self, path: str | PathLike[str], reason: str, *, gone: bool = False) -> None:
        super().__init__(path, reason)
        self.gone = gone


class SidecarError(Exception):
    """A sidecar must be left alone; the text says why and follows its name: `its XML is broken in line 3`."""


class APIError(Exception):
    """A request for one photo failed for good; the text is the reason that goes into the record.

    `billed` is true when the request went out whole, so that it may have to be paid although no answer came.
    """

    def __init__(self, reason: str, *, billed: bool = False) -> None:
        super().__init__(reason)
        self.billed = billed


class TransientAPIError(APIError):
    """A request failed in a way that often passes: the network, the server, a timeout.

    `retry_after` is how many seconds the server asks to wait, None if it does not say. `exhausted` is what it amounts
    to when further attempts fail as well: the photo's error unless it says that the run must stop.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry_after: float | None = None,
        exhausted: StopRunError | None = None,
        billed: bool = False,
    ) -> None:
        super().__init__(reason, billed=billed)
        self.retry_after = retry_after
        self.exhausted = exhausted


class RateLimitError(TransientAPIError):
    """The server admits no more requests for now (HTTP 429): no fault of the photo, and a wait for all."""


class NoRoomError(RateLimitError):
    """The service tier that was asked for has no room now, whatever the rate: nothing is paid, and a wait for all.

    `billed`: the server took the request and did not answer in time, so the photo is not asked about again in this run.
    """


class NotReadyError(TransientAPIError):
    """The server is there but cannot work yet, as while it loads a model (HTTP 503): a wait for all."""


class StopRunError(Exception):
    """The run cannot go on. The text is one sentence for people that ends with the next action."""


class PackagesError(StopRunError):
    """Packages are missing, those of the project's `extra`, or `package` is too old; `cli/` adds the command that gets them."""

    def __init__(self, text: str, *, extra: str = "", package: str = "") -> None:
        super().__init__(text)
        self.extra = extra
        self.package = package
