"""The command line: parses, calls, and hands the answer to stdout. No rule of the product lives here."""

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.exceptions import TyperException

from analyzer.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from analyzer.evidence import Witnesses
    from analyzer.findings import Watch
    from analyzer.ingest import Ingested, IngestOptions
    from analyzer.presentation.output import Answer
    from analyzer.queries import Value
    from analyzer.report import Question, Report
    from analyzer.sources.named import AwsAccess, Scope
    from analyzer.store import Store
    from analyzer.workflow import Session

app = typer.Typer(
    name="sts-regions",
    help="Which regional AWS STS endpoints are used, by whom, and which may be deactivated: "
    "told from CloudTrail logs.",
    epilog="Exit codes: 0 fine; 1 failed; 2 usage; 3 findings asked for; 4 finished, some input was rejected; "
    "130 interrupted.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

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
Output = Annotated[
    Literal["table", "json", "csv", "markdown"] | None,
    typer.Option("--output", "-o", help="Default: table, or by --out's suffix."),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write there instead of stdout.")]
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

_DOCUMENT_LIMIT_MIB = 512
_GET_PRICE = 0.0004


def command_line(arguments: list[str] | None = None) -> ExitCode:
    """Run one command; returns the exit code. Everything that goes wrong ends as one line on stderr."""
    from analyzer.presentation.console import run

    def call() -> ExitCode:
        try:
            code = app(args=arguments, prog_name="sts-regions", standalone_mode=False)
        except TyperException as error:
            raise UsageError(f"{error.format_message()} See 'sts-regions --help'.") from None
        if code == ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        return ExitCode(code or 0)

    return run(call)


@app.command()
def analyze(
    sources: Sources,
    store: StoreOption = None,
    since: Since = None,
    until: Until = None,
    min_days: MinDays = 90,
    account: Account = None,
    region: Region = None,
    service_calls: ServicePolicy = "review",
    trail: TrailFiles = None,
    public_keys: KeyFiles = None,
    exceptions: ExceptionsFile = None,
    init_exceptions: InitExceptions = None,
    compare: CompareWith = None,
    fail_on: FailOnKinds = None,
    output: Output = None,
    out: Out = None,
    show_all: ShowAll = False,
    profile: Profile = None,
    endpoint_url: EndpointUrl = None,
    request_payer: RequestPayer = False,
    no_sign_request: Unsigned = False,
    dry_run: DryRun = False,
    get_price: GetPrice = _GET_PRICE,
    list_all: ListAll = False,
    max_document_size: DocumentLimit = _DOCUMENT_LIMIT_MIB,
    threads: Threads = None,
) -> ExitCode:
    """Read logs and report which STS endpoints are used and which may be deactivated."""
    question = _question(since, until, min_days, account, region, service_calls, trail, public_keys, exceptions)
    watch = _watch(compare, fail_on)
    access = _access(profile, endpoint_url, request_payer, no_sign_request)
    scope = _scope(since, until, account, region)
    names = _with_trails(sources, store, trail)
    session = _session(
        names, store, max_document_size, threads, scope, access, list_all, discovers_trails=not dry_run
    )
    if dry_run:
        return _show_estimate(session, get_price, output, out)
    return _report(session, question, watch, output, out, show_all)


@app.command()
def ingest(
    sources: Sources,
    store: RequiredStore,
    since: Since = None,
    until: Until = None,
    account: Account = None,
    region: Region = None,
    trail: TrailFiles = None,
    profile: Profile = None,
    endpoint_url: EndpointUrl = None,
    request_payer: RequestPayer = False,
    no_sign_request: Unsigned = False,
    dry_run: DryRun = False,
    get_price: GetPrice = _GET_PRICE,
    list_all: ListAll = False,
    max_document_size: DocumentLimit = _DOCUMENT_LIMIT_MIB,
    threads: Threads = None,
) -> ExitCode:
    """Bring what is new in the logs into a store. The filters choose folders of a bucket; files are read whole."""
    _witnesses(trail, None)
    access = _access(profile, endpoint_url, request_payer, no_sign_request)
    scope = _scope(since, until, account, region)
    names = _with_trails(sources, store, trail)
    session = _session(
        names, store, max_document_size, threads, scope, access, list_all, discovers_trails=not dry_run
    )
    if dry_run:
        return _show_estimate(session, get_price, None, None)
    return _exit_code(session.ingest(store))


@app.command()
def report(
    store: RequiredStore,
    since: Since = None,
    until: Until = None,
    min_days: MinDays = 90,
    account: Account = None,
    region: Region = None,
    service_calls: ServicePolicy = "review",
    trail: TrailFiles = None,
    public_keys: KeyFiles = None,
    exceptions: ExceptionsFile = None,
    init_exceptions: InitExceptions = None,
    compare: CompareWith = None,
    fail_on: FailOnKinds = None,
    output: Output = None,
    out: Out = None,
    show_all: ShowAll = False,
) -> ExitCode:
    """Report from a store."""
    question = _question(since, until, min_days, account, region, service_calls, trail, public_keys, exceptions)
    return _report(_session([], store), question, _watch(compare, fail_on), output, out, show_all)


@app.command()
def coverage(
    sources: OptionalSources = None,
    store: StoreOption = None,
    since: Since = None,
    until: Until = None,
    account: Account = None,
    region: Region = None,
    trail: TrailFiles = None,
    public_keys: KeyFiles = None,
    holes: Annotated[bool, typer.Option("--holes", help="A row for each hole, not for each region.")] = False,
    output: Output = None,
    out: Out = None,
    show_all: ShowAll = False,
) -> ExitCode:
    """Show day by day what the logs really observe, how this is known, and what to do about every hole."""
    from analyzer.coverage_report import build_coverage_report
    from analyzer.presentation.coverage_view import coverage_answer

    question = _question(since, until, 0, account, region, "review", trail, public_keys)
    result, ingested = _session(_with_trails(sources or [], store, trail), store).report(question)
    _write(coverage_answer(build_coverage_report(result), list_holes=holes, show_all=show_all), output, out)
    return _evidence_code(result, ingested)


@app.command()
def usage(
    sources: OptionalSources = None,
    store: StoreOption = None,
    by: Annotated[Literal["day", "month"] | None, typer.Option(help="Count day by day or month by month.")] = None,
    since: Since = None,
    until: Until = None,
    account: Account = None,
    region: Region = None,
    output: Output = None,
    out: Out = None,
) -> ExitCode:
    """Count calls by account, endpoint and region: which endpoints are really used."""
    from analyzer.presentation.usage_view import period_answer, usage_answer
    from analyzer.report import build_report, usage_by_period

    question = _question(since, until, 0, account, region, "review")
    session = _session(sources or [], store)
    with session.opened() as (opened, ingested):
        if by is None:
            answer = usage_answer(build_report(opened, session.catalogue, question))
        else:
            answer = period_answer(usage_by_period(opened, question, by), by)
    _write(answer, output, out)
    return _exit_code(ingested)


@app.command()
def callers(
    sources: OptionalSources = None,
    store: StoreOption = None,
    since: Since = None,
    until: Until = None,
    account: Account = None,
    region: Region = None,
    endpoint: Annotated[
        Literal["global", "regional", "unknown"] | None,
        typer.Option(help="Only callers of this kind of endpoint."),
    ] = None,
    principal: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Only this principal, whole or with * and ?; may be repeated."),
    ] = None,
    output: Output = None,
    out: Out = None,
    show_all: ShowAll = False,
) -> ExitCode:
    """List who calls which endpoint, with what software, and what each caller has to change."""
    from analyzer.caller_report import Selection, build_caller_report
    from analyzer.presentation.callers_view import callers_answer
    from analyzer.usage import Endpoint

    question = _question(since, until, 0, account, region, "review")
    principals = tuple(map(_as_text, principal or ()))
    selection = Selection(Endpoint(endpoint) if endpoint else None, principals)
    with _session(sources or [], store).opened() as (opened, ingested):
        answer = callers_answer(build_caller_report(opened, question, selection), show_all=show_all)
    _write(answer, output, out)
    return _exit_code(ingested)


@app.command()
def simulate(
    sources: OptionalSources = None,
    store: StoreOption = None,
    deactivate: Annotated[
        list[str] | None,
        typer.Option(metavar="REGION[,REGION]", help="Regions to deactivate; may be repeated."),
    ] = None,
    migrate_global: Annotated[
        bool, typer.Option("--migrate-global", help="Let global callers be regional where they are served.")
    ] = False,
    since: Since = None,
    until: Until = None,
    account: Account = None,
    trail: TrailFiles = None,
    public_keys: KeyFiles = None,
    output: Output = None,
    out: Out = None,
    show_all: ShowAll = False,
) -> ExitCode:
    """Replay the logs: which calls would have been refused had these regions been deactivated, and whose."""
    from analyzer.catalogue import Catalogue
    from analyzer.presentation.simulation_view import simulation_answer
    from analyzer.simulation import Scenario, choose_regions, replay

    catalogue = Catalogue()
    scenario = Scenario(choose_regions(deactivate or (), catalogue), frozenset(account or ()), migrate_global)
    question = _question(since, until, 0, None, None, "review", trail, public_keys)
    with _session(_with_trails(sources or [], store, trail), store).opened() as (opened, ingested):
        report, result = replay(opened, catalogue, question, scenario)
    _write(simulation_answer(result, show_all=show_all), output, out)
    return _evidence_code(report, ingested)


@app.command()
def plan(
    sources: OptionalSources = None,
    store: StoreOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder to write: new, empty, or a former plan's.")
    ] = None,
    since: Since = None,
    until: Until = None,
    min_days: MinDays = 90,
    account: Account = None,
    service_calls: ServicePolicy = "review",
    trail: TrailFiles = None,
    public_keys: KeyFiles = None,
    output: Output = None,
) -> ExitCode:
    """Write for every account a runbook, policies, queries and the evidence; nothing is done in AWS."""
    from analyzer.catalogue import Catalogue
    from analyzer.plan import make_plan
    from analyzer.presentation.plan_files import check_folder, write_plan
    from analyzer.presentation.plan_view import plan_answer

    if out is None:
        raise UsageError("name the folder to write with --out DIR")
    check_folder(out)
    question = _question(since, until, min_days, None, None, service_calls, trail, public_keys)
    with _session(_with_trails(sources or [], store, trail), store).opened() as (opened, ingested):
        made = make_plan(opened, Catalogue(), question, account or ())
    write_plan(made, out, Catalogue())
    _write(plan_answer(made, out), output, None)
    return _evidence_code(made.report, ingested)


@app.command()
def query(
    name_or_sql: Annotated[
        str | None,
        typer.Argument(metavar="NAME|SQL", help="A query of queries/ or one SELECT; leave out to list."),
    ] = None,
    sources: OptionalSources = None,
    store: StoreOption = None,
    param: Parameters = None,
    since: Since = None,
    until: Until = None,
    show_sql: Annotated[bool, typer.Option("--show-sql", help="Print the whole statement instead.")] = False,
    output: Output = None,
    out: Out = None,
) -> ExitCode:
    """Ask a named query or your own SELECT. Tables: events, classify, usage, sources, current_sources."""
    from analyzer.catalogue import Catalogue
    from analyzer.presentation.query_view import names_answer, rows_answer
    from analyzer.queries import compose, load_query

    if name_or_sql is None:
        _write(names_answer(), output, out)
        return ExitCode.OK
    is_name = re.fullmatch(r"\w+", _as_text(name_or_sql)) is not None
    if not is_name and (param or since or until):
        raise UsageError("--param, --since and --until are for named queries; write the values into your SELECT")
    if show_sql:
        print(compose(name_or_sql, Catalogue()) if is_name else name_or_sql)
        return ExitCode.OK
    if is_name:
        load_query(name_or_sql)
    with _session(sources or [], store).opened() as (opened, ingested):
        if is_name:
            answer = rows_answer(opened.ask(name_or_sql, _values(opened, name_or_sql, param, since, until)))
        else:
            answer = rows_answer(opened.ask_ad_hoc(name_or_sql))
    _write(answer, output, out)
    return _exit_code(ingested)


@app.command()
def show(
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="An event's eventID.")],
    sources: OptionalSources = None,
    store: StoreOption = None,
    output: Output = None,
    out: Out = None,
) -> ExitCode:
    """Show one event as it is stored, and its raw record if the source is still there, secrets removed."""
    from analyzer.presentation.event_view import event_answer
    from analyzer.raw_record import find_raw_record
    from analyzer.sources.locate import read_again

    session = _session(sources or [], store)
    with session.opened() as (opened, _):
        found = opened.source_of(_as_text(event_id))
        if found is None:
            raise UsageError(f"no event {event_id} is in the store; 'sts-regions query' can search for it")
        event, source = found
        limit = session.options.document_limit
        raw = find_raw_record(event_id, source, lambda row: read_again(row, limit), limit)
    _write(event_answer(event, source, raw), output, out)
    return ExitCode.OK


@app.command()
def endpoints(
    region: Region = None,
    partition: Annotated[str | None, typer.Option(help="Only this partition, like aws or aws-cn.")] = None,
    output: Output = None,
    out: Out = None,
) -> ExitCode:
    """List the STS endpoints that the catalogue knows, and whether each can be deactivated."""
    from analyzer.catalogue import Catalogue
    from analyzer.presentation.endpoints_view import endpoints_answer

    catalogue = Catalogue()
    wanted = [catalogue.region(code) for code in region] if region else list(catalogue.regions)
    _write(endpoints_answer([r for r in wanted if partition in (None, r.partition)]), output, out)
    return ExitCode.OK


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        from analyzer.version import __version__

        print(f"sts-regions {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


def _session(
    names: list[str],
    store: Path | None,
    document_limit_mib: int = _DOCUMENT_LIMIT_MIB,
    threads: int | None = None,
    scope: "Scope | None" = None,
    access: "AwsAccess | None" = None,
    lists_all: bool = False,
    discovers_trails: bool = False,
) -> "Session":
    from datetime import UTC, datetime

    import pyarrow

    from analyzer.catalogue import Catalogue
    from analyzer.presentation.console import ConsoleNarrator
    from analyzer.sources.named import AwsAccess, Naming, Scope
    from analyzer.workflow import Session

    if not names and store is None:
        raise UsageError("name logs to read, or a store with --store DIR")
    # Measured: the system's allocator takes a sixth less CPU and memory here than Arrow's default.
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    options, narrator, catalogue = _options(document_limit_mib, threads), ConsoleNarrator(), Catalogue()
    naming = Naming(
        options.document_limit,
        datetime.now(UTC).replace(tzinfo=None),
        narrator.remark,
        scope=scope or Scope(),
        access=access or AwsAccess(),
        discovers_trails=discovers_trails,
    )
    return Session(naming.sources(names, catalogue), store, options, narrator, catalogue, lists_all)


def _access(profile: str | None, endpoint_url: str | None, request_payer: bool, unsigned: bool) -> "AwsAccess":
    from analyzer.sources.named import AwsAccess

    return AwsAccess(profile, endpoint_url, request_payer, not unsigned)


def _scope(since: str | None, until: str | None, account: list[str] | None, region: list[str] | None) -> "Scope":
    from analyzer.sources.named import Scope

    return Scope(_day(since, "--since"), _day(until, "--until"), frozenset(account or ()), frozenset(region or ()))


def _show_estimate(session: "Session", price: float, output: str | None, out: Path | None) -> ExitCode:
    from analyzer.presentation.estimate_view import estimate_answer

    found = session.estimate()
    _write(estimate_answer(found, price), output, out)
    return ExitCode.INPUT_REJECTED if found.unreadable else ExitCode.OK


def _options(document_limit_mib: int, threads: int | None) -> "IngestOptions":
    from analyzer.ingest import IngestOptions

    limit = document_limit_mib * 1024 * 1024
    return IngestOptions(limit) if threads is None else IngestOptions(limit, threads=threads)


def _question(
    since: str | None,
    until: str | None,
    min_days: int,
    account: list[str] | None,
    region: list[str] | None,
    service_calls: str,
    trail: list[Path] | None = None,
    public_keys: list[Path] | None = None,
    exceptions: Path | None = None,
) -> "Question":
    from analyzer.report import Question
    from analyzer.verdicts import Policy, ServiceCalls
    from analyzer.workflow import read_exemptions

    return Question(
        since=_day(since, "--since"),
        until=_day(until, "--until"),
        policy=Policy(min_days, ServiceCalls(service_calls)),
        accounts=frozenset(account or ()),
        regions=frozenset(region or ()) if "all" not in (region or ()) else frozenset(),
        witnesses=_witnesses(trail, public_keys),
        exemptions=read_exemptions(exceptions),
    )


def _watch(compare: Path | None, fail_on: list[str] | None) -> "Watch":
    from analyzer.findings import Watch, parse_fail_on
    from analyzer.workflow import read_baseline

    return Watch(read_baseline(compare), parse_fail_on(fail_on or ()))


def _witnesses(trail: list[Path] | None, public_keys: list[Path] | None) -> "Witnesses":
    from analyzer.workflow import read_witnesses

    return read_witnesses(trail or (), public_keys or ())


def _with_trails(sources: list[str], store: Path | None, trail: list[Path] | None) -> list[str]:
    """The sources, and the trail descriptions too where they are to be kept."""
    return [*sources, *map(str, trail or ())] if sources and store else sources


def _as_text(argument: str) -> str:
    """The argument, if its bytes are text at all."""
    if not argument.isascii() and argument.encode("utf-8", "replace").decode() != argument:
        raise UsageError("an argument is not UTF-8; check the quoting")
    return argument


def _day(text: str | None, option: str) -> date | None:
    from analyzer.window import parse_day

    return None if text is None else parse_day(text, option)


def _report(
    session: "Session", question: "Question", watch: "Watch", output: str | None, out: Path | None, show_all: bool
) -> ExitCode:
    from analyzer.presentation.console import say
    from analyzer.presentation.report_view import report_answer
    from analyzer.presentation.watch_view import expired_lines, finding_lines

    result, ingested = session.report(question)
    watched = watch.look(result)
    _write(report_answer(result, show_all=show_all, watched=watched), output, out)
    code = _evidence_code(result, ingested)
    for line in [*expired_lines(question.exemptions), *finding_lines(watched.findings or ())]:
        say(line)
    # Findings were asked for: they win over rejected input, which stderr names as well.
    return ExitCode.FINDINGS if watched.findings else code


def _evidence_code(result: "Report", ingested: "Ingested | None") -> ExitCode:
    """Narrate the run, and what is not as CloudTrail delivered it; the answer does not rest on that."""
    from analyzer.presentation.console import evidence_lines, say

    code = _exit_code(ingested)
    for line in evidence_lines(result.evidence, ingested.named if ingested else ()):
        say(line)
    return ExitCode.INPUT_REJECTED if result.evidence.has_invalid_content else code


def _values(
    store: "Store", name: str, given: list[str] | None, since: str | None, until: str | None
) -> "dict[str, Value]":
    """Values for a named query: the window, and what --param gives, each of the type the query asks for."""
    from analyzer.queries import parameters_of
    from analyzer.report import window_of, window_values

    parameters = parameters_of(name)
    if (since or until) and "since" not in parameters:
        raise UsageError(f"query {name} has no window; leave out --since and --until")
    values = window_values(window_of(store, _day(since, "--since"), _day(until, "--until")))
    for pair in given or ():
        key, separator, text = pair.partition("=")
        if not separator or key not in parameters:
            known = ", ".join(sorted(parameters)) or "none"
            raise UsageError(f"--param takes NAME=VALUE with a parameter of {name} ({known}), not {pair!r}")
        values[key] = parameters[key].parse(text)
    return values


def _exit_code(ingested: "Ingested | None") -> ExitCode:
    """Narrate the balance of a run; the exit code says whether anything was rejected."""
    from analyzer.presentation.console import balance_line, say

    if ingested is None:
        return ExitCode.OK
    say(balance_line(ingested.balance))
    return ExitCode.INPUT_REJECTED if ingested.has_rejections else ExitCode.OK


def _write(answer: "Answer", output: str | None, out: Path | None) -> None:
    from analyzer.presentation.output import Format, write

    suffixes: dict[str, Any] = {".json": Format.JSON, ".csv": Format.CSV, ".md": Format.MARKDOWN}
    form = Format(output) if output else suffixes.get(out.suffix if out else "", Format.TABLE)
    write(answer, form, out)
