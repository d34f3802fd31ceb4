"""The named queries answer what their comments say, and ad hoc SQL reads the store and touches nothing."""

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
from trail import ACCOUNT, DAY, OTHER_ACCOUNT, Record, record, run, service_identity, trail_file

from analyzer.catalogue import Catalogue
from analyzer.cli import command_line
from analyzer.errors import ExitCode
from analyzer.queries import load_query, parameters_of, query_names
from analyzer.sources import MemorySource
from analyzer.workflow import Session

CATALOGUE = Catalogue()
ANN = f"arn:aws:iam::{ACCOUNT}:user/ann"
BEN = f"arn:aws:iam::{OTHER_ACCOUNT}:user/ben"
CONFIG = "config.amazonaws.com"
NOON = f"{DAY}T12:00:00Z"


def at(endpoint: str, **details: str) -> Record:
    return {"RequestDetails": {"endpointType": endpoint, **details}}


TEN_RECORDS = [
    record("e01", additionalEventData=at("regional")),
    record(
        "e02",
        eventTime=f"{DAY}T13:00:00Z",
        userIdentity=service_identity(CONFIG),
        requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{CONFIG}/R"},
    ),
    # One call in two copies: the role owner's, without the caller's ARN, has the smaller eventID.
    record(
        "e03",
        sharedEventID="s1",
        awsRegion="eu-central-1",
        userIdentity={"type": "AWSAccount", "accountId": OTHER_ACCOUNT, "principalId": "AIDABEN"},
    ),
    record(
        "e04",
        sharedEventID="s1",
        awsRegion="eu-central-1",
        recipientAccountId=OTHER_ACCOUNT,
        userIdentity={"type": "IAMUser", "arn": BEN, "accountId": OTHER_ACCOUNT, "principalId": "AIDABEN"},
    ),
    record("e05", eventName="GetCallerIdentity", requestParameters=None),
    record(
        "e06",
        awsRegion="us-east-1",
        eventTime="2026-10-02T00:00:00Z",
        tlsDetails={"clientProvidedHostHeader": "sts.amazonaws.com"},
        additionalEventData={"RequestDetails": {"awsServingRegion": "eu-west-3"}},
    ),
    record("e07", awsRegion="us-east-1"),
    record("e08", awsRegion="ap-south-1", errorCode="RegionDisabledException", errorMessage="no"),
    record("e09", eventName="MintToken", eventTime="2026-11-01T00:00:00Z"),
    record("e10", eventSource="ec2.amazonaws.com", eventName="RunInstances", readOnly=False),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of ten records. Nothing here may change it."""
    path = tmp_path_factory.mktemp("ten") / "store"
    source = MemorySource({"ten.json": trail_file(*TEN_RECORDS)}, {"ten.json": "1"})
    Session([source], path, catalogue=CATALOGUE).ingest(path)
    return path


def ask(store: Path, out: Path, name: str, *parameters: str) -> list[Record]:
    """The rows of a query."""
    given = [part for parameter in parameters for part in ("--param", parameter)]
    code, rows = run("query", name, "--store", store, *given, out=out)
    assert code == ExitCode.OK
    answer: list[Record] = rows
    return answer


def columns(rows: Sequence[Record], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def content(folder: Path) -> dict[str, tuple[int, str]]:
    """All files and folders below, with the time of their last change and the hash of what is in them."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mtime_ns,
            "" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in folder.rglob("*")
    }


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[ExitCode, str]:
    """Run a command that fails, with one line on stderr and nothing on stdout."""
    capsys.readouterr()
    code = command_line([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("sts-regions: error: ")
    return code, lines[0]


# The files of queries/


@pytest.mark.parametrize("name", query_names())
def test_every_query_says_its_question_and_what_a_row_is(name: str) -> None:
    query = load_query(name)
    assert query.question.endswith("?")
    assert re.search(r"\bA row is one|\bOne row\b", query.description)
    assert query.needs


@pytest.mark.parametrize("name", query_names())
def test_every_placeholder_of_a_query_is_declared(name: str) -> None:
    assert set(re.findall(r"\$(\w+)", load_query(name).sql)) <= set(parameters_of(name))


def test_the_files_are_these_questions() -> None:
    assert query_names() == (
        "activity",
        "callers",
        "calls",
        "classify",
        "demand",
        "endpoint_callers",
        "errors",
        "global_callers",
        "other_activity",
        "principals",
        "span",
        "unknown_operations",
        "usage",
        "usage_by_period",
        "use_by_principal",
    )


# Ten records


def test_calls_has_one_row_for_each_request_however_many_copies_were_logged(store: Path, tmp_path: Path) -> None:
    rows = ask(store, tmp_path, "calls")
    assert sorted(row["event_id"] for row in rows) == ["e01", "e02", "e04", "e05", "e06", "e07", "e08", "e09"]
    (shared,) = (row for row in rows if row["event_id"] == "e04")
    assert (shared["user_identity_arn"], shared["recipient_account_id"]) == (BEN, OTHER_ACCOUNT)


def test_classify_says_endpoint_region_and_evidence_of_each_call(store: Path, tmp_path: Path) -> None:
    rows = sorted(ask(store, tmp_path, "classify"), key=lambda row: str(row["event_id"]))
    assert columns(rows, "event_id", "endpoint", "region", "serving_region", "evidence") == [
        ("e01", "regional", "eu-west-1", None, "endpoint_type"),
        ("e02", "regional", "eu-west-1", None, "aws_region"),
        ("e04", "regional", "eu-central-1", None, "aws_region"),
        ("e05", "regional", "eu-west-1", None, "aws_region"),
        ("e06", "global", None, "eu-west-3", "host"),
        ("e07", "unknown", None, None, "none"),
        ("e08", "regional", "ap-south-1", None, "aws_region"),
        ("e09", "regional", "eu-west-1", None, "aws_region"),
    ]


def test_classify_says_who_called_and_whether_credentials_were_issued(store: Path, tmp_path: Path) -> None:
    rows = sorted(ask(store, tmp_path, "classify"), key=lambda row: str(row["event_id"]))
    names = ("event_id", "is_issuing", "is_failed", "is_unknown_operation", "is_made_by_service", "principal")
    assert columns(rows, *names) == [
        ("e01", True, False, False, False, ANN),
        ("e02", True, False, False, True, CONFIG),
        ("e04", True, False, False, False, BEN),
        ("e05", False, False, False, False, ANN),
        ("e06", True, False, False, False, ANN),
        ("e07", True, False, False, False, ANN),
        ("e08", False, True, False, False, ANN),
        ("e09", False, False, True, False, ANN),
    ]


def test_usage_counts_calls_by_account_endpoint_and_region(store: Path, tmp_path: Path) -> None:
    rows = ask(store, tmp_path, "usage")
    names = (
        "account_id",
        "endpoint",
        "region",
        "serving_region",
        "calls",
        "issuing_calls",
        "service_calls",
        "service_linked_calls",
        "failed_calls",
        "non_issuing_calls",
        "unknown_operations",
        "region_disabled_errors",
        "principals",
    )
    assert columns(rows, *names) == [
        (ACCOUNT, "global", None, "eu-west-3", 1, 1, 0, 0, 0, 0, 0, 0, 1),
        (ACCOUNT, "regional", "ap-south-1", None, 1, 0, 0, 0, 1, 0, 0, 1, 0),
        (ACCOUNT, "regional", "eu-central-1", None, 1, 1, 0, 0, 0, 0, 0, 0, 1),
        (ACCOUNT, "regional", "eu-west-1", None, 4, 2, 1, 1, 0, 2, 1, 0, 2),
        (ACCOUNT, "unknown", None, None, 1, 1, 0, 0, 0, 0, 0, 0, 1),
    ]
    assert columns(rows[3:4], "first_used", "last_used", "last_customer_call") == [
        (NOON, f"{DAY}T13:00:00Z", NOON)
    ]


def test_usage_by_period_cuts_usage_into_months(store: Path, tmp_path: Path) -> None:
    rows = ask(store, tmp_path, "usage_by_period", "period=month")
    regional = [row for row in rows if row["region"] == "eu-west-1"]
    assert columns(regional, "period", "calls", "issuing_calls", "non_issuing_calls") == [
        ("2026-10-01T00:00:00Z", 3, 2, 1),
        ("2026-11-01T00:00:00Z", 1, 0, 1),
    ]


def test_usage_by_period_adds_up_to_usage(store: Path, tmp_path: Path) -> None:
    days = ask(store, tmp_path, "usage_by_period", "period=day")
    usage = ask(store, tmp_path, "usage")
    for name in ("calls", "issuing_calls", "service_calls", "failed_calls", "non_issuing_calls"):
        assert sum(row[name] for row in days) == sum(row[name] for row in usage)


def test_activity_shows_writes_of_other_services_and_the_days_with_events(store: Path, tmp_path: Path) -> None:
    rows = ask(store, tmp_path, "activity")
    assert columns(rows, "account_id", "aws_region", "events", "writes", "other_activity") == [
        (ACCOUNT, "ap-south-1", 1, 0, 0),
        (ACCOUNT, "eu-central-1", 1, 0, 0),
        (ACCOUNT, "eu-west-1", 5, 1, 1),
        (ACCOUNT, "us-east-1", 2, 0, 0),
        (OTHER_ACCOUNT, "eu-central-1", 1, 0, 0),
    ]


def test_span_is_the_first_and_the_last_event(store: Path, tmp_path: Path) -> None:
    assert ask(store, tmp_path, "span") == [{"first_event": NOON, "last_event": "2026-11-01T00:00:00Z"}]


def test_errors_names_code_principal_and_place(store: Path, tmp_path: Path) -> None:
    rows = ask(store, tmp_path, "errors")
    assert columns(rows, "account_id", "region", "error_code", "event_name", "principal", "calls") == [
        (ACCOUNT, "ap-south-1", "RegionDisabledException", "AssumeRole", ANN, 1)
    ]


def test_unknown_operations_names_what_botocore_does_not_know(store: Path, tmp_path: Path) -> None:
    rows = ask(store, tmp_path, "unknown_operations")
    assert columns(rows, "event_name", "account_id", "endpoint", "region", "calls") == [
        ("MintToken", ACCOUNT, "regional", "eu-west-1", 1)
    ]


def test_principals_lists_who_obtains_credentials_from_one_kind_of_endpoint(store: Path, tmp_path: Path) -> None:
    rows = ask(store, tmp_path, "principals", f"account={ACCOUNT}", "endpoint=regional")
    names = ("principal", "region", "is_made_by_service", "issuing_calls", "days_active")
    assert columns(rows, *names) == [
        (ANN, "eu-west-1", False, 1, 1),
        (BEN, "eu-central-1", False, 1, 1),
        (CONFIG, "eu-west-1", True, 1, 1),
    ]


def test_the_window_of_a_query_leaves_out_what_is_outside(store: Path, tmp_path: Path) -> None:
    window = ("since=2026-10-02", "until=2026-11-01")
    assert [row["event_id"] for row in ask(store, tmp_path, "calls", *window)] == ["e06"]
    _, rows = run(
        "query", "calls", "--store", store, "--since", "2026-10-02", "--until", "2026-11-01", out=tmp_path
    )
    assert [row["event_id"] for row in rows] == ["e06"]


# The command


def test_query_alone_lists_the_queries_with_their_parameters(tmp_path: Path) -> None:
    code, rows = run("query", out=tmp_path)
    assert code == ExitCode.OK
    assert [row["name"] for row in rows] == list(query_names())
    (principals,) = (row for row in rows if row["name"] == "principals")
    assert set(principals["parameters"].split(", ")) == {"since", "until", "account", "endpoint"}


@pytest.mark.parametrize("name", query_names())
def test_show_sql_prints_one_statement_that_runs_in_a_bare_duckdb_over_a_table_events(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert command_line(["query", name, "--show-sql"]) == ExitCode.OK
    sql = capsys.readouterr().out
    (statement,) = duckdb.extract_statements(sql)
    given = {
        "since": datetime(2026, 10, 1),
        "until": datetime(2026, 11, 2),
        "account": ACCOUNT,
        "endpoint": "regional",
        "period": "month",
    }
    wanted = parameters_of(name)
    table = pa.concat_tables(
        [pyarrow.parquet.read_table(p, partitioning=None) for p in sorted((store / "events").rglob("*.parquet"))]
    )
    with duckdb.connect() as connection:
        connection.register("given_rows", table)
        connection.execute("CREATE TABLE events AS SELECT * FROM given_rows")
        rows = connection.execute(
            statement.query, {name: value for name, value in given.items() if name in wanted}
        ).fetchall()
    parameters = [f"{p}={given[p]}" for p in wanted if p not in ("since", "until")]
    assert len(rows) == len(ask(store, tmp_path, name, *parameters)) > 0


@pytest.mark.parametrize(
    ("table", "rows"), [("events", 10), ("classify", 8), ("usage", 5), ("sources", 1), ("current_sources", 1)]
)
def test_ad_hoc_sql_sees_the_tables_that_the_help_names(
    store: Path, tmp_path: Path, table: str, rows: int
) -> None:
    code, answer = run("query", f"SELECT count(*) AS n FROM {table}", "--store", store, out=tmp_path)
    assert (code, answer) == (ExitCode.OK, [{"n": rows}])


@pytest.mark.parametrize(
    "sql",
    [
        "FROM events",
        "WITH e AS (SELECT * FROM events) SELECT * FROM e",
        "  SELECT * FROM events ;  ",
        "/* a comment */ SELECT * FROM events -- another",
        "(SELECT * FROM events)",
    ],
)
def test_ad_hoc_sql_may_be_any_single_select(store: Path, tmp_path: Path, sql: str) -> None:
    code, answer = run("query", sql, "--store", store, out=tmp_path)
    assert (code, len(answer)) == (ExitCode.OK, 10)


def test_ad_hoc_sql_may_read_the_parquet_of_the_store_itself(store: Path, tmp_path: Path) -> None:
    sql = f"SELECT count(*) AS n FROM read_parquet('{store}/events/*/*/*.parquet')"
    assert run("query", sql, "--store", store, out=tmp_path) == (ExitCode.OK, [{"n": 10}])


def test_ad_hoc_sql_over_logs_needs_no_store(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(trail_file(record("a")))
    code, answer = run("query", "SELECT event_id FROM events", tmp_path / "a.json", out=tmp_path)
    assert (code, answer) == (ExitCode.OK, [{"event_id": "a"}])


@pytest.mark.parametrize(
    ("sql", "row"),
    [
        ("SELECT 1 AS a, 2 AS b, 3 AS b", [1, 2, 3]),
        ("SELECT e.event_id, c.event_id FROM events e, classify c ORDER BY 1, 2 LIMIT 1", ["e01", "e01"]),
        ("SELECT NULL, TRUE, 1.5::DECIMAL(5, 2), [1, 2], INTERVAL 1 DAY, 'a'::BLOB", None),
        ("SELECT 'nan'::DOUBLE, 'inf'::DOUBLE", None),
        ("SELECT TIMESTAMP_NS '2026-10-01 00:00:00.123456789', now()", None),
        ("SELECT '\x1b[31m' || chr(0)", None),
    ],
)
def test_any_value_that_sql_can_make_is_shown(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], sql: str, row: list[Any] | None
) -> None:
    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    for form in ("csv", "table", "markdown", "json"):
        assert command_line(["query", sql, "--store", str(store), "--output", form]) == ExitCode.OK
    text = capsys.readouterr().out
    (answer,) = json.loads(text[text.index("[\n {") :], parse_constant=refuse)
    if row is not None:
        assert list(answer.values())[: len(row)] == row
        assert len(answer) == len(row)


@pytest.mark.parametrize("value", ["DATE '10000-01-01'", "DATE '-4000-01-01'", "TIMESTAMP 'infinity'"])
def test_a_time_that_python_cannot_hold_is_shown_or_refused_in_one_line(
    store: Path, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    code = command_line(["query", f"SELECT {value} AS moment", "--store", str(store)])
    captured = capsys.readouterr()
    assert code == ExitCode.OK or (code == ExitCode.FAILED and len(captured.err.splitlines()) == 1)


# Parameters that do not fit


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["principals", "--param", f"account={ACCOUNT}"], ExitCode.FAILED, "needs endpoint"),
        (["usage_by_period"], ExitCode.FAILED, "needs period; give it with --param NAME=VALUE"),
        (["usage", "--param", "colour=red"], ExitCode.USAGE, "(since, until), not 'colour=red'"),
        (["usage", "--param", "since"], ExitCode.USAGE, "NAME=VALUE"),
        (["usage", "--param", "=x"], ExitCode.USAGE, "NAME=VALUE"),
        (["usage", "--param", "since=yesterday"], ExitCode.USAGE, "2026-08-01, not 'yesterday'"),
        (["usage", "--param", "since=1"], ExitCode.USAGE, "2026-08-01, not '1'"),
        (["usage", "--since", "2026-02-30"], ExitCode.USAGE, "--since"),
        (["usage", "--since", "2026-10-02", "--until", "2026-10-01"], ExitCode.USAGE, "ends before it begins"),
        (["usage_by_period", "--param", "period=fortnight"], ExitCode.FAILED, "fortnight"),
        (["no_such_query"], ExitCode.FAILED, "there are: activity, callers"),
        (["SELECT $account"], ExitCode.FAILED, "account"),
        (["SELECT ?"], ExitCode.FAILED, "failed"),
        (["SELECT 1", "--param", "account=1"], ExitCode.USAGE, "--param"),
        (["SELECT 1", "--since", "2026-10-01"], ExitCode.USAGE, "--since"),
        (["span", "--since", "2026-10-01"], ExitCode.USAGE, "--since"),
    ],
)
def test_parameters_that_do_not_fit_are_one_line(
    store: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: ExitCode, said: str
) -> None:
    ended, line = refusal(capsys, "query", *arguments, "--store", store)
    assert ended == code
    assert said in line


def test_a_query_without_logs_and_without_a_store_says_what_to_name(capsys: pytest.CaptureFixture[str]) -> None:
    code, line = refusal(capsys, "query", "usage")
    assert code == ExitCode.USAGE
    assert "--store DIR" in line


# What ad hoc SQL may not do

STATEMENTS = [
    "COPY (SELECT 1) TO '{outside}/stolen.csv'",
    "COPY events TO '{store}/events/more.parquet'",
    "COPY sources FROM '{outside}/secret.csv'",
    "EXPORT DATABASE '{outside}/dump'",
    "IMPORT DATABASE '{outside}/dump'",
    "ATTACH '{outside}/new.duckdb'",
    'DETACH "sts-regions"',
    "USE temp",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "RESET ALL",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "CREATE TABLE t AS SELECT 1",
    "CREATE TEMP TABLE t AS SELECT 1",
    "CREATE OR REPLACE VIEW events AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "CREATE SECRET s (TYPE s3)",
    "INSERT INTO sources SELECT * FROM sources",
    "UPDATE meta SET value = '9'",
    "DELETE FROM sources",
    "TRUNCATE sources",
    "MERGE INTO sources USING sources AS s ON true WHEN MATCHED THEN DELETE",
    "DROP TABLE sources",
    "ALTER TABLE sources ADD COLUMN x INTEGER",
    "VACUUM sources",
    'CHECKPOINT "sts-regions"',
    "BEGIN TRANSACTION",
    "PREPARE p AS SELECT 1",
    "EXPLAIN ANALYZE SELECT 1",
    "SELECT 1; SELECT 2",
    "SELECT 1; DELETE FROM sources",
    "SELECT 1;; COPY (SELECT 1) TO '{outside}/stolen.csv'",
    "WITH gone AS (DELETE FROM sources RETURNING *) SELECT * FROM gone",
    "SELECT * FROM query('DELETE FROM sources')",
    "/* nothing but a comment */",
    "   ",
    "SELEC 1",
    "SELECT 'unterminated",
    "SELECT * FROM nowhere.at.all",
]

READS = [
    "SELECT * FROM read_text('{outside}/secret.csv')",
    "SELECT * FROM read_blob('{outside}/secret.csv')",
    "SELECT * FROM read_csv('{outside}/secret.csv')",
    "SELECT * FROM read_json('{outside}/secret.csv')",
    "SELECT * FROM read_parquet('{outside}/secret.parquet')",
    "SELECT * FROM read_parquet(['{store}/events/**', '{outside}/secret.parquet'])",
    "SELECT * FROM parquet_metadata('{outside}/secret.parquet')",
    "SELECT * FROM sniff_csv('{outside}/secret.csv')",
    "SELECT * FROM glob('{outside}/*')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM '{outside}/secret.csv'",
    "SELECT * FROM '{outside}/secret.parquet'",
    "SELECT * FROM query_table('{outside}/secret.parquet')",
    "SELECT * FROM read_text('{store}/events/../../outside/secret.csv')",
    "SELECT * FROM read_text('{store}/events/service=sts/../../../outside/secret.csv')",
    "SELECT * FROM read_text('{store}/events/./../lock')",
    "SELECT * FROM read_text('{store}/events2/secret.csv')",
    "SELECT * FROM read_text('{store}/events')",
    "SELECT * FROM read_text('file://{outside}/secret.csv')",
    "SELECT * FROM read_text('{store}/lock')",
    "SELECT * FROM read_text('/proc/self/environ')",
    "SELECT * FROM read_text('/dev/stdin')",
    "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
    "SELECT * FROM read_parquet('https://127.0.0.1:9/x.parquet')",
    "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
    "SELECT * FROM 'https://127.0.0.1:9/x.parquet'",
    "SELECT * FROM read_ndjson_objects('{outside}/secret.csv')",
    "SELECT * FROM parquet_kv_metadata('{outside}/secret.parquet')",
    "SELECT * FROM query('SELECT * FROM read_text(''{outside}/secret.csv'')')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_secrets(redact=false)",
    "SELECT * FROM which_secret('s3://bucket', 's3')",
    "SELECT getenv('HOME')",
    "SELECT * FROM planted",
    "SELECT * FROM sql",
    "SELECT * FROM events_folder",
]

planted = pa.table({"marker": ["PLANTED"]})


@pytest.mark.parametrize("sql", [*STATEMENTS, *READS])
def test_ad_hoc_sql_that_would_leave_the_store_is_refused_in_one_line_and_changes_nothing(
    store: Path, capsys: pytest.CaptureFixture[str], sql: str
) -> None:
    outside = store.parent / "outside"
    if not outside.exists():
        outside.mkdir()
        (outside / "secret.csv").write_text("name\nPLANTED\n")
        pyarrow.parquet.write_table(planted, outside / "secret.parquet")
        (store / "events2").mkdir()
        (store / "events2" / "secret.csv").write_text("name\nPLANTED\n")
    before = content(store.parent)
    statement = sql.format(store=store, outside=outside)
    code, line = refusal(capsys, "query", statement, "--store", store)
    assert code == ExitCode.FAILED
    assert "PLANTED" not in line
    assert "Traceback" not in line
    assert content(store.parent) == before


def test_bytes_that_are_no_unicode_are_refused_in_one_line(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["query", "SELECT '\udcff'"], ["show", "\udcff"]):
        refusal(capsys, *arguments, "--store", store)


# Values stay values

INJECTIONS = [
    "x' OR '1'='1",
    "x'; DELETE FROM sources; --",
    "' UNION SELECT * FROM sources --",
    "%",
]


@pytest.mark.parametrize("value", INJECTIONS)
@pytest.mark.parametrize("option", ["--account", "--region"])
def test_an_account_or_region_is_a_value_and_never_sql(
    store: Path, tmp_path: Path, option: str, value: str
) -> None:
    before = content(store)
    _, days = run("usage", "--by", "day", "--store", store, option, value, out=tmp_path)
    _, report = run("report", "--store", store, option, value, out=tmp_path)
    assert [days["usage"], report["usage"], report["verdicts"]] == [[], [], []]
    assert content(store) == before


@pytest.mark.parametrize("value", INJECTIONS)
def test_a_parameter_is_a_value_and_never_sql(store: Path, tmp_path: Path, value: str) -> None:
    before = content(store)
    assert ask(store, tmp_path, "principals", f"account={value}", "endpoint=regional") == []
    assert ask(store, tmp_path, "principals", f"account={ACCOUNT}", f"endpoint={value}") == []
    assert content(store) == before


@pytest.mark.parametrize("value", INJECTIONS)
def test_a_principal_an_event_and_an_exception_are_values_and_never_sql(
    store: Path, tmp_path: Path, value: str
) -> None:
    before = content(store)
    _, found = run("callers", "--store", store, "--principal", value, out=tmp_path)
    assert found["callers"] == []
    assert run("show", value, "--store", store, out=tmp_path)[0] == ExitCode.USAGE
    exceptions = tmp_path / "exceptions.toml"
    entry = f'account = "{ACCOUNT}"\nregion = "eu-west-1"\nprincipal = {json.dumps(value)}\n'
    reviewed = 'reason = "reviewed"\nexpires = 2099-01-01\n'
    exceptions.write_text(f"[[exception]]\n{entry}{reviewed}")
    assert run("report", "--store", store, "--exceptions", exceptions, out=tmp_path)[0] == ExitCode.OK
    assert content(store) == before


def test_a_value_may_contain_an_equals_sign(store: Path, tmp_path: Path) -> None:
    assert ask(store, tmp_path, "principals", "account=a=b", "endpoint=regional") == []
