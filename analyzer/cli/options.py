"""The options of all commands, each with its words for --help."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from analyzer.errors import UsageError

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="Files, directories, archives, s3://BUCKET/PREFIX, event-history, or - for standard input.",
    ),
]
OptionalSources = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SOURCE...]", help="Logs to read; leave out to use --store alone."),
]
StoreOption = Annotated[
    Path | None,
    typer.Option("--store", metavar="DIR", help="Keep events in this store, or read them from it."),
]
RequiredStore = Annotated[Path, typer.Option("--store", metavar="DIR", help="The store.")]


def _not_html(path: Path | None) -> Path | None:
    if path is not None and path.suffix == ".html":
        raise UsageError(f"{path}: only analyze and report write HTML; give --out another suffix")
    return path


Output = Annotated[
    Literal["table", "json", "csv", "markdown"] | None,
    typer.Option("--output", "-o", help="Default: table, or by --out's suffix."),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write there instead of stdout.", callback=_not_html),
]
ReportOutput = Annotated[
    Literal["table", "json", "csv", "markdown", "html"] | None,
    typer.Option("--output", "-o", help="Default: table, or by --out's suffix."),
]
ReportOut = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write there instead of stdout.")]
Since = Annotated[str | None, typer.Option(metavar="DAY", help="First UTC day, like 2026-08-01.")]
Until = Annotated[str | None, typer.Option(metavar="DAY", help="UTC day after the last one (excluded).")]
MinDays = Annotated[int, typer.Option(min=0, help="Shortest window in days that can show disuse.")]
ExceptionsFile = Annotated[
    Path | None,
    typer.Option("--exceptions", metavar="FILE", help="Reviewed exceptions (TOML): accepted use is marked."),
]
CompareWith = Annotated[
    Path | None,
    typer.Option("--compare", metavar="FILE", help="Show what changed since this report (JSON)."),
]
FailOnKinds = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-on",
        metavar="KIND",
        help="End in exit code 3 for findings: global, new-use, region-disabled, coverage, cannot-tell; "
        "may be repeated, or several with commas.",
    ),
]


def _write_template(path: Path | None) -> None:
    from analyzer.presentation.console import say
    from analyzer.workflow import write_exceptions_template

    if path is not None:
        write_exceptions_template(path)
        say(f"{path}: written; everything in it is a comment until you change it")
        raise typer.Exit


InitExceptions = Annotated[
    Path | None,
    typer.Option(
        "--init-exceptions",
        metavar="FILE",
        is_eager=True,
        callback=_write_template,
        help="Write a commented exceptions file, and nothing else.",
    ),
]
Account = Annotated[list[str] | None, typer.Option(help="Only this account; may be repeated.")]
Region = Annotated[list[str] | None, typer.Option(help="Only this region; may be repeated.")]
TrailFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--trail",
        metavar="FILE",
        help="Saved output of describe-trails, get-event-selectors or get-trail-status; may be repeated.",
    ),
]
KeyFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--public-keys", metavar="FILE", help="Saved output of cloudtrail list-public-keys; may be repeated."
    ),
]
Profile = Annotated[str | None, typer.Option(help="AWS profile, as in the AWS CLI.")]
EndpointUrl = Annotated[str | None, typer.Option(metavar="URL", help="Where AWS is, as in the AWS CLI.")]
RequestPayer = Annotated[bool, typer.Option("--request-payer", help="Pay for requests to the bucket.")]
Unsigned = Annotated[bool, typer.Option("--no-sign-request", help="Ask a public bucket without credentials.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be read and what that costs.")]
GetPrice = Annotated[float, typer.Option(min=0, metavar="USD", help="Price of 1,000 GET requests.")]
ListAll = Annotated[bool, typer.Option("--list-all", help="List days of a bucket that cannot have changed, too.")]
ServicePolicy = Annotated[
    Literal["keep", "review", "ignore"],
    typer.Option(help="What calls by AWS services alone mean: use, a person decides, or nothing."),
]
ShowAll = Annotated[bool, typer.Option("--all", help="Show every row, the folded ones too.")]
DocumentLimit = Annotated[
    int,
    typer.Option("--max-document-size", metavar="MIB", min=1, help="Ceiling for one document, decompressed."),
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads that read and decode. Default: all cores.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="Value for a named query; may be repeated."),
]

DOCUMENT_LIMIT_MIB = 512
GET_PRICE = 0.0004
