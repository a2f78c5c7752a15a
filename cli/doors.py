"""Owns what the command lines of both doors share: what wrong use comes to, and --version."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import VERSION
from cli.exit import ExitCode

# The command line library's own code for a wrong flag is 2, which run_loop.sh would take for "more to do".
typer.BadParameter.__base__.exit_code = ExitCode.USAGE  # type: ignore[union-attr]


class WrongUseError(typer.BadParameter):
    """Flags that are missing, empty or do not go together: the whole sentence, without the library's "Invalid value"."""

    def format_message(self) -> str:
        """Return what is shown after `Error: `."""
        return self.message


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"picture-captioner {VERSION}")
        raise typer.Exit


VersionOption = Annotated[
    bool,
    typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit."),
]
