"""Owns the one thread that works with a model: jobs go there one after the other, wherever they come from.

Beside the order it keeps what torch ties to a thread: CUDA graphs that one thread has recorded are not another's.
"""

from __future__ import annotations

import threading
import weakref
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_Answer = tuple[Any, BaseException | None]
_Jobs = SimpleQueue[tuple["Callable[[], Any]", SimpleQueue[_Answer]] | None]


class OneThread:
    """Does jobs in a thread that ends with this object, and that keeps no process alive."""

    def __init__(self) -> None:
        self._jobs: _Jobs = SimpleQueue()
        threading.Thread(target=_work, args=(self._jobs,), daemon=True).start()
        weakref.finalize(self, self._jobs.put, None)

    def call(self, job: Callable[[], _T]) -> _T:
        """Return what `job` returns, or raise what it raises. Nothing is kept of it."""
        answer: SimpleQueue[_Answer] = SimpleQueue()
        self._jobs.put((job, answer))
        result, error = answer.get()
        if error is not None:
            raise error
        done: _T = result
        return done


def _work(jobs: _Jobs) -> None:
    while (item := jobs.get()) is not None:
        job, answer = item
        done: _Answer
        try:
            done = job(), None
        except BaseException as error:  # noqa: BLE001 - it belongs to who asked
            done = None, error
        del item, job  # before the answer: they hold what is on the card
        answer.put(done)
        del answer, done
