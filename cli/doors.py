"""Owns what both command lines share: the error for wrong use, and --version."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import VERSION
from cli.exit import ExitCode

# Typer's own exit code for a wrong flag is 2, which means "more to do" to run_loop.sh.
typer.BadParameter.__base__.exit_code = ExitCode.USAGE  # type: ignore[union-attr]


class WrongUseError(typer.BadParameter):
    """Flags that are missing, empty or exclude each other. The message is shown without typer's "Invalid value"."""

    def format_message(self) -> str:
        """Return the text after `Error: `."""
        return self.message


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"picture-captioner {VERSION}")
        raise typer.Exit


VersionOption = Annotated[
    bool,
    typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit."),
]
