"""From what the user typed to what the product is called with, and from its answer to exit codes.

Everything heavy is imported where it is used: `--help` stays quick.
"""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzer.cli.options import DOCUMENT_LIMIT_MIB
from analyzer.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from analyzer.evidence import Witnesses
    from analyzer.findings import Watch, Watched
    from analyzer.ingest import Ingested, IngestOptions
    from analyzer.presentation.output import Answer
    from analyzer.queries import Value
    from analyzer.report import Question, Report
    from analyzer.sources.named import AwsAccess, Scope
    from analyzer.store import Store
    from analyzer.workflow import Session


def make_session(
    names: list[str],
    store: Path | None,
    document_limit_mib: int = DOCUMENT_LIMIT_MIB,
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
    options, narrator, catalogue = make_options(document_limit_mib, threads), ConsoleNarrator(), Catalogue()
    naming = Naming(
        options.document_limit,
        datetime.now(UTC).replace(tzinfo=None),
        narrator.remark,
        scope=scope or Scope(),
        access=access or AwsAccess(),
        discovers_trails=discovers_trails,
        keeps=store is not None,
    )
    return Session(naming.sources(names, catalogue), store, options, narrator, catalogue, lists_all)


def make_access(profile: str | None, endpoint_url: str | None, request_payer: bool, unsigned: bool) -> "AwsAccess":
    from analyzer.sources.named import AwsAccess

    return AwsAccess(profile, endpoint_url, request_payer, not unsigned)


def make_scope(
    since: str | None, until: str | None, account: list[str] | None, region: list[str] | None
) -> "Scope":
    from analyzer.sources.named import Scope

    return Scope(
        day_of(since, "--since"), day_of(until, "--until"), frozenset(account or ()), frozenset(region or ())
    )


def show_estimate(session: "Session", price: float, output: str | None, out: Path | None) -> ExitCode:
    from analyzer.presentation.estimate_view import estimate_answer

    found = session.estimate()
    write_answer(estimate_answer(found, price), output, out)
    return ExitCode.INPUT_REJECTED if found.unreadable else ExitCode.OK


def make_options(document_limit_mib: int, threads: int | None) -> "IngestOptions":
    from analyzer.ingest import IngestOptions

    limit = document_limit_mib * 1024 * 1024
    return IngestOptions(limit) if threads is None else IngestOptions(limit, threads=threads)


def make_question(
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
        since=day_of(since, "--since"),
        until=day_of(until, "--until"),
        policy=Policy(min_days, ServiceCalls(service_calls)),
        accounts=frozenset(account or ()),
        regions=frozenset(region or ()) if "all" not in (region or ()) else frozenset(),
        witnesses=read_witness_files(trail, public_keys),
        exemptions=read_exemptions(exceptions),
    )


def make_watch(compare: Path | None, fail_on: list[str] | None) -> "Watch":
    from analyzer.findings import Watch, parse_fail_on
    from analyzer.workflow import read_baseline

    return Watch(read_baseline(compare), parse_fail_on(fail_on or ()))


def read_witness_files(trail: list[Path] | None, public_keys: list[Path] | None) -> "Witnesses":
    from analyzer.workflow import read_witnesses

    return read_witnesses(trail or (), public_keys or ())


def with_trails(sources: list[str], store: Path | None, trail: list[Path] | None) -> list[str]:
    """The sources, and the trail descriptions too where they are to be kept."""
    return [*sources, *map(str, trail or ())] if sources and store else sources


def as_text(argument: str) -> str:
    """The argument, if its bytes are text at all."""
    if not argument.isascii() and argument.encode("utf-8", "replace").decode() != argument:
        raise UsageError("an argument is not UTF-8; check the quoting")
    return argument


def day_of(text: str | None, option: str) -> date | None:
    from analyzer.window import parse_day

    return None if text is None else parse_day(text, option)


def answer_report(
    session: "Session",
    question: "Question",
    watch: "Watch",
    output: str | None,
    out: Path | None,
    show_all: bool,
    command: str,
) -> ExitCode:
    """Write the report in the form asked for. `command`: what was typed, for the HTML report's footer."""
    from analyzer.presentation.console import say
    from analyzer.presentation.report_view import report_answer
    from analyzer.presentation.watch_view import expired_lines, finding_lines

    if wants_html(output, out):
        result, watched, ingested = _write_page(session, question, watch, out, command)
    else:
        result, ingested = session.report(question)
        watched = watch.look(result)
        write_answer(report_answer(result, show_all=show_all, watched=watched), output, out)
    code = evidence_code(result, ingested)
    for line in [*expired_lines(question.exemptions), *finding_lines(watched.findings or ())]:
        say(line)
    # Findings were asked for: they win over rejected input, which stderr names as well.
    return ExitCode.FINDINGS if watched.findings else code


def wants_html(output: str | None, out: Path | None) -> bool:
    """Whether the report for people is asked for, by name or by suffix."""
    return output == "html" or (output is None and out is not None and out.suffix == ".html")


def _write_page(
    session: "Session", question: "Question", watch: "Watch", out: Path | None, command: str
) -> "tuple[Report, Watched, Ingested | None]":
    from analyzer.dossier import gather_dossier
    from analyzer.presentation.html.page import render_page
    from analyzer.presentation.output import write_text
    from analyzer.report import build_report

    with session.opened() as (store, ingested):
        report = build_report(store, session.catalogue, question, ingested.balance if ingested else None)
        dossier = gather_dossier(store, report)
    watched = watch.look(report)
    write_text(render_page(dossier, command, watched), out)
    return report, watched, ingested


def evidence_code(result: "Report", ingested: "Ingested | None") -> ExitCode:
    """Narrate the run, and what is not as CloudTrail delivered it; the answer does not rest on that."""
    from analyzer.presentation.console import evidence_lines, say

    code = exit_code(ingested)
    for line in evidence_lines(result.evidence, ingested.named if ingested else ()):
        say(line)
    return ExitCode.INPUT_REJECTED if result.evidence.has_invalid_content else code


def query_values(
    store: "Store", name: str, given: list[str] | None, since: str | None, until: str | None
) -> "dict[str, Value]":
    """Values for a named query: the window, and what --param gives, each of the type the query asks for."""
    from analyzer.queries import parameters_of
    from analyzer.report import window_of, window_values

    parameters = parameters_of(name)
    if (since or until) and "since" not in parameters:
        raise UsageError(f"query {name} has no window; leave out --since and --until")
    values = window_values(window_of(store, day_of(since, "--since"), day_of(until, "--until")))
    for pair in given or ():
        key, separator, text = pair.partition("=")
        if not separator or key not in parameters:
            known = ", ".join(sorted(parameters)) or "none"
            raise UsageError(f"--param takes NAME=VALUE with a parameter of {name} ({known}), not {pair!r}")
        values[key] = parameters[key].parse(text)
    return values


def say_what_was_pruned(store: "Store", since: str | None) -> None:
    """A line if the window reaches back to days of which the events were removed."""
    from analyzer.evidence import pruned_remarks
    from analyzer.presentation.console import say

    for line in pruned_remarks(store, day_of(since, "--since")):
        say(line)


def exit_code(ingested: "Ingested | None") -> ExitCode:
    """Narrate the balance of a run; the exit code says whether anything was rejected."""
    from analyzer.presentation.console import balance_line, say

    if ingested is None:
        return ExitCode.OK
    say(balance_line(ingested.balance))
    return ExitCode.INPUT_REJECTED if ingested.has_rejections else ExitCode.OK


def write_answer(answer: "Answer", output: str | None, out: Path | None) -> None:
    from analyzer.presentation.output import Format, write

    suffixes: dict[str, Any] = {".json": Format.JSON, ".csv": Format.CSV, ".md": Format.MARKDOWN}
    form = Format(output) if output else suffixes.get(out.suffix if out else "", Format.TABLE)
    write(answer, form, out)
