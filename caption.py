"""The door to captioning: declares and checks the flags, and turns every end into an exit code. Does no work.

What a command needs is imported when it runs, so that `--help` and a wrong flag answer at once.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cli.exit import leave
from cli.exit import main as start
from cli.words import command, extra

try:
    import typer
    from typer.core import TyperCommand
except ModuleNotFoundError:
    sys.exit(f"The packages are missing. Start it with uv: {command('--help')}")

import cluster_report
from backends import BACKENDS, backend_class
from cli.doors import (
    ANY_TAGS,
    RAY_HERE,
    ExcludeOption,
    PhotosOption,
    Shard,
    VersionOption,
    WrongUseError,
    cluster,
    dollars,
    exclusion,
    home_expanded,
    photos_folder,
    server,
    shard_of,
    vocabulary,
)

if TYPE_CHECKING:
    from cli.redo import Redo

DEFAULT_PROMPT = (
    "Describe this photo in one or two sentences. Focus on the main subject, setting, and activity."
)


app = typer.Typer(
    help="Caption every photo of a library once, into captions.jsonl. Flags without a command mean `run`.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

JournalOption = Annotated[Path, typer.Option(parser=home_expanded, metavar="PATH", help="The journal.")]
BackendOption = Annotated[str | None, typer.Option(help=f"Backend to use (required): {', '.join(BACKENDS)}.")]
ModelOption = Annotated[str | None, typer.Option(help="Model to use; each backend has a default.")]
PromptOption = Annotated[str, typer.Option(help="What to ask of each photo.")]
BaseUrlOption = Annotated[
    str | None,
    typer.Option(
        parser=server,
        metavar="URL",
        help="Another server that speaks the backend's dialect, as http://localhost:8000/v1.",
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Concurrent requests; each backend has a default.")
]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Attempt at most this many photos.")]
RetryOption = Annotated[
    str | None,
    typer.Option(
        help="Try photos with these statuses again, as error_api,error_model; replaced: those whose file is another one now.",
    ),
]
RedoOption = Annotated[
    str | None,
    typer.Option(
        metavar="EXPRESSION",
        help="Make captions again: 'prompt' (those made with another one), 'tags' (those without), 'model=openai/*', 'path=2019/*'; "
        "several with 'and'. Not what a person wrote.",
    ),
]
VideosOption = Annotated[bool, typer.Option("--videos", help="Caption videos too, by one still frame each.")]
BudgetOption = Annotated[
    Decimal | None,
    typer.Option(
        parser=dollars, metavar="DOLLARS", help="Stop before this run has cost more dollars, as in 5.00."
    ),
]
TierOption = Annotated[
    Literal["flex"] | None,
    typer.Option(help="flex: half the price, slower; for openai and gemini."),
]
TagsOption = Annotated[
    Any,
    typer.Option(
        parser=vocabulary,
        metavar="[FILE]",
        help="Ask for keywords too, in the same request; only for those in FILE (one a line, `Animals > Dog`, or a Lightroom export).",
    ),
]
ShardOption = Annotated[
    Shard | None,
    typer.Option(
        parser=shard_of,
        metavar="PART/PARTS",
        help="Only this part of the library, as 2/8: for machines that share nothing.",
    ),
]


class RunCommand(TyperCommand):
    """A command in which `--ray` and `--tags` need no value, which typer's own options always do."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's is private
        """Give a flag that stands alone the value that it means."""
        alone = {"--ray": RAY_HERE, "--tags": ANY_TAGS}
        for place, word in enumerate(args):
            if word in alone and "".join(args[place + 1 : place + 2] or "-").startswith("-"):
                args[place] = f"{word}={alone[word]}"
        return super().parse_args(ctx, args)


@app.callback()
def door(*, version: VersionOption = False) -> None:
    """Take what goes before any command."""


@app.command("run", cls=RunCommand)
def run_command(
    backend: BackendOption = None,
    model: ModelOption = None,
    photos_dir: PhotosOption = None,
    captions_jsonl: JournalOption = Path("captions.jsonl"),
    prompt: PromptOption = DEFAULT_PROMPT,
    tags: TagsOption = None,
    base_url: BaseUrlOption = None,
    max_workers: WorkersOption = None,
    limit: LimitOption = None,
    budget: BudgetOption = None,
    tier: TierOption = None,
    retry_status: RetryOption = None,
    redo: RedoOption = None,
    videos: VideosOption = False,
    force: Annotated[bool, typer.Option("--force", help="Set the journal aside and start over.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Open every photo and caption none, to find broken ones."),
    ] = False,
    restart_every: Annotated[
        int, typer.Option(min=0, help="Exit with code 2 after this many photos if more are left.")
    ] = 0,
    shard: ShardOption = None,
    exclude: ExcludeOption = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="[ADDRESS]",
            help="Work on a Ray cluster: at ADDRESS, as 10.0.0.5:6379, or auto; without ADDRESS on this machine alone.",
        ),
    ] = None,
    engine: Annotated[str | None, typer.Option(hidden=True)] = None,
    ray_address: Annotated[str | None, typer.Option(hidden=True)] = None,
    quantize: Annotated[
        Literal["none", "int8", "int4"] | None,
        typer.Option(help="Precision of a local model; by default what fits the card."),
    ] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let a local model run its own program code.")
    ] = False,
    mock_error_rate: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of photos that the mock refuses.")
    ] = None,
    mock_latency: Annotated[float | None, typer.Option(min=0, help="Seconds that the mock takes.")] = None,
) -> None:
    """Caption the photos that have no caption yet. Stop it at any moment; run it again to go on."""
    from cli.options import RunOptions
    from cli.run import run
    from journal import MOCK

    mock_flags = {"error_rate": mock_error_rate, "latency": mock_latency}
    options = RunOptions(
        backend=_known_backend(backend),
        model=model,
        photos_dir=photos_dir,
        captions_jsonl=captions_jsonl,
        prompt=prompt,
        tags=tags,
        base_url=base_url,
        budget=budget,
        tier=tier,
        max_workers=max_workers,
        limit=limit,
        retry_statuses=_known_statuses(retry_status),
        redo=_redo(redo, tags),
        videos=videos,
        force=force,
        dry_run=dry_run,
        restart_every=restart_every,
        shard=shard,
        exclude=exclusion(exclude),
        ray=cluster(ray, engine, ray_address),
        quantize=quantize,
        trust_remote_code=trust_remote_code,
        mock_options={name: value for name, value in mock_flags.items() if value is not None},
    )
    _check_flags_for_cloud(backend, base_url, budget, tier)
    if not prompt.strip():
        raise WrongUseError("--prompt is empty: leave it out for the default.")
    if force and (retry_status or redo):
        raise WrongUseError(
            "--force starts over, so there is nothing for --retry-status or --redo: leave one of them out."
        )
    if dry_run and (force or retry_status or restart_every or mock_error_rate is not None):
        raise WrongUseError(
            "--dry-run goes without --force, --retry-status, --restart-every and --mock-error-rate: leave them out."
        )
    if (quantize or trust_remote_code) and backend != "local":
        raise WrongUseError("--quantize and --trust-remote-code are for --backend local: leave them out.")
    if options.mock_options and backend != MOCK:
        raise WrongUseError("--mock-error-rate and --mock-latency are for --backend mock: leave them out.")
    leave(lambda: run(options))


@app.command(cls=RunCommand)
def estimate(
    backend: BackendOption = None,
    model: ModelOption = None,
    photos_dir: PhotosOption = None,
    captions_jsonl: JournalOption = Path("captions.jsonl"),
    prompt: PromptOption = DEFAULT_PROMPT,
    tags: TagsOption = None,
    base_url: BaseUrlOption = None,
    max_workers: WorkersOption = None,
    limit: LimitOption = None,
    retry_status: RetryOption = None,
    redo: RedoOption = None,
    videos: VideosOption = False,
    shard: ShardOption = None,
    exclude: ExcludeOption = None,
    all_: Annotated[
        bool, typer.Option("--all", help="One row per cloud provider with its default model, cheapest first.")
    ] = False,
) -> None:
    """Print what is left to do and about what it would cost and take. Calls nothing, needs no key."""
    from cli.estimate import print_estimate
    from cli.options import Options

    if all_ and (backend or model or base_url):
        raise WrongUseError("--all is for every provider: leave out --backend, --model and --base-url.")
    options = Options(
        backend="" if all_ else _known_backend(backend),
        model=model,
        photos_dir=photos_dir,
        captions_jsonl=captions_jsonl,
        prompt=prompt,
        tags=tags,
        base_url=base_url,
        max_workers=max_workers,
        limit=limit,
        retry_statuses=_known_statuses(retry_status),
        redo=_redo(redo, tags),
        videos=videos,
        shard=shard,
        exclude=exclusion(exclude),
    )
    _check_flags_for_cloud(backend, base_url)
    leave(lambda: print_estimate(options), prints=True)


@app.command()
def stats(
    captions_jsonl: JournalOption = Path("captions.jsonl"),
    photos_dir: Annotated[
        Path | None,
        typer.Option(parser=photos_folder, metavar="PATH", help="Also say how much of this library is done."),
    ] = None,
    exclude: ExcludeOption = None,
) -> None:
    """Print what a journal holds."""
    from cli.journals import print_stats
    from journal import prompt_mark

    left_out = exclusion(exclude)
    if left_out and photos_dir is None:
        raise WrongUseError("--exclude is for the photos in a folder: add --photos-dir, or leave it out.")
    default = prompt_mark(DEFAULT_PROMPT)
    leave(lambda: print_stats(captions_jsonl, photos_dir, left_out, default), prints=True)


@app.command()
def compare(
    journals: Annotated[
        list[Path],
        typer.Argument(parser=home_expanded, help="Two journals or more.", metavar="A.jsonl B.jsonl ..."),
    ],
) -> None:
    """Print a Markdown table of the same photos' captions side by side."""
    if len(journals) < 2:
        raise WrongUseError("Give two journals or more to compare.")
    from cli.journals import print_comparison

    leave(lambda: print_comparison(journals), prints=True)


@app.command()
def compact(
    captions_jsonl: JournalOption = Path("captions.jsonl"),
    drop_gone: Annotated[
        bool, typer.Option("--drop-gone", help="Leave out photos that are no longer in the library.")
    ] = False,
    photos_dir: PhotosOption = None,
) -> None:
    """Rewrite a journal to one line per photo; the old file is kept beside it."""
    from cli.journals import rewrite

    if photos_dir and not drop_gone:
        raise WrongUseError("--photos-dir is for --drop-gone: add that, or leave it out.")
    leave(lambda: rewrite(captions_jsonl, drop_gone=drop_gone, photos_dir=photos_dir), prints=True)


@app.command("set")
def set_command(
    rel_path: Annotated[
        str | None, typer.Argument(metavar="[REL_PATH]", help="The photo, as the journal names it.")
    ] = None,
    caption: Annotated[str | None, typer.Argument(metavar="[CAPTION]", help="Your words, in quotes.")] = None,
    captions_jsonl: JournalOption = Path("captions.jsonl"),
    photos_dir: PhotosOption = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--from",
            parser=home_expanded,
            metavar="CSV",
            help="Many at once, from columns rel_path and caption, or an edited cluster_export.csv.",
        ),
    ] = None,
) -> None:
    """Write a caption yourself. No other command replaces it."""
    from cli.corrections import set_caption, set_captions

    if table and rel_path is not None:
        raise WrongUseError("--from takes photos and captions from the table: leave out the others.")
    if table:
        leave(lambda: set_captions(captions_jsonl, photos_dir, table), prints=True)
    if rel_path is None or caption is None:
        raise WrongUseError('Give a photo and its caption, as in: set 2019/a.jpg "Rex on the sofa."')
    if not caption.strip():
        raise WrongUseError(f"The caption for {rel_path!r} is empty: give it some words.")
    leave(lambda: set_caption(captions_jsonl, photos_dir, rel_path, caption), prints=True)


@app.command("export-xmp")
def export_xmp(
    photos_dir: PhotosOption = None,
    captions_jsonl: JournalOption = Path("captions.jsonl"),
    names: Annotated[
        Literal["full", "adobe"],
        typer.Option(help="The sidecar of IMG_1.HEIC: full, IMG_1.HEIC.xmp; adobe, IMG_1.xmp."),
    ] = "full",
    into: Annotated[
        Path | None,
        typer.Option(
            parser=home_expanded,
            metavar="DIR",
            help="Write the sidecars there, in the same folders.",
        ),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            parser=home_expanded,
            metavar="CSV",
            help="Also write group, event and trip as tags, from a cluster_export.csv.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    undo: Annotated[
        bool,
        typer.Option("--undo", help="Take out of all sidecars what this journal put in."),
    ] = False,
) -> None:
    """Write the captions into XMP sidecars, where photo programs read them. What others wrote there stays."""
    from cli.export_xmp import ExportOptions, export
    from cli.export_xmp import undo as take_out

    if undo and (photos_dir or into or groups or names != "full"):
        raise WrongUseError(
            "--undo goes with --captions-jsonl and --dry-run alone: leave the other flags out."
        )
    if undo:
        leave(lambda: take_out(captions_jsonl, dry_run=dry_run), prints=True)
    options = ExportOptions(photos_dir, captions_jsonl, names == "adobe", into, groups, dry_run)
    leave(lambda: export(options), prints=True)


@app.command("find")
def find(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORDS", help="What to look for, as in: red kayak on a lake, summer 2019, 'a phrase'."
        ),
    ] = None,
    photos_dir: PhotosOption = None,
    captions_jsonl: JournalOption = Path("captions.jsonl"),
    report_dir: Annotated[
        Path | None,
        typer.Option(
            "--report",
            parser=home_expanded,
            metavar="DIR",
            help="The folder of a report, for dates, groups and pictures; without it that of the journal.",
        ),
    ] = None,
    by: Annotated[
        Literal["both", "caption", "image"],
        typer.Option(
            help="Search captions, pictures, or both; pictures where a report with a model has looked at them."
        ),
    ] = "both",
    clip_model: Annotated[
        str | None, typer.Option(help="The report's CLIP model, where it is a folder.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="Only photos from then on: 2019, 2019-07, 2019-07-12, 'july 2019'."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only photos up to the end of that.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many photos, the best first.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each photo.")] = False,
    open_: Annotated[
        bool, typer.Option("--open", help="Show the photos in the browser, on a page like the report's.")
    ] = False,
    links: Annotated[
        Path | None,
        typer.Option(parser=home_expanded, metavar="DIR", help="Make a folder of links to the photos there."),
    ] = None,
) -> None:
    """Find photos by what captions say and pictures show, by tag, date, group, event, trip and town. Nothing leaves this machine."""
    from cli.find import FindOptions, days_between, find_photos

    query = " ".join(words or [])
    days = days_between(since, until)
    if not query.strip() and not days:
        raise WrongUseError(f"What shall be found? Give words: {command('find', 'red kayak on a lake')}")
    options = FindOptions(
        query, days, photos_dir, captions_jsonl, report_dir, by, clip_model, limit, as_json, open_, links
    )
    leave(lambda: find_photos(options), prints=True)


app.command("report")(cluster_report.report)


def _known_backend(name: str | None) -> str:
    if name in BACKENDS:
        return name
    lines = []
    for known, info in BACKENDS.items():
        needs = [extra(info.extra)] if info.extra else []
        needs += [f"{info.key} in config.env"] if info.key else []
        lines.append(f"  {known:<10} needs {' and '.join(needs) or 'nothing'}")
    trouble = "Missing option '--backend'" if name is None else f"There is no backend {name!r}"
    raise WrongUseError("\n".join([f"{trouble}. Choose one of:", *lines]))


def _check_flags_for_cloud(
    backend: str | None, base_url: str | None, budget: Decimal | None = None, tier: str | None = None
) -> None:
    sellers = [name for name in BACKENDS if tier in backend_class(name).tiers] if tier else []
    if tier and backend not in sellers:
        raise WrongUseError(
            f"{backend} has no --tier {tier} ({' and '.join(sellers)} have it): leave it out."
        )
    if backend in BACKENDS and BACKENDS[backend].key:
        return
    if base_url is not None:
        raise WrongUseError("--base-url is for backends with an API, such as openai: leave it out.")
    if budget is not None:
        raise WrongUseError("--budget is for cloud backends with known prices: leave it out here.")


def _redo(text: str | None, tags: object) -> Redo | None:
    from cli.redo import redo_of

    redo = None if text is None else redo_of(text)
    if redo and redo.tags and tags is None:
        raise WrongUseError("--redo tags is for captions that have none: add --tags.")
    return redo


def _known_statuses(text: str | None) -> frozenset[str]:
    from cli.options import REPLACED
    from journal import STATUSES

    names = [name.strip() for name in text.split(",")] if text is not None else []
    # A success would be retried for ever.
    known = [*(status for status in STATUSES if status != "success"), REPLACED]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise WrongUseError(f"--retry-status cannot retry {unknown[0]!r}. Choose from: {', '.join(known)}.")
    return frozenset(names)


def main() -> None:
    """Run the command line; flags without a command mean `run`."""
    start(app, "run")


if __name__ == "__main__":
    main()
