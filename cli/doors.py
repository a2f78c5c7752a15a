"""Owns what both command lines share: how a flag's value is read, the error for wrong use, and --version."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from cli import VERSION
from cli.exit import ExitCode
from engines.vocabulary import Vocabulary
from library.exclusion import Exclusion

# Typer's own exit code for a wrong flag is 2, which means "more to do" to run_loop.sh.
typer.BadParameter.__base__.exit_code = ExitCode.USAGE  # type: ignore[union-attr]


class WrongUseError(typer.BadParameter):
    """Flags that are missing, empty or exclude each other. The message is shown without typer's "Invalid value"."""

    def format_message(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number`, from 1, of `count`: for machines that share nothing."""

    number: int
    count: int

    def holds(self, rel_path: str) -> bool:
        """Tell whether the photo is in this part: the same on every machine, whatever other photos there are."""
        return int.from_bytes(sha256(rel_path.encode()).digest()[:8]) % self.count == self.number - 1


def home_expanded(text: str | Path) -> Path:
    """Return the path with `~` replaced; a shell does so only where the word begins with it, not in `--flag=~/x`."""
    return Path(os.path.expanduser(text))


def photos_folder(text: str) -> Path:
    if not text:  # an unset "$PHOTOS" would otherwise mean the current folder
        raise WrongUseError("--photos-dir is empty: give the folder that holds the photos.")
    return home_expanded(text)


def exclusion(patterns: list[str] | None) -> Exclusion | None:
    """Return what leaves files out of the library; None without a pattern."""
    try:
        return Exclusion(patterns) if patterns else None
    except ValueError as error:
        raise WrongUseError(
            f"--exclude {str(error)!r} is not a pattern: give one like '*.png', 'Trash/' or '2019/*', as in a .gitignore."
        ) from None


def shard_of(text: str) -> Shard:
    parts = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})", text, re.ASCII)
    if not parts or int(parts[1]) > int(parts[2]):
        raise WrongUseError(f"--shard {text!r} is not a shard: give N/COUNT, such as 2/8.")
    return Shard(int(parts[1]), int(parts[2]))


RAY_HERE = "local"
"""What `--ray` alone means, in Ray's own word: a Ray that is started for this run on this machine."""
ANY_TAGS = "*"
"""What `--tags` means where no FILE follows."""


def vocabulary(file: str) -> Vocabulary:
    """Return which tags are asked for: those of a file, or any."""
    if file == ANY_TAGS:
        return Vocabulary()
    path = home_expanded(file)
    try:
        words = Vocabulary(path.read_text("utf-8-sig").splitlines())
    except OSError as error:
        raise WrongUseError(
            f"--tags {path} cannot be read ({error.strerror}): give a list, one tag a line."
        ) from None
    except UnicodeDecodeError:
        raise WrongUseError(f"--tags {path} is no text in UTF-8: save it so, or give another list.") from None
    if not words.is_strict:
        raise WrongUseError(
            f"--tags {path} holds no tag: give a list, one tag a line, or no file for any tags."
        )
    return words


def server(text: str) -> str:
    """Return the address of a server, which holds no password."""
    if not re.match(r"https?://[^/\s@]+(/\S*)?$", text):
        raise WrongUseError(
            "--base-url is not a URL: give one like http://localhost:8000/v1, without a password in it."
        )
    return text


def dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text.removeprefix("$"))
    except ArithmeticError:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0:
        raise WrongUseError(f"--budget {text!r} is not a dollar amount: give one like 5.00.")
    return amount


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"picture-captioner {VERSION}")
        raise typer.Exit


VersionOption = Annotated[
    bool,
    typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit."),
]

ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="GLOB",
        help="Leave out photos or folders, as '*.png' or 'Trash/', by the rules of .gitignore; may be repeated.",
    ),
]
PhotosOption = Annotated[
    Path | None,
    typer.Option(
        "--photos-dir",
        parser=photos_folder,
        metavar="PATH",
        help="The library; without it PHOTOS_DIR of config.env.",
    ),
]


def cluster(ray: str | None, engine: str | None, address: str | None) -> str | None:
    """Return the address that `--ray` gives; None where it is not given."""
    if engine is not None or address is not None:  # the flags of version 0.1, for one version more
        if ray is not None or engine not in {"threads", "ray"} or (address is not None and engine != "ray"):
            raise WrongUseError(
                "--engine and --ray-address have become one flag: give --ray, or --ray ADDRESS."
            )
        given = RAY_HERE if address is None else address
        ray = given if engine == "ray" else None
        new = ("give --ray" if address is None else f"give --ray {address}") if ray else "leave it out"
        typer.echo(f"--engine and --ray-address will be gone in the next version: {new}.", err=True)
    if ray is not None and not re.fullmatch(
        rf"{RAY_HERE}|auto|[\w.-]+:[0-9]{{1,5}}|\[[0-9a-fA-F:]+\]:[0-9]{{1,5}}", ray
    ):
        raise WrongUseError(
            f"--ray {ray!r} is not the address of a cluster: give auto, or what `ray start --head` has printed, such as "
            "10.0.0.5:6379."
        )
    return ray
