"""Owns backends that harm the process they run in, as a model's native code may: photos say how, by their names."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, ClassVar

from backends.base import CaptionBackend
from errors import APIError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image


class FragileBackend(CaptionBackend):
    """Dies of `killer*`, always; raises for `odd*`, `api*` and `exit*`; takes a while over all others.

    About `ready*` it tells for how many photos it was made ready.
    """

    max_workers = 4
    ready_for = -1

    def get_ready(self, photos: int) -> None:
        self.ready_for = photos

    def caption(self, image: Image) -> str:
        name: str = vars(image)["filename"]
        if name.startswith("killer"):
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("odd"):
            raise ValueError("no such shape")
        if name.startswith("api"):
            raise APIError("HTTP 500")
        if name.startswith("exit"):
            raise SystemExit(3)
        if name.startswith("ready"):
            return f"This worker is ready for {self.ready_for} photos."
        time.sleep(0.02)
        return f"A photo called {name} by {os.getpid()}."


class FragileBatches(FragileBackend):
    """The same as a model on a card: in batches. Its first answer about `vague*` is none."""

    single_threaded: ClassVar[bool] = True
    batch_size = 4

    def caption_batch(self, images: Sequence[Image]) -> list[str]:
        return ["" if vars(one)["filename"].startswith("vague") else self.caption(one) for one in images]

    def recaption_batch(self, images: Sequence[Image]) -> list[str]:
        return [f"{self.caption(image)} Looked at again with {len(images) - 1} more." for image in images]
