"""Prints docs/cli.md from the commands themselves: `uv run python -m docs.make_cli > docs/cli.md`."""
# ruff: noqa: INP001, T201, ANN401 - a script that prints; typer's command line library has no public types

from __future__ import annotations

import re
from typing import Any

import typer.main

from caption import app
from cluster_report import app as report

HEAD = """# Commands and flags

Made by `uv run python -m docs.make_cli > docs/cli.md`; `--help` after a command shows the same. Flags without a command mean `run`.
Exit codes: [exit-codes.md](exit-codes.md)."""
PLAIN = {"<str>": "TEXT", "<int range>": "N", "<float range>": "N", " <list[Path]>": "", " <list[str]>": ""}
RANGE = re.compile(r"; x>=\d(?=\])| \[x>=\d\]")


def flags(command: Any) -> dict[str, str]:
    """Return what `--help` says of each flag, but for the least number; what it hides is left out."""
    context = command.make_context(command.name, [], resilient_parsing=True)
    found = {}
    for parameter in command.params:
        if record := parameter.get_help_record(context):
            flag, words = (" ".join(text.split()) for text in record)
            for ugly, plain in PLAIN.items():
                flag = flag.replace(ugly, plain)
            found[flag] = RANGE.sub("", words).replace("*", r"\*")
    return found


def section(title: str, command: Any, known: dict[str, str]) -> list[str]:
    """Return the lines for one command; flags that another command has in the same words are only named."""
    own = flags(command)
    same = [f"`{flag.split()[0]}`" for flag, words in own.items() if known.get(flag) == words]
    lines = ["", f"## {title}", "", command.help, ""]
    if len(same) > 1:
        lines += [f"As in `run`: {', '.join(same)}.", ""]
        own = {flag: words for flag, words in own.items() if known.get(flag) != words}
    return [*lines, *(f"- `{flag}`: {words}" for flag, words in own.items())]


def page() -> str:
    """Return docs/cli.md; a command that is the whole of cluster_report.py stands there once."""
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    the_report = typer.main.get_command(report)
    lines = [HEAD]
    for name, command in commands.items():
        if flags(command) == flags(the_report):
            lines += ["", f"## caption.py {name}", "", "The same as cluster_report.py, below."]
        else:
            lines += section(f"caption.py {name}", command, {} if name == "run" else flags(commands["run"]))
    return "\n".join(lines + section("cluster_report.py", the_report, flags(commands["run"])))


if __name__ == "__main__":
    print(page())
