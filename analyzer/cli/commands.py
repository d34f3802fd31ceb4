"""The commands: each parses, asks, writes its answer and ends in an exit code."""

import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.exceptions import TyperException

from analyzer.cli.arguments import (
    answer_report,
    as_text,
    evidence_code,
    exit_code,
    make_access,
    make_question,
    make_scope,
    make_session,
    make_watch,
    query_values,
    read_witness_files,
    say_what_was_pruned,
    show_estimate,
    wants_html,
    with_trails,
    write_answer,
)
from analyzer.cli.options import (
    DOCUMENT_LIMIT_MIB,
    GET_PRICE,
    Account,
    CompareWith,
    DocumentLimit,
    DryRun,
    EndpointUrl,
    ExceptionsFile,
    FailOnKinds,
    GetPrice,
    InitExceptions,
    KeyFiles,
    ListAll,
    MinDays,
    OptionalSources,
    Out,
    Output,
    Parameters,
    Profile,
    Region,
    ReportOut,
    ReportOutput,
    RequestPayer,
    RequiredStore,
    ServicePolicy,
    ShowAll,
    Since,
    Sources,
    StoreOption,
    Threads,
    TrailFiles,
    Unsigned,
    Until,
)
from analyzer.cli.store_commands import store_app
from analyzer.errors import ExitCode, UsageError

app = typer.Typer(
    name="sts-regions",
    help="Which regional AWS STS endpoints are used, by whom, and which may be deactivated: "
    "told from CloudTrail logs.",
    epilog="Exit codes: 0 fine; 1 failed; 2 usage; 3 findings asked for; 4 finished, some input was rejected; "
    "130 interrupted; 143 the same by SIGTERM.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


app.add_typer(store_app)


def command_line(arguments: list[str] | None = None) -> ExitCode:
    """Run one command; returns the exit code. Everything that goes wrong ends as one line on stderr."""
    from analyzer.presentation.console import run

    def call() -> ExitCode:
        try:
            typed = sys.argv[1:] if arguments is None else arguments
            shown = shlex.join(["sts-regions", *typed])
            code = app(args=arguments, prog_name="sts-regions", standalone_mode=False, obj=shown)
        except TyperException as error:
            raise UsageError(f"{error.format_message()} See 'sts-regions --help'.") from None
        if code == ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        return ExitCode(code or 0)

    return run(call)


@app.command()
def analyze(
    context: typer.Context,
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
    output: ReportOutput = None,
    out: ReportOut = None,
    show_all: ShowAll = False,
    profile: Profile = None,
    endpoint_url: EndpointUrl = None,
    request_payer: RequestPayer = False,
    no_sign_request: Unsigned = False,
    dry_run: DryRun = False,
    get_price: GetPrice = GET_PRICE,
    list_all: ListAll = False,
    max_document_size: DocumentLimit = DOCUMENT_LIMIT_MIB,
    threads: Threads = None,
) -> ExitCode:
    """Read logs and report which STS endpoints are used and which may be deactivated."""
    if dry_run and wants_html(output, out):
        raise UsageError("--dry-run has no HTML form; choose another --output or --out")
    question = make_question(
        since, until, min_days, account, region, service_calls, trail, public_keys, exceptions
    )
    watch = make_watch(compare, fail_on)
    access = make_access(profile, endpoint_url, request_payer, no_sign_request)
    scope = make_scope(since, until, account, region)
    names = with_trails(sources, store, trail)
    session = make_session(
        names, store, max_document_size, threads, scope, access, list_all, discovers_trails=not dry_run
    )
    if dry_run:
        return show_estimate(session, get_price, output, out)
    return answer_report(session, question, watch, output, out, show_all, context.obj)


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
    get_price: GetPrice = GET_PRICE,
    list_all: ListAll = False,
    max_document_size: DocumentLimit = DOCUMENT_LIMIT_MIB,
    threads: Threads = None,
) -> ExitCode:
    """Bring what is new in the logs into a store. The filters choose folders of a bucket; files are read whole."""
    read_witness_files(trail, None)
    access = make_access(profile, endpoint_url, request_payer, no_sign_request)
    scope = make_scope(since, until, account, region)
    names = with_trails(sources, store, trail)
    session = make_session(
        names, store, max_document_size, threads, scope, access, list_all, discovers_trails=not dry_run
    )
    if dry_run:
        return show_estimate(session, get_price, None, None)
    return exit_code(session.ingest(store))


@app.command()
def report(
    context: typer.Context,
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
    output: ReportOutput = None,
    out: ReportOut = None,
    show_all: ShowAll = False,
) -> ExitCode:
    """Report from a store."""
    question = make_question(
        since, until, min_days, account, region, service_calls, trail, public_keys, exceptions
    )
    watch = make_watch(compare, fail_on)
    return answer_report(make_session([], store), question, watch, output, out, show_all, context.obj)


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

    question = make_question(since, until, 0, account, region, "review", trail, public_keys)
    result, ingested = make_session(with_trails(sources or [], store, trail), store).report(question)
    write_answer(coverage_answer(build_coverage_report(result), list_holes=holes, show_all=show_all), output, out)
    return evidence_code(result, ingested)


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

    question = make_question(since, until, 0, account, region, "review")
    session = make_session(sources or [], store)
    with session.opened() as (opened, ingested):
        say_what_was_pruned(opened, since)
        if by is None:
            answer = usage_answer(build_report(opened, session.catalogue, question))
        else:
            answer = period_answer(usage_by_period(opened, question, by), by)
    write_answer(answer, output, out)
    return exit_code(ingested)


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
    exceptions: ExceptionsFile = None,
    output: Output = None,
    out: Out = None,
    show_all: ShowAll = False,
) -> ExitCode:
    """List who calls which endpoint, with what software, and what each caller has to change."""
    from analyzer.caller_report import Selection, build_caller_report
    from analyzer.presentation.callers_view import callers_answer
    from analyzer.usage import Endpoint

    question = make_question(since, until, 0, account, region, "review", exceptions=exceptions)
    principals = tuple(map(as_text, principal or ()))
    selection = Selection(Endpoint(endpoint) if endpoint else None, principals)
    with make_session(sources or [], store).opened() as (opened, ingested):
        say_what_was_pruned(opened, since)
        answer = callers_answer(build_caller_report(opened, question, selection), show_all=show_all)
    write_answer(answer, output, out)
    return exit_code(ingested)


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
    question = make_question(since, until, 0, None, None, "review", trail, public_keys)
    with make_session(with_trails(sources or [], store, trail), store).opened() as (opened, ingested):
        report, result = replay(opened, catalogue, question, scenario)
    write_answer(simulation_answer(result, show_all=show_all), output, out)
    return evidence_code(report, ingested)


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
    question = make_question(since, until, min_days, None, None, service_calls, trail, public_keys)
    with make_session(with_trails(sources or [], store, trail), store).opened() as (opened, ingested):
        made = make_plan(opened, Catalogue(), question, account or ())
    write_plan(made, out, Catalogue())
    write_answer(plan_answer(made, out), output, None)
    return evidence_code(made.report, ingested)


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
        write_answer(names_answer(), output, out)
        return ExitCode.OK
    is_name = re.fullmatch(r"\w+", as_text(name_or_sql)) is not None
    if not is_name and (param or since or until):
        raise UsageError("--param, --since and --until are for named queries; write the values into your SELECT")
    if show_sql:
        print(compose(name_or_sql, Catalogue()) if is_name else name_or_sql)
        return ExitCode.OK
    if is_name:
        load_query(name_or_sql)
    with make_session(sources or [], store).opened() as (opened, ingested):
        say_what_was_pruned(opened, since)
        if is_name:
            answer = rows_answer(opened.ask(name_or_sql, query_values(opened, name_or_sql, param, since, until)))
        else:
            answer = rows_answer(opened.ask_ad_hoc(name_or_sql))
    write_answer(answer, output, out)
    return exit_code(ingested)


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

    session = make_session(sources or [], store)
    with session.opened() as (opened, _):
        found = opened.source_of(as_text(event_id))
        if found is None:
            raise UsageError(f"no event {event_id} is in the store; 'sts-regions query' can search for it")
        event, source = found
        limit = session.options.document_limit
        raw = find_raw_record(event_id, source, lambda row: read_again(row, limit), limit)
    write_answer(event_answer(event, source, raw), output, out)
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
    write_answer(endpoints_answer([r for r in wanted if partition in (None, r.partition)]), output, out)
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
