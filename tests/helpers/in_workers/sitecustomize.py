"""Loaded by every process of the tests' Ray cluster: backends that end their workers, and files over which memory runs out.

Whom the system then ends is its choice: the decoding child, or the worker that the child belongs to.
"""

import os
import signal
import sys
from typing import Any

from backends import BACKENDS, BackendInfo

BACKENDS["fragile"] = BackendInfo("tests.helpers.fragile", "FragileBackend", None, None, "fragile")
BACKENDS["fragile-batches"] = BackendInfo("tests.helpers.fragile", "FragileBatches", None, None, "fragile")

if "decoding.child" in sys.orig_argv:
    from PIL import Image

    _open = Image.open

    def _harmful(file: Any, *arguments: Any, **options: Any) -> Any:
        head = file.read(8)
        if head in {b"OOMCHILD", b"OOMOWNER"}:
            os.kill(os.getpid() if head == b"OOMCHILD" else os.getppid(), signal.SIGKILL)
        file.seek(0)
        return _open(file, *arguments, **options)

    Image.open = _harmful  # type: ignore[assignment]
