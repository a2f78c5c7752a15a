"""Owns how messages spell what they have in common: numbers of things, and commands that the user can type."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from typing import TYPE_CHECKING

from errors import PackagesError, StopRunError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_PACKAGE = "picture-captioner-clusterer-chunker"
_SWITCHES = {"--force", "--dry-run"}
"""Those of the flags that `again` leaves out which have no value."""


def count(number: int, thing: str) -> str:
    """Return the number with its noun, as in `1 photo` or `1,200 photos`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def command(*words: str, extras: Iterable[str] = ()) -> str:
    """Return this program's command with these words: through uv in a checkout, by its name where it is installed."""
    program = sys.argv[0]
    if _is_checkout():
        start = f"uv run {''.join(f'--extra {extra} ' for extra in extras)}python {shlex.quote(program)}"
    else:
        name = os.path.basename(program)
        found = shutil.which(name)
        start = name if found and os.path.samefile(found, program) else shlex.quote(program)
    return f"{start} {shlex.join(words)}"


def again(without: Collection[str] = (), adding: Iterable[str] = (), extras: Iterable[str] = ()) -> str:
    """Return the command that was given, less the flags in `without`, each in the form `--flag value` or `--flag=value`."""
    given, kept = sys.argv[1:], []
    while given:
        word = given.pop(0)
        name, equals, _ = word.partition("=")
        if name not in without:
            kept.append(word)
        elif not equals and name not in _SWITCHES:
            del given[:1]
    return command(*kept, *adding, extras=extras)


def extra(name: str) -> str:
    """Return how to ask for one of the project's extras, as part of a list of what is needed."""
    return f"uv run --extra {name}" if _is_checkout() else f"the extra {name}"


def advice(error: StopRunError) -> str:
    """Return the error's sentence, and the command that gets the packages where those are what is missing."""
    if not isinstance(error, PackagesError):
        return str(error)
    from importlib.metadata import distribution

    if _is_checkout():
        upgrade = f"uv sync --upgrade-package {error.package}"
        way = upgrade if error.package else command(*sys.argv[1:], extras=[error.extra])
    else:
        # Either finds the program itself installed already, and adds to it. An environment that uv made has no pip.
        by_uv = (distribution(_PACKAGE).read_text("INSTALLER") or "").strip() == "uv"
        python = shlex.quote(sys.executable)
        way = f"uv pip install --python {python} " if by_uv else f"{python} -m pip install "
        way += f"--upgrade {error.package}" if error.package else f"'{_PACKAGE}[{error.extra}]'"
    return f"{error} Get them with: {way}"


def _is_checkout() -> bool:
    """Tell whether the program runs as a file, as `uv run python caption.py` does; installed, it has another name."""
    return sys.argv[0].endswith(".py")
