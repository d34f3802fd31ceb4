"""The package in a notebook: the public names, a store opened by its path, and tables in Arrow."""

import inspect
import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from trail import ACCOUNT, key, record, run, write_tree

import analyzer
from analyzer import Policy, Question, Report, ReportTables, StoreReader, StsRegionsError, analyze, open_store
from analyzer.errors import QueryError, StoreError, UsageError

SAMPLE = Path(__file__).parents[1] / "sample_logs"
TWO_WEEKS = Question(policy=Policy(min_days=14))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the sample logs."""
    path = tmp_path_factory.mktemp("library") / "store"
    analyze(SAMPLE, store=path)
    return path


@pytest.fixture(scope="module")
def store(path: Path) -> StoreReader:
    return open_store(path)


@pytest.fixture(scope="module")
def report(store: StoreReader) -> Report:
    return store.report(TWO_WEEKS)


@pytest.fixture(scope="module")
def tables(report: Report) -> ReportTables:
    return report.to_arrow()


# Public names


def test_the_public_names_are_these() -> None:
    assert analyzer.__all__ == [
        "CoverageReport",
        "Exemptions",
        "Policy",
        "Question",
        "Report",
        "ReportTables",
        "ServiceCalls",
        "StoreReader",
        "StsRegionsError",
        "Verdict",
        "VerdictRow",
        "Window",
        "__version__",
        "analyze",
        "open_store",
        "read_exemptions",
    ]
    assert dir(analyzer) == sorted(analyzer.__all__)


@pytest.mark.parametrize("name", [name for name in analyzer.__all__ if name != "__version__"])
def test_a_public_name_is_there_and_documented(name: str) -> None:
    thing = getattr(analyzer, name)
    assert thing.__name__ == name
    assert inspect.getdoc(thing)
    for method, function in inspect.getmembers(thing, inspect.isfunction):
        if inspect.isclass(thing) and not method.startswith("_"):
            assert inspect.getdoc(function), method


@pytest.mark.parametrize(
    "function",
    [analyze, open_store, analyzer.read_exemptions, Report.to_arrow, Report.to_json]
    + [method for name, method in inspect.getmembers(StoreReader, inspect.isfunction) if name[0] != "_"],
)
def test_every_argument_and_result_of_a_public_function_has_a_type(function: object) -> None:
    signature = inspect.signature(function)  # type: ignore[arg-type]
    annotations = [p.annotation for p in signature.parameters.values() if p.name != "self"]
    assert inspect.Signature.empty not in [*annotations, signature.return_annotation]


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        _ = analyzer.analyse


def test_importing_the_package_loads_neither_duckdb_nor_arrow() -> None:
    code = "import sys, analyzer; sys.exit(bool({'duckdb', 'pyarrow', 'botocore'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=SAMPLE.parent)


# A store


def test_a_store_gives_the_report_that_the_logs_give(report: Report) -> None:
    direct = analyze(SAMPLE, question=TWO_WEEKS)
    assert report.verdicts == direct.verdicts
    assert report.usage == direct.usage
    assert report.global_callers == direct.global_callers


def test_a_store_gives_the_report_that_the_command_gives(report: Report, path: Path, tmp_path: Path) -> None:
    _, answer = run("report", "--store", path, "--min-days", "14", out=tmp_path)
    assert json.loads(json.dumps(report.to_json())) == answer


def test_usage_of_a_store_is_the_reports(store: StoreReader, tables: ReportTables) -> None:
    assert store.usage().equals(tables.usage)


def test_coverage_of_a_store_is_that_of_the_report(store: StoreReader, report: Report) -> None:
    assert [row.coverage for row in store.coverage(TWO_WEEKS).rows] == [row.coverage for row in report.verdicts]


def test_a_named_query_and_sql_give_tables_one_after_the_other(store: StoreReader) -> None:
    named = store.query("usage")
    counted = store.query("SELECT count(*) AS rows FROM usage")
    assert counted.column("rows").to_pylist() == [len(named)]
    assert len(store.report().usage) == len(named)


def test_a_named_query_takes_its_window_and_parameters(store: StoreReader) -> None:
    all_time = store.query("principals", account="444455556666", endpoint="global")
    one_day = store.query(
        "principals", account="444455556666", endpoint="global", since=date(2026, 10, 1), until=date(2026, 10, 2)
    )
    assert 0 < sum(one_day["issuing_calls"].to_pylist()) < sum(all_time["issuing_calls"].to_pylist())


def test_an_ingest_may_run_while_a_store_is_open(tmp_path: Path) -> None:
    logs = write_tree(tmp_path / "logs", {key(): [record()]})
    analyze(logs, store=tmp_path / "store")
    store = open_store(tmp_path / "store")
    write_tree(logs, {key(name="second"): [record("e2")]})
    analyze(logs, store=tmp_path / "store")
    assert store.usage()["calls"].to_pylist() == [2]


def test_a_store_says_where_it_is(store: StoreReader, path: Path) -> None:
    assert repr(store) == f"open_store({str(path)!r})"
    assert store.path == path


def test_a_store_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store there"):
        open_store(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("question", "parameters", "error"),
    [
        ("no_such_query", {}, QueryError),
        ("principals", {}, QueryError),
        ("principals", {"colour": "red"}, UsageError),
        ("SELECT 1", {"account": ACCOUNT}, UsageError),
        ("DROP TABLE sources", {}, QueryError),
        ("SELECT * FROM read_csv('/etc/passwd')", {}, QueryError),
    ],
)
def test_a_question_that_makes_no_sense_is_an_error_of_the_package(
    store: StoreReader, question: str, parameters: dict[str, Any], error: type[StsRegionsError]
) -> None:
    with pytest.raises(error):
        store.query(question, **parameters)


def test_a_window_for_a_query_without_one_is_an_error(store: StoreReader) -> None:
    with pytest.raises(UsageError, match="query span takes nothing; not since"):
        store.query("span", since=date(2026, 10, 1))


# Tables


def test_the_tables_hold_the_rows_of_the_json(report: Report, tables: ReportTables) -> None:
    answer = report.to_json()
    for name in ("usage", "verdicts", "global_callers"):
        table: pa.Table = getattr(tables, name)
        assert len(table) == len(answer[name])
        for field in ("account_id", "excepted"):
            assert table[field].to_pylist() == [row[field] for row in answer[name]]
    assert tables.verdicts["coverage_none"].to_pylist() == [r["coverage"]["none"] for r in answer["verdicts"]]
    assert tables.verdicts["reasons"].to_pylist() == [r["reasons"] for r in answer["verdicts"]]
    assert tables.usage["evidence_host"].to_pylist() == [r["evidence"]["host"] for r in answer["usage"]]


def test_every_field_of_the_json_is_a_column(report: Report, tables: ReportTables) -> None:
    answer = report.to_json()
    for name in ("usage", "verdicts", "global_callers"):
        fields = [
            f"{field}_{part}" if part else field
            for field, value in answer[name][0].items()
            for part in (value if isinstance(value, dict) else [""])
        ]
        assert getattr(tables, name).column_names == fields


def test_times_in_the_tables_are_utc(report: Report, tables: ReportTables) -> None:
    column = tables.usage["last_used"]
    assert column.type == pa.timestamp("s", tz="UTC")
    texts = [moment and moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in column.to_pylist()]
    assert texts == [row["last_used"] for row in report.to_json()["usage"]]


def test_empty_tables_have_their_columns(tmp_path: Path, tables: ReportTables) -> None:
    (tmp_path / "empty").mkdir()
    empty = analyze(tmp_path / "empty").to_arrow()
    for name in ("usage", "verdicts", "global_callers"):
        assert getattr(empty, name).schema == getattr(tables, name).schema
        assert len(getattr(empty, name)) == 0
