"""The door to captioning: declares and checks the flags, and turns every end into an exit code. Does no work.

What a command needs is imported when it runs, so that `--help` and a wrong flag answer at once.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a Ctrl-C during the imports ends it without a traceback
try:
    import typer
except ModuleNotFoundError:
    sys.exit("The packages are missing. Start it with uv: uv run python caption.py --help")

from backends import BACKENDS, describe_backends
from cli.doors import VersionOption, WrongUseError
from cli.exit import ExitCode, leave, prepare_streams
from cli.paths import home_expanded

if TYPE_CHECKING:
    from cli.selection import Shard
    from journal import Status

DEFAULT_PROMPT = (
    "Describe this photo in one or two sentences. Focus on the main subject, setting, and activity."
)

app = typer.Typer(
    help="Caption every photo of a library once, into captions.jsonl. Flags without a command mean `run`.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

JournalOption = Annotated[
    Path, typer.Option("--captions-jsonl", parser=home_expanded, metavar="PATH", help="The journal.")
]
PhotosOption = Annotated[
    str | None, typer.Option("--photos-dir", help="The library; without it PHOTOS_DIR of config.env.")
]
BackendOption = Annotated[
    str | None, typer.Option("--backend", help=f"Backend to use (required): {', '.join(BACKENDS)}.")
]
ModelOption = Annotated[str | None, typer.Option("--model", help="Model to use; each backend has a default.")]
PromptOption = Annotated[str, typer.Option("--prompt", help="What to ask of each photo.")]
BaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--base-url", help="Another server that speaks the backend's dialect, as http://localhost:8000/v1."
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--max-workers", min=1, help="Concurrent requests; each backend has a default."),
]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Attempt at most this many photos.")]
RetryOption = Annotated[
    str | None,
    typer.Option(
        "--retry-status", help="Try photos with these statuses again, such as error_api,error_model."
    ),
]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard", help="Only this part of the library, as in 2/8: for machines that share nothing."
    ),
]


@app.callback()
def door(*, version: VersionOption = False) -> None:
    """Take what goes before any command."""


@app.command("run")
def run_command(
    backend: BackendOption = None,
    model: ModelOption = None,
    photos_dir: PhotosOption = None,
    captions_jsonl: JournalOption = Path("captions.jsonl"),
    prompt: PromptOption = DEFAULT_PROMPT,
    base_url: BaseUrlOption = None,
    max_workers: WorkersOption = None,
    limit: LimitOption = None,
    budget: Annotated[
        str | None, typer.Option(help="Stop before this run has cost more dollars, as in 5.00.")
    ] = None,
    retry_status: RetryOption = None,
    force: Annotated[bool, typer.Option("--force", help="Set the journal aside and start over.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Open every photo without captioning it, to find the broken ones."),
    ] = False,
    restart_every: Annotated[
        int, typer.Option(min=0, help="Exit with code 2 after this many photos if more are left.")
    ] = 0,
    shard: ShardOption = None,
    engine: Annotated[
        str, typer.Option(help="Who shares out the work: threads (this machine), or ray (many machines).")
    ] = "threads",
    ray_address: Annotated[
        str | None,
        typer.Option(
            help="The Ray cluster to join, as 10.0.0.5:6379, or auto; without it this machine alone."
        ),
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option(help="Precision of a local model: none, int8 or int4; by default what fits the card."),
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
    from cli.run import RunOptions, run
    from journal import MOCK

    options = RunOptions(
        backend=_known_backend(backend),
        model=model,
        photos_dir=_folder(photos_dir),
        captions_jsonl=captions_jsonl,
        prompt=prompt,
        base_url=_server(base_url, backend),
        budget=_money(budget, backend),
        max_workers=max_workers,
        limit=limit,
        retry_statuses=_known_statuses(retry_status),
        force=force,
        dry_run=dry_run,
        restart_every=restart_every,
        shard=_part(shard),
        ray=_is_ray(engine, ray_address),
        ray_address=ray_address,
        quantize=_precision(quantize),
        trust_remote_code=trust_remote_code,
        mock_options={
            name: value
            for name, value in (("error_rate", mock_error_rate), ("latency", mock_latency))
            if value is not None
        },
    )
    if not prompt.strip():
        raise WrongUseError("--prompt is empty: leave it out for the default.")
    if force and retry_status:
        raise WrongUseError(
            "--force starts over, so there is nothing for --retry-status: leave one of them out."
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


@app.command()
def estimate(
    backend: BackendOption = None,
    model: ModelOption = None,
    photos_dir: PhotosOption = None,
    captions_jsonl: JournalOption = Path("captions.jsonl"),
    prompt: PromptOption = DEFAULT_PROMPT,
    base_url: BaseUrlOption = None,
    max_workers: WorkersOption = None,
    limit: LimitOption = None,
    retry_status: RetryOption = None,
    shard: ShardOption = None,
    all_: Annotated[
        bool, typer.Option("--all", help="One row per cloud provider with its default model, cheapest first.")
    ] = False,
) -> None:
    """Print what is left to do and about what it would cost and take. Calls nothing, needs no key."""
    from cli.estimate import print_estimate

    if all_ and (backend or model or base_url):
        raise WrongUseError("--all is for every provider: leave out --backend, --model and --base-url.")
    known = None if all_ else _known_backend(backend)
    folder, statuses, server = _folder(photos_dir), _known_statuses(retry_status), _server(base_url, backend)
    part = _part(shard)
    leave(
        lambda: print_estimate(
            known,
            model,
            photos_dir=folder,
            captions_jsonl=captions_jsonl,
            prompt=prompt,
            base_url=server,
            max_workers=max_workers,
            limit=limit,
            retry_statuses=statuses,
            shard=part,
        ),
        prints=True,
    )


@app.command()
def stats(
    captions_jsonl: JournalOption = Path("captions.jsonl"),
    photos_dir: Annotated[str | None, typer.Option(help="Also say how much of this library is done.")] = None,
) -> None:
    """Print what a journal holds."""
    from cli.journals import print_stats

    folder = _folder(photos_dir)
    leave(lambda: print_stats(captions_jsonl, folder), prints=True)


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
def compact(captions_jsonl: JournalOption = Path("captions.jsonl")) -> None:
    """Rewrite a journal to one line per photo; the old file is kept beside it."""
    from cli.journals import rewrite

    leave(lambda: rewrite(captions_jsonl), prints=True)


def _folder(given: str | None) -> Path | None:
    if given == "":  # an unset "$PHOTOS" would otherwise mean the current folder
        raise WrongUseError("--photos-dir is empty: give the folder that holds the photos.")
    return Path(os.path.expanduser(given)) if given is not None else None


def _known_backend(name: str | None) -> str:
    if name is None or name not in BACKENDS:
        trouble = "Missing option '--backend'" if name is None else f"There is no backend {name!r}"
        raise WrongUseError(f"{trouble}. Choose one of:\n{describe_backends()}")
    return name


def _server(base_url: str | None, backend: str | None) -> str | None:
    if base_url is None:
        return None
    if backend not in BACKENDS or not BACKENDS[backend].key:
        raise WrongUseError("--base-url is for backends with an API, such as openai: leave it out.")
    if not re.match(r"https?://[^/\s@]+(/\S*)?$", base_url):
        raise WrongUseError(
            "--base-url is no address of a server: give one like http://localhost:8000/v1, without a password in it."
        )
    return base_url


def _money(text: str | None, backend: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        amount = Decimal(text.removeprefix("$"))
    except ArithmeticError:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0:
        raise WrongUseError(f"--budget {text!r} is no sum of dollars: give one like 5.00.")
    if backend not in BACKENDS or not BACKENDS[backend].key:
        raise WrongUseError("--budget is for cloud backends with known prices: leave it out here.")
    return amount


def _part(text: str | None) -> Shard | None:
    from cli.selection import Shard

    if text is None:
        return None
    parts = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})", text, re.ASCII)
    shard = Shard(int(parts[1]), int(parts[2])) if parts else Shard(1, 0)
    if shard.number > shard.count:
        raise WrongUseError(
            f"--shard {text!r} is no part of a whole: the second of eight machines gives 2/8."
        )
    return shard


def _is_ray(engine: str, address: str | None) -> bool:
    if engine not in {"threads", "ray"}:
        raise WrongUseError(f"There is no --engine {engine!r}: give threads or ray.")
    if address is not None and engine != "ray":
        raise WrongUseError("--ray-address is for --engine ray: leave it out, or add that.")
    if address is not None and not re.fullmatch(
        r"auto|[\w.-]+:[0-9]{1,5}|\[[0-9a-fA-F:]+\]:[0-9]{1,5}", address
    ):
        raise WrongUseError(
            "--ray-address is no address of a cluster: give auto, or what `ray start --head` has printed, as 10.0.0.5:6379."
        )
    return engine == "ray"


def _precision(quantize: str | None) -> str | None:
    if quantize not in {None, "none", "int8", "int4"}:
        raise WrongUseError(f"There is no --quantize {quantize!r}: give none, int8 or int4.")
    return quantize


def _known_statuses(text: str | None) -> frozenset[Status]:
    from journal import STATUSES

    names = [name.strip() for name in text.split(",")] if text is not None else []
    # A success would be retried for ever.
    errors = [status for status in STATUSES if status != "success"]
    unknown = [name for name in names if name not in errors]
    if unknown:
        raise WrongUseError(f"--retry-status cannot retry {unknown[0]!r}. Choose from: {', '.join(errors)}.")
    return frozenset(status for status in errors if status in names)


def main() -> None:
    """Run the command line; flags without a command mean `run`."""
    arguments = sys.argv[1:]
    prepare_streams()
    if not arguments:
        app(["--help"], standalone_mode=False)
        raise SystemExit(ExitCode.USAGE)
    if arguments[0].startswith("-") and arguments[0] not in {"--help", "--version"}:
        arguments.insert(0, "run")
    app(arguments)


if __name__ == "__main__":
    main()
