"""Owns the limit of open files: raises it as far as the machine allows, and stops if it is still too low."""

from __future__ import annotations

import resource
from contextlib import suppress

from engines.threads import cores
from errors import StopRunError

_WANTED = 4096
"""Enough for hundreds of connections; macOS starts with 256, old servers with 1,024."""
_BASE, _PER_CORE = 64, 8
"""Files open for everything but pictures, with a model's files; and files that a decoder opens while it starts."""


def allow_open_files() -> None:
    """Raise the limit of open files as far as allowed.

    Raises:
        StopRunError: it is so low that photos would fail.
    """
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or limit >= _WANTED:
        return
    higher = _WANTED if most == resource.RLIM_INFINITY else min(_WANTED, most)
    with suppress(ValueError, OSError):  # some systems do not allow this
        resource.setrlimit(resource.RLIMIT_NOFILE, (higher, most))
        limit = higher
    needed = _BASE + _PER_CORE * cores()
    if limit < needed:
        raise StopRunError(
            f"This program may open only {limit} files at once and needs {needed}: raise the limit with `ulimit -n 4096` and "
            "run the same command again."
        )
