"""A second run reads only what is new, nothing is ever counted twice, and every run adds up."""

import gzip
import hashlib
import io
import os
import random
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import duckdb
import pyarrow.dataset
import pytest
from trail import ACCOUNT, DAY, OTHER_ACCOUNT, Record, key, record, run, trail_file, write_tree

from analyzer.balance import Balance
from analyzer.catalogue import Catalogue
from analyzer.cli import command_line
from analyzer.errors import ExitCode
from analyzer.ingest import IngestOptions
from analyzer.sources import LocalSource, MemorySource, Source, SourceObject, Unreadable
from analyzer.store import open_store
from analyzer.workflow import Session

CATALOGUE = Catalogue()
LIMIT = 1024 * 1024


def memory(files: Mapping[str, bytes | Sequence[Any]]) -> MemorySource:
    """Objects whose version is their content's hash, as an ETag is."""
    objects = {name: c if isinstance(c, bytes) else trail_file(*c) for name, c in files.items()}
    versions = {name: hashlib.sha256(content).hexdigest() for name, content in objects.items()}
    return MemorySource(objects, versions)


def bring(store: Path, *sources: Source, **options: int) -> Balance:
    """Ingest, and check both balance identities by hand."""
    session = Session(sources, store, IngestOptions(**options), catalogue=CATALOGUE)
    balance = session.ingest(store).balance
    files, records = balance.files, balance.records
    assert files.seen == files.ingested + files.unchanged + files.skipped + files.rejected
    assert records.seen == records.kept + records.duplicate + records.skipped + records.rejected
    return balance


def stored(store: Path) -> list[Record]:
    """All events as they lie in Parquet, by event_id."""
    table = pyarrow.dataset.dataset(store / "events", format="parquet", partitioning="hive").to_table()
    rows: list[Record] = table.sort_by("event_id").to_pylist()
    return rows


def ids(store: Path) -> list[str]:
    return [row["event_id"] for row in stored(store)]


def source_of(store: Path, event_id: str) -> str:
    with open_store(store, catalogue=CATALOGUE) as opened:
        found = opened.source_of(event_id)
    assert found is not None
    return str(found[1]["uri"])


def zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in members.items():
            file.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


# What is read again, and what is not


def test_a_second_run_over_the_same_objects_reads_none_of_them(tmp_path: Path) -> None:
    source = memory({"a.json": [record("a")], "b.json": [record("b")], "notes.txt": b"no log"})
    bring(tmp_path / "store", source)
    assert sorted(source.reads) == ["a.json", "b.json", "notes.txt"]
    source.reads.clear()
    balance = bring(tmp_path / "store", source)
    assert source.reads == []
    assert (balance.files.seen, balance.files.unchanged, balance.files.skipped) == (3, 2, 1)
    assert balance.records.seen == 0


def test_a_second_run_over_a_folder_trusts_size_and_modification_time(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "logs", {key(name=f"{n:016d}"): [record(f"e{n}")] for n in range(5)})
    assert command_line(["ingest", str(tree), "--store", str(tmp_path / "store")]) == ExitCode.OK
    for path in tree.rglob("*.gz"):
        status = path.stat()
        path.write_bytes(b"\0" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert command_line(["ingest", str(tree), "--store", str(tmp_path / "store")]) == ExitCode.OK


def test_a_second_run_says_that_nothing_was_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = write_tree(tmp_path / "logs", {key(): [record()]})
    command = ["ingest", str(tree), "--store", str(tmp_path / "store")]
    command_line(command)
    capsys.readouterr()
    assert command_line(command) == ExitCode.OK
    assert capsys.readouterr().err == (
        "sts-regions: 1 file seen: 0 ingested, 1 unchanged and not read again; 0 records seen: 0 kept\n"
    )


def test_analyze_with_a_store_reports_the_unchanged_files_of_its_own_run(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "logs", {key(): [record()]})
    run("analyze", tree, "--store", tmp_path / "store", out=tmp_path)
    _, answer = run("analyze", tree, "--store", tmp_path / "store", out=tmp_path)
    assert answer["balance"]["files"]["unchanged"] == 1
    assert [row["calls"] for row in answer["usage"]] == [1]


def test_only_new_objects_are_read(tmp_path: Path) -> None:
    first = {"a.json": [record("a")], "c.json": [record("c")]}
    bring(tmp_path / "store", memory(first))
    source = memory({**first, "b.json": [record("b")]})
    balance = bring(tmp_path / "store", source)
    assert source.reads == ["b.json"]
    assert (balance.files.ingested, balance.files.unchanged) == (1, 2)
    assert ids(tmp_path / "store") == ["a", "b", "c"]


def test_an_object_that_was_replaced_gives_its_new_records_only(tmp_path: Path) -> None:
    bring(tmp_path / "store", memory({"a.json": [record("a")]}))
    balance = bring(tmp_path / "store", memory({"a.json": [record("a"), record("b")]}))
    assert (balance.records.seen, balance.records.kept, balance.records.duplicate) == (2, 1, 1)
    assert ids(tmp_path / "store") == ["a", "b"]


def test_an_object_of_the_same_size_but_another_version_is_read_again(tmp_path: Path) -> None:
    bring(tmp_path / "store", memory({"a.json": [record("a")]}))
    source = memory({"a.json": [record("b")]})
    bring(tmp_path / "store", source)
    assert source.reads == ["a.json"]
    assert ids(tmp_path / "store") == ["a", "b"]


def test_a_touched_file_is_read_again_and_doubles_nothing(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "logs", {key(): [record("a"), record("b")]})
    source = LocalSource(str(tree), LIMIT)
    bring(tmp_path / "store", source)
    before = stored(tmp_path / "store")
    os.utime(next(tree.rglob("*.gz")), ns=(1, 1))
    balance = bring(tmp_path / "store", source)
    assert (balance.files.ingested, balance.records.kept, balance.records.duplicate) == (1, 0, 2)
    assert stored(tmp_path / "store") == before


def test_an_object_without_a_version_is_read_every_time(tmp_path: Path) -> None:
    source = MemorySource({"a.json": trail_file(record("a"))})
    bring(tmp_path / "store", source)
    balance = bring(tmp_path / "store", source)
    assert source.reads == ["a.json", "a.json"]
    assert (balance.files.unchanged, balance.records.duplicate) == (0, 1)


def test_what_is_listed_twice_is_read_once(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "logs", {key(): [record()]})
    file = next(tree.rglob("*.gz"))
    balance = bring(
        tmp_path / "store",
        LocalSource(str(tree), LIMIT),
        LocalSource(str(file), LIMIT),
        LocalSource(f"{tree}/../logs", LIMIT),
    )
    assert (balance.files.seen, balance.records.seen, balance.records.kept) == (1, 1, 1)


def test_events_of_files_that_are_gone_stay(tmp_path: Path) -> None:
    bring(tmp_path / "store", memory({"a.json": [record("a")], "b.json": [record("b")]}))
    balance = bring(tmp_path / "store", memory({"b.json": [record("b")]}))
    assert (balance.files.seen, balance.files.unchanged) == (1, 1)
    assert ids(tmp_path / "store") == ["a", "b"]


def test_a_run_without_news_leaves_the_store_as_it_is(tmp_path: Path) -> None:
    source = memory({"a.json": [record("a")]})
    bring(tmp_path / "store", source)
    database = (tmp_path / "store" / "sts-regions.duckdb").read_bytes()
    bring(tmp_path / "store", source)
    assert (tmp_path / "store" / "sts-regions.duckdb").read_bytes() == database


# Rejected objects


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json.gz", gzip.compress(trail_file(record()))[:-9], "truncated_gzip"),
        ("a.json", b'{"Records": [', "truncated_json"),
        ("a.json", b"", "empty_file"),
        ("a.json", b"\xff\xfe\xfd", "not_utf8"),
        ("a.zip", zipped({"a.json": trail_file(record())})[:-30], "damaged_archive"),
    ],
)
def test_a_rejected_object_stays_rejected_without_being_read_again(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    source = memory({name: content})
    first = bring(tmp_path / "store", source)
    assert dict(first.files_rejected) == {reason: 1}
    source.reads.clear()
    second = bring(tmp_path / "store", source)
    assert source.reads == []
    assert dict(second.files_rejected) == {reason: 1}
    assert second.files.unchanged == 0


def test_a_file_rejected_before_is_named_again_and_still_ends_in_exit_code_4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = write_tree(tmp_path / "logs", {key(): b"{"})
    command = ["ingest", str(tree), "--store", str(tmp_path / "store")]
    assert command_line(command) == ExitCode.INPUT_REJECTED
    capsys.readouterr()
    assert command_line(command) == ExitCode.INPUT_REJECTED
    assert "rejected (as before, not read again): truncated json" in capsys.readouterr().err


class _Locked(MemorySource):
    """A source that refuses to give its objects until it is told the reason is over."""

    reason = ""

    def read(self, item: SourceObject) -> bytes | Unreadable:
        content = super().read(item)
        return Unreadable(item.uri, item.name, self.reason) if self.reason else content


@pytest.mark.parametrize("reason", ["unreadable", "missing", "changed_while_read"])
def test_an_object_that_gave_no_bytes_is_tried_again(tmp_path: Path, reason: str) -> None:
    source = _Locked({"a.json": trail_file(record("a"))}, {"a.json": "1"})
    source.reason = reason
    assert dict(bring(tmp_path / "store", source).files_rejected) == {reason: 1}
    source.reason = ""
    balance = bring(tmp_path / "store", source)
    assert (balance.files.ingested, balance.files.rejected, balance.records.kept) == (1, 0, 1)


def test_a_path_that_was_missing_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "later.json"
    source = LocalSource(str(path), LIMIT)
    assert dict(bring(tmp_path / "store", source).files_rejected) == {"missing": 1}
    path.write_bytes(trail_file(record("a")))
    assert bring(tmp_path / "store", source).files.ingested == 1
    with open_store(tmp_path / "store", catalogue=CATALOGUE) as opened:
        assert opened.balance().files.rejected == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", trail_file(record("a", userAgent="x" * 5000))),
        ("a.json.gz", gzip.compress(trail_file(record("a", userAgent="x" * 5000)))),
        ("a.zip", zipped({"a.json": trail_file(record("a", userAgent="x" * 5000))})),
        ("a.zip", zipped({"a.json": trail_file(record("a", userAgent="x" * 5000)), "b.json": trail_file()})),
    ],
)
def test_an_object_that_was_too_large_is_tried_again_with_a_higher_limit(
    tmp_path: Path, name: str, content: bytes
) -> None:
    source = memory({name: content})
    first = bring(tmp_path / "store", source, document_limit=4000)
    assert dict(first.files_rejected) == {"too_large": 1}
    second = bring(tmp_path / "store", source, document_limit=LIMIT)
    assert (second.files.rejected, second.records.kept) == (0, 1)


def test_a_file_that_was_mended_counts_as_ingested_and_its_day_is_covered_again(tmp_path: Path) -> None:
    good = key(name="a" * 16)
    bad = key(region="eu-central-1", name="b" * 16)
    question = ("--min-days", "1", "--region", "eu-central-1", "--since", DAY, "--until", "2026-10-02")
    tree = write_tree(tmp_path / "logs", {good: [record("a")], bad: b"\x1f\x8bbroken"})
    code, answer = run("analyze", tree, "--store", tmp_path / "store", *question, out=tmp_path)
    assert code == ExitCode.INPUT_REJECTED
    assert answer["verdicts"][0]["coverage"] == {
        "days": 1,
        "proven": 0,
        "declared": 0,
        "inferred": 0,
        "none": 1,
    }
    write_tree(tree, {bad: [record("b", eventSource="ec2.amazonaws.com", awsRegion="eu-central-1")]})
    code, answer = run("analyze", tree, "--store", tmp_path / "store", *question, out=tmp_path)
    assert code == ExitCode.OK
    assert answer["verdicts"][0]["coverage"]["inferred"] == 1
    _, answer = run("report", "--store", tmp_path / "store", *question, out=tmp_path)
    assert answer["balance"]["files"] == {
        "seen": 2,
        "ingested": 2,
        "unchanged": 0,
        "skipped": 0,
        "rejected": 0,
    }


def test_a_file_that_broke_later_loses_its_day_and_keeps_its_events(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "logs", {key(): [record("a")]})
    bring(tmp_path / "store", LocalSource(str(tree), LIMIT))
    write_tree(tree, {key(): b"\x1f\x8bbroken"})
    assert bring(tmp_path / "store", LocalSource(str(tree), LIMIT)).files.rejected == 1
    assert ids(tmp_path / "store") == ["a"]
    _, answer = run("report", "--store", tmp_path / "store", "--region", "eu-west-1", out=tmp_path)
    assert answer["verdicts"][0]["coverage"]["none"] == 1


# Archives


def test_a_second_run_reads_no_member_of_an_unchanged_archive(tmp_path: Path) -> None:
    class Watched(MemorySource):
        opened = 0

        def open(self, item: SourceObject) -> IO[bytes]:
            self.opened += 1
            return super().open(item)

    archive = zipped({"a.json": trail_file(record("a")), "b.json": b"{"})
    source = Watched({"logs.zip": archive}, {"logs.zip": "1"})
    first = bring(tmp_path / "store", source)
    assert (first.files.ingested, first.files.rejected, source.opened) == (1, 1, 1)
    source.reads.clear()
    second = bring(tmp_path / "store", source)
    assert (source.reads, source.opened) == ([], 1)
    assert (second.files.unchanged, second.files.rejected) == (1, 1)


def test_a_replaced_archive_gives_its_new_records_only(tmp_path: Path) -> None:
    members = {"a.json": trail_file(record("a"))}
    bring(tmp_path / "store", memory({"logs.zip": zipped(members)}))
    more = {**members, "b.json": trail_file(record("b"))}
    balance = bring(tmp_path / "store", memory({"logs.zip": zipped(more)}))
    assert (balance.records.kept, balance.records.duplicate) == (1, 1)
    assert ids(tmp_path / "store") == ["a", "b"]


def test_a_member_that_left_its_archive_is_not_seen_any_more(tmp_path: Path) -> None:
    both = {"a.json": trail_file(record("a")), "b.json": trail_file(record("b"))}
    bring(tmp_path / "store", memory({"logs.zip": zipped(both)}))
    smaller = memory({"logs.zip": zipped({"a.json": both["a.json"]})})
    bring(tmp_path / "store", smaller)
    assert bring(tmp_path / "store", smaller).files.seen == 1


def test_a_damaged_archive_adds_nothing_to_the_ledger_on_later_runs(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for name in ("a", "b"):
            data = trail_file(record(name, userAgent="x" * 3000))
            info = tarfile.TarInfo(f"{name}.json")
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    source = memory({"logs.tar": buffer.getvalue()[:6000]})
    first = bring(tmp_path / "store", source)
    assert (first.files.ingested, dict(first.files_rejected)) == (1, {"damaged_archive": 1})
    with open_store(tmp_path / "store", catalogue=CATALOGUE) as opened:
        before = opened.balance()
    bring(tmp_path / "store", source)
    with open_store(tmp_path / "store", catalogue=CATALOGUE) as opened:
        assert opened.balance() == before


# Overlapping trails


def test_an_event_that_two_trails_deliver_is_kept_once_and_counted_as_duplicate(tmp_path: Path) -> None:
    files = {
        f"org-trail/{key()}": [record("a"), record("b")],
        f"own-trail/{key(account=OTHER_ACCOUNT, name='c' * 16)}": [record("b"), record("c")],
    }
    balance = bring(tmp_path / "store", memory(files))
    assert (balance.records.seen, balance.records.kept, balance.records.duplicate) == (4, 3, 1)
    assert ids(tmp_path / "store") == ["a", "b", "c"]


def test_an_event_that_comes_again_in_a_later_run_is_a_duplicate(tmp_path: Path) -> None:
    bring(tmp_path / "store", memory({"a.json": [record("a")]}))
    balance = bring(tmp_path / "store", memory({"elsewhere.json": [record("a"), record("b")]}))
    assert (balance.records.kept, balance.records.duplicate) == (1, 1)
    assert ids(tmp_path / "store") == ["a", "b"]


def test_an_event_of_another_service_or_month_with_a_known_id_is_a_duplicate(tmp_path: Path) -> None:
    bring(tmp_path / "store", memory({"a.json": [record("a")]}))
    other = [
        record("a", eventSource="ec2.amazonaws.com"),
        record("a", eventTime="2026-11-01T00:00:00Z"),
    ]
    assert bring(tmp_path / "store", memory({"b.json": other})).records.duplicate == 2
    assert ids(tmp_path / "store") == ["a"]


@pytest.mark.parametrize("commit_bytes", [1, 20_000, 1 << 30])
@pytest.mark.parametrize("threads", [1, 4])
def test_event_ids_are_unique_however_the_work_is_cut_into_commits(
    tmp_path: Path, commit_bytes: int, threads: int
) -> None:
    chance = random.Random(7)
    files = {
        f"{n:03}.json": [
            record(f"e{chance.randrange(150):03}", recipientAccountId=f"{n:012}")
            for _ in range(chance.randrange(6))
        ]
        for n in range(100)
    }
    balance = bring(tmp_path / "store", memory(files), commit_bytes=commit_bytes, threads=threads)
    wanted: dict[str, str] = {}
    for name in sorted(files):
        for one in files[name]:
            wanted.setdefault(one["eventID"], one["recipientAccountId"])
    rows = stored(tmp_path / "store")
    assert {row["event_id"]: row["recipient_account_id"] for row in rows} == wanted
    assert len(rows) == len(wanted) == balance.records.kept


def test_of_two_copies_in_one_file_the_first_is_kept(tmp_path: Path) -> None:
    copies = [record("a", userAgent="first"), record("a", userAgent="second")]
    bring(tmp_path / "store", memory({"a.json": copies}))
    assert [row["user_agent"] for row in stored(tmp_path / "store")] == ["first"]


def test_of_two_copies_in_two_sources_the_one_listed_first_is_kept(tmp_path: Path) -> None:
    later, sooner = memory({"z.json": [record("a")]}), memory({"a.json": [record("a")]})
    bring(tmp_path / "store", later, sooner)
    assert source_of(tmp_path / "store", "a") == "memory:/z.json"


def test_of_two_copies_the_stored_one_stays_although_an_earlier_name_comes_later(tmp_path: Path) -> None:
    bring(tmp_path / "store", memory({"z.json": [record("a")]}))
    bring(tmp_path / "store", memory({"a.json": [record("a")]}))
    assert source_of(tmp_path / "store", "a") == "memory:/z.json"


def test_every_event_names_the_document_it_came_from(tmp_path: Path) -> None:
    files = {f"{n:02}.json": [record(f"e{n:02}")] for n in range(40)}
    bring(tmp_path / "store", memory({**files, "17.json": b"{", "21.json": b""}), commit_bytes=1)
    with duckdb.connect(str(tmp_path / "store" / "sts-regions.duckdb"), read_only=True) as connection:
        pairs = connection.execute(
            "SELECT event_id, uri FROM events JOIN sources USING (source_id) ORDER BY ALL"
        ).fetchall()
    assert pairs == [(f"e{n:02}", f"memory:/{n:02}.json") for n in range(40) if n not in (17, 21)]


# Records without eventID


def test_the_same_record_without_event_id_is_kept_once(tmp_path: Path) -> None:
    nameless = record(eventID=None)
    files = {"a.json": [nameless, nameless], "b.json": [dict(reversed(nameless.items()))]}
    balance = bring(tmp_path / "store", memory(files))
    assert (balance.records.kept, balance.records.duplicate) == (1, 2)


def test_a_record_without_event_id_does_not_double_when_its_file_is_read_again(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "logs", {key(): [record(eventID=None), record("a")]})
    bring(tmp_path / "store", LocalSource(str(tree), LIMIT))
    os.utime(next(tree.rglob("*.gz")), ns=(1, 1))
    balance = bring(tmp_path / "store", LocalSource(str(tree), LIMIT))
    assert (balance.records.kept, balance.records.duplicate) == (0, 2)
    assert len(stored(tmp_path / "store")) == 2


def test_two_different_records_without_event_id_are_two_events(tmp_path: Path) -> None:
    nameless = [record(eventID=None), record(eventID=None, eventTime=f"{DAY}T12:00:01Z")]
    assert bring(tmp_path / "store", memory({"a.json": nameless})).records.kept == 2


# The balance sheet


def _mixed_files(chance: random.Random) -> dict[str, bytes | Sequence[Any]]:
    """A tree with every kind of outcome in it."""
    kinds: list[bytes | Sequence[Any]] = [
        b"",
        b"{",
        b"plain text",
        trail_file(record("x"))[:-20],
        zipped({"in.json": trail_file(record("zip")), "bad.json": b"["}),
        [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}],
    ]
    files: dict[str, bytes | Sequence[Any]] = {f"odd-{n}.json": kind for n, kind in enumerate(kinds)}
    files["README"] = b"plain text"
    for n in range(30):
        files[f"{n:02}.json"] = [
            chance.choice(
                [
                    record(f"e{chance.randrange(60)}"),
                    record(f"e{chance.randrange(60)}", eventCategory="Data"),
                    record(f"e{chance.randrange(60)}", eventTime=None),
                    record(eventID=None, sourceIPAddress=str(chance.randrange(9))),
                    "no object",
                ]
            )
            for _ in range(chance.randrange(5))
        ]
    return files


@pytest.mark.parametrize("seed", range(3))
def test_every_run_adds_up_and_the_kept_records_are_the_rows_in_parquet(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    store = tmp_path / "store"
    files: dict[str, bytes | Sequence[Any]] = {}
    kept = seen = 0
    for _ in range(4):
        fresh = _mixed_files(chance)
        files |= {name: fresh[name] for name in chance.sample(sorted(fresh), 15)}
        balance = bring(store, memory(files), commit_bytes=chance.choice([1, 1 << 30]))
        kept += balance.records.kept
        seen += balance.records.seen
        rows = ids(store)
        assert len(rows) == len(set(rows)) == kept
        with open_store(store, catalogue=CATALOGUE) as opened:
            total = opened.balance()
        assert (total.records.kept, total.records.seen) == (kept, seen)


def test_the_balance_of_a_report_is_the_sum_over_the_ledger(tmp_path: Path) -> None:
    chance = random.Random(11)
    store = tmp_path / "store"
    bring(store, memory(_mixed_files(chance)))
    bring(store, memory(_mixed_files(chance)))
    _, answer = run("report", "--store", store, out=tmp_path)
    with duckdb.connect(str(store / "sts-regions.duckdb"), read_only=True) as connection:
        outcomes = dict(
            connection.execute("SELECT outcome, count(*) FROM current_sources GROUP BY outcome").fetchall()
        )
        sums = connection.execute(
            "SELECT sum(seen), sum(kept), sum(duplicate), sum(skipped), sum(rejected) FROM sources"
        ).fetchall()[0]
    assert set(outcomes) == {"ingested", "skipped", "rejected"}
    assert answer["balance"]["files"] == {"seen": sum(outcomes.values()), "unchanged": 0, **outcomes}
    names = ("seen", "kept", "duplicate", "skipped", "rejected")
    assert answer["balance"]["records"] == dict(zip(names, sums, strict=True))


def test_a_file_whose_name_is_no_unicode_is_ingested_like_any_other(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    name = os.fsencode(folder) + b"/\xff.json"
    with open(name, "wb") as file:
        file.write(trail_file(record("a")))
    source = LocalSource(str(folder), LIMIT)
    assert bring(tmp_path / "store", source).files.ingested == 1
    assert bring(tmp_path / "store", source).files.unchanged == 1


def test_the_account_in_the_key_does_not_make_two_events_of_one(tmp_path: Path) -> None:
    bare = record(recipientAccountId=None, userIdentity=None)
    files = {key(account=ACCOUNT): [bare], key(account=OTHER_ACCOUNT): [bare]}
    assert bring(tmp_path / "store", memory(files)).records.duplicate == 1
