"""No secret of a log is in any byte that the product writes, wherever it stands and whatever is broken."""

import gzip
import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from trail import ACCOUNT, key, record, trail_file, write_tree

from analyzer.cli import command_line

MARK = "PlantedSecret"
_NUMBERS = count(100)


def planted() -> str:
    """A secret like no other."""
    return f"{MARK}{next(_NUMBERS)}"


def credentials() -> dict[str, Any]:
    """What a response of STS holds, as CloudTrail logs it."""
    return {"accessKeyId": "ASIAEXAMPLEEXAMPLE00", "secretAccessKey": planted(), "sessionToken": planted()}


def parameters() -> dict[str, Any]:
    """What is secret in the request parameters of the operations that issue credentials."""
    names = ("SAMLAssertion", "sAMLAssertion", "webIdentityToken", "tokenCode", "tradeInToken", "password")
    role = {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/app", "roleSessionName": "s"}
    return {**role, **{name: planted() for name in names}}


def everywhere() -> list[Any]:
    """Records, good and bad, that hold secrets wherever one was ever seen, and where none belongs."""
    good = {"responseElements": {"credentials": credentials()}, "requestParameters": parameters()}
    token = {"sessionToken": planted()}
    return [
        record("s0", **good, additionalEventData={"RequestDetails": {"endpointType": "regional"}, **token}),
        record("s1", responseElements={"Credentials": [credentials()], "deep": {"deeper": [credentials()]}}),
        record("s2", responseElements=json.dumps({"credentials": credentials()})),
        record("s3", requestParameters=json.dumps(parameters())),
        record("s4", responseElements=json.dumps({"credentials": credentials()})[:-20]),
        record("s5", responseElements=f"{{credentials={{sessionToken={planted()}}}}}"),
        record("s6", errorMessage={"secretAccessKey": planted()}, userAgent=token, awsRegion=token),
        record("s7", requestParameters={"roleArn": token, "roleSessionName": [token]}),
        record("s8", responseElements={"assumedRoleUser": {"arn": token, "assumedRoleId": [token]}}),
        record("s9", unknownField={"secretAccessKey": planted()}, sharedEventID=token, resources=[token]),
        record("bad time", **good, eventTime={"sessionToken": planted()}),
        record("bad name", **good, eventName=5),
        record("bad account", **good, recipientAccountId=token),
        {**good, "eventVersion": "1.08"},
        {"credentials": credentials()},
        [credentials()],
    ]


def files() -> dict[str, bytes]:
    """The records in good files and in broken ones."""
    whole = trail_file(*everywhere())
    message = json.dumps({"eventID": "x", "responseElements": {"credentials": credentials()}})
    return {
        key(): gzip.compress(whole),
        "cut.json": whole[: len(whole) // 2],
        "cut.json.gz": gzip.compress(whole)[:-20],
        "lines.jsonl": b"\n".join(json.dumps(one).encode() for one in everywhere()),
        "no.json": f'{{"sessionToken": "{planted()}" oops}}'.encode(),
        "utf-16.json": whole.decode().encode("utf-16"),
        "history.json": json.dumps({"Events": [{"CloudTrailEvent": message[:-3]}, credentials()]}).encode(),
        "logs.json": json.dumps({"logEvents": [{"message": message[:-3]}, {"message": planted()}]}).encode(),
        "trail.json": json.dumps({"trailList": [{"TrailARN": "x", "secretAccessKey": planted()}]}).encode(),
    }


COMMANDS = [
    ["report"],
    ["coverage", "--holes"],
    ["usage"],
    ["callers", "--all"],
    ["simulate", "--deactivate", "eu-west-1"],
    ["query", "errors"],
    ["query", "SELECT * FROM events"],
    ["query", "SELECT * FROM sources, source_reasons"],
    *(["show", f"s{number}"] for number in range(10)),
]


def written(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file below, as its bytes and, if they are compressed, as what they say."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            yield f"rows of {path}", repr(pq.read_table(path, partitioning=None).to_pylist())
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                    yield f"table {table}", repr(connection.execute(f"FROM {table}").fetchall())


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every byte that the commands write, on disk, to stdout and to stderr, by its place."""
    folder = tmp_path_factory.mktemp("secrets")
    logs, store = write_tree(folder / "logs", files()), folder / "made" / "store"
    exceptions = folder / "exceptions.toml"
    exceptions.write_text(f'sessionToken = "{planted()}"\n')
    runs = [["ingest", str(logs), "--store", str(store)], ["analyze", str(logs), "--output", "html"]]
    runs += [["plan", "--store", str(store), "--out", str(folder / "made" / "plan")]]
    runs += [["report", "--store", str(store), "--exceptions", str(exceptions)]]
    runs += [["report", "--store", str(store), "--compare", str(logs / "no.json")]]
    runs += [["report", "--store", str(store), "--trail", str(logs / "no.json")]]
    runs += [["coverage", "--store", str(store), "--public-keys", str(logs / "no.json")]]
    runs += [[*command, "--store", str(store), "--output", "json"] for command in COMMANDS]
    texts = {}
    for arguments in runs:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            command_line(arguments)
        texts[" ".join(arguments)] = out.getvalue() + err.getvalue()
    return {**texts, **dict(written(folder / "made"))}


def test_no_secret_is_in_any_byte_that_is_written(everything: dict[str, str]) -> None:
    leaks = {place: text[text.index(MARK) - 80 :][:120] for place, text in everything.items() if MARK in text}
    assert leaks == {}


def test_the_events_beside_the_secrets_are_read(everything: dict[str, str]) -> None:
    rows = "".join(text for place, text in everything.items() if place.startswith("rows of"))
    shown = [text for place, text in everything.items() if place.startswith("show ") and "json" in place]
    assert "AIDAEXAMPLE" in rows
    assert all("[removed]" in text for text in shown)
