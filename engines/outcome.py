"""Owns what an engine yields: the result of one photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from errors import StopRunError
    from journal import Status
    from library.walk import Photo


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one photo.

    `status` is None when the photo stays open: it could not be read now (`gone`: it does not exist any more), or the
    backend cannot work at all: then `stop` says why the run must end. `no_room`: the service tier had none. `answered`: the model did answer, but not with a
    caption, so the failure says nothing about the server or the account.
    """

    photo: Photo
    status: Status | None
    caption: str | None = None
    tags: tuple[str, ...] | None = None
    error: str | None = None
    model: str | None = None
    gone: bool = False
    no_room: bool = False
    answered: bool = False
    stop: StopRunError | None = None
