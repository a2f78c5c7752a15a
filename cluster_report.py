"""The door to the report: declares and checks the flags. Does no work.

What the report needs is imported when it runs, so that `--help` and a wrong flag answer at once.
"""

from __future__ import annotations

import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a Ctrl-C during the imports ends it without a traceback
try:
    import typer
except ModuleNotFoundError:
    sys.exit(
        "The packages are missing. Start it with uv: uv run --extra report python cluster_report.py --help"
    )

from cli.doors import VersionOption, WrongUseError
from cli.exit import leave, prepare_streams
from cli.paths import home_expanded

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


class ClusterBy(StrEnum):
    """What makes photos alike."""

    image = "image"
    caption = "caption"
    both = "both"


class EmbedderName(StrEnum):
    """What looks at the pictures."""

    clip = "clip"
    pixels = "pixels"


@app.command()
def report(
    photos_dir: Annotated[
        str | None, typer.Option("--photos-dir", help="The library; without it PHOTOS_DIR of config.env.")
    ] = None,
    captions_jsonl: Annotated[
        list[Path] | None,
        typer.Option(
            "--captions-jsonl",
            parser=home_expanded,
            metavar="PATH",
            help="The journal, ./captions.jsonl unless given; may be repeated.",
        ),
    ] = None,
    out_dir: Annotated[
        Path,
        typer.Option("--out-dir", parser=home_expanded, metavar="PATH", help="Where the report goes."),
    ] = Path(),
    cluster_by: Annotated[
        ClusterBy, typer.Option("--cluster-by", help="What makes photos alike.")
    ] = ClusterBy.image,
    embedder: Annotated[
        EmbedderName,
        typer.Option("--embedder", help="Image embedder; `pixels` needs no model and no download."),
    ] = EmbedderName.clip,
    clip_model: Annotated[
        str,
        typer.Option("--clip-model", help="CLIP model: a name on the Hub or a folder."),
    ] = "clip-ViT-B-32",
    text_model: Annotated[
        str, typer.Option("--text-model", help="Text model, for --cluster-by caption or both.")
    ] = "all-MiniLM-L6-v2",
    min_cluster_size: Annotated[
        int | None,
        typer.Option(
            "--min-cluster-size",
            min=2,
            help="Fewest photos in a group; by default it grows with the library.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Random seed; another seed gives slightly different groups.")
    ] = 42,
    fast: Annotated[
        bool, typer.Option("--fast", help="Cluster with EVoC: for very large libraries.")
    ] = False,
    export_albums: Annotated[
        Path | None,
        typer.Option(
            "--export-albums",
            parser=home_expanded,
            metavar="PATH",
            help="Also make folders of links to the photos here, one for each group and event.",
        ),
    ] = None,
    *,
    version: VersionOption = False,  # noqa: ARG001 - the option's callback does it
) -> None:
    """Group the library in kind and in time, name what was found, and write it as a page, Markdown, CSV and Parquet."""
    from cli.report import make_report
    from cli.report_input import ReportOptions

    if photos_dir == "":  # an unset "$PHOTOS" would otherwise mean the current folder
        raise WrongUseError("--photos-dir is empty: give the folder that holds the photos.")
    if embedder is EmbedderName.pixels and cluster_by is ClusterBy.caption:
        raise WrongUseError("--cluster-by caption looks at no picture: leave --embedder out.")
    options = ReportOptions(
        photos_dir=Path(os.path.expanduser(photos_dir)) if photos_dir is not None else None,
        journals=tuple(captions_jsonl or ()),
        out_dir=out_dir,
        cluster_by=cluster_by.value,
        embedder=embedder.value,
        clip_model=clip_model,
        text_model=text_model,
        min_cluster_size=min_cluster_size,
        seed=seed,
        fast=fast,
        export_albums=export_albums,
    )
    leave(lambda: make_report(options))


def main() -> None:
    """Run the command line."""
    prepare_streams()
    app()


if __name__ == "__main__":
    main()
