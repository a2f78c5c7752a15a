"""The door to the report: declares and checks the flags. Does no work.

What the report needs is imported when it runs, so that `--help` and a wrong flag answer at once.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from cli.exit import ExitCode, leave
from cli.exit import main as start
from cli.words import command

try:
    import typer
except ModuleNotFoundError:
    sys.exit(f"The packages are missing. Start it with uv: {command('--help', extras=['report'])}")

from backends import BACKENDS
from cli.doors import (
    ExcludeOption,
    PhotosOption,
    VersionOption,
    WrongUseError,
    dollars,
    exclusion,
    home_expanded,
    server,
)
from errors import PackagesError
from report.vectors.base import EMBEDDERS

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


EmbedderName = StrEnum("EmbedderName", {name: name for name in EMBEDDERS})  # type: ignore[misc]  # not written out
DEFAULT_EMBEDDER = EmbedderName(next(iter(EMBEDDERS)))


NamesUrlOption = Annotated[
    str | None,
    typer.Option(
        parser=server, metavar="URL", help="Another server for --name-with, as http://localhost:8000/v1."
    ),
]
NamesBudgetOption = Annotated[
    Decimal | None,
    typer.Option(parser=dollars, metavar="DOLLARS", help="The most that --name-with may cost, as in 0.50."),
]


@app.command()
def report(
    photos_dir: PhotosOption = None,
    captions_jsonl: Annotated[
        list[Path] | None,
        typer.Option(
            parser=home_expanded,
            metavar="PATH",
            help="The journal, ./captions.jsonl unless given; may be repeated.",
        ),
    ] = None,
    exclude: ExcludeOption = None,
    out_dir: Annotated[
        Path, typer.Option(parser=home_expanded, metavar="PATH", help="Where the report goes.")
    ] = Path(),
    cluster_by: Annotated[
        Literal["image", "caption", "both"], typer.Option(help="What makes photos alike.")
    ] = "image",
    embedder: Annotated[
        EmbedderName,
        typer.Option(
            help="Image embedder: "
            + "; ".join(f"`{name}`, {info.about}" for name, info in EMBEDDERS.items())
            + "."
        ),
    ] = DEFAULT_EMBEDDER,
    clip_model: Annotated[
        str, typer.Option(help="CLIP model: a name on the Hub or a folder.")
    ] = "clip-ViT-B-32",
    text_model: Annotated[
        str, typer.Option(help="Text model, for --cluster-by caption or both.")
    ] = "all-MiniLM-L6-v2",
    min_cluster_size: Annotated[
        int | None,
        typer.Option(min=2, help="Fewest photos in a group; by default it grows with the library."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed; another seed gives slightly different groups.")
    ] = 42,
    fast: Annotated[
        bool, typer.Option("--fast", help="Cluster with EVoC: for very large libraries.")
    ] = False,
    export_albums: Annotated[
        Path | None,
        typer.Option(
            parser=home_expanded,
            metavar="PATH",
            help="Also make folders of links to the photos here, one for each group, event and trip.",
        ),
    ] = None,
    name_with: Annotated[
        str | None,
        typer.Option(
            metavar="BACKEND[/MODEL]",
            help="Let a language model name groups, events and trips, as `local` or `openai/gpt-6-luna`; it gets captions, no photos.",
        ),
    ] = None,
    base_url: NamesUrlOption = None,
    budget: NamesBudgetOption = None,
    *,
    version: VersionOption = False,  # noqa: ARG001 - the option's callback does it
) -> None:
    """Group the library in kind and in time, name what was found, and write it as a page, Markdown, CSV and Parquet."""
    if embedder is not DEFAULT_EMBEDDER and cluster_by == "caption":
        raise WrongUseError("--cluster-by caption looks at no picture: leave --embedder out.")

    left_out = exclusion(exclude)
    backend, _, model = (name_with or "").partition("/")
    _check_name_with(name_with, backend, base_url, budget)

    def work() -> ExitCode:
        try:
            from cli.name_with import NameWith
            from cli.report import make_report
            from cli.report_input import ReportOptions
        except ModuleNotFoundError as error:
            raise PackagesError(
                f"The report needs packages that are not installed ({error.name}).",
                extra=EMBEDDERS[embedder.value].extra,
            ) from None
        return make_report(
            ReportOptions(
                photos_dir=photos_dir,
                exclude=left_out,
                journals=tuple(captions_jsonl or ()),
                out_dir=out_dir,
                cluster_by=cluster_by,
                embedder=embedder.value,
                clip_model=clip_model,
                text_model=text_model,
                min_cluster_size=min_cluster_size,
                seed=seed,
                fast=fast,
                export_albums=export_albums,
                name_with=NameWith(backend, model or None, base_url, budget) if name_with else None,
            )
        )

    leave(work)


def _check_name_with(
    name_with: str | None, backend: str, base_url: str | None, budget: Decimal | None
) -> None:
    if name_with is None:
        if base_url or budget:
            raise WrongUseError("--base-url and --budget are for --name-with: add it, or leave them out.")
        return
    able = [name for name in BACKENDS if name != "mock"]
    if backend not in able:
        raise WrongUseError(f"--name-with {name_with!r} is no backend: choose one of {', '.join(able)}.")
    if (base_url or budget) and not BACKENDS[backend].key:
        raise WrongUseError(f"--base-url and --budget are not for {backend}: leave them out.")


def main() -> None:
    start(app)


if __name__ == "__main__":
    main()
