"""Owns how many files a run or a report may open at once: as many as the machine allows, and a sentence where that is too few."""

from __future__ import annotations

import resource
from contextlib import suppress

from engines.threads import cores
from errors import StopRunError

_WANTED = 4096
"""What macOS (256) and old servers (1,024) do not give unasked, and hundreds of connections may take."""
_BASE, _PER_CORE = 64, 8
"""What is open besides pictures, models' files included, and what a decoder takes while its child starts."""


def allow_open_files() -> None:
    """Raise the limit of open files as far as it may go.

    Raises:
        StopRunError: it is so low that photos would fail for it.
    """
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or limit >= _WANTED:
        return
    higher = _WANTED if most == resource.RLIM_INFINITY else min(_WANTED, most)
    with suppress(ValueError, OSError):  # some systems let nobody change it
        resource.setrlimit(resource.RLIMIT_NOFILE, (higher, most))
        limit = higher
    needed = _BASE + _PER_CORE * cores()
    if limit < needed:
        raise StopRunError(
            f"This program may open only {limit} files at once and needs {needed}: raise the limit with `ulimit -n 4096` and "
            "run the same command again."
        )
