"""Zip and tar archives: read member by member in memory, nothing is ever unpacked to disk."""

import gzip
import io
import random
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from trail import key, record, run, trail_file, write_tree

from analyzer.balance import Balance
from analyzer.catalogue import Catalogue
from analyzer.ingest import IngestOptions, ingest
from analyzer.sources import MemorySource, SourceObject, read_archive
from analyzer.store import open_store

LIMIT = 1024 * 1024

Members = Mapping[str, bytes]

MEMBERS = {"a.json": trail_file(record("e1")), "deep/b.json.gz": gzip.compress(trail_file(record("e2")))}


def zipped(members: Members, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return packed.getvalue()


def tarred(members: Members, mode: str = "w", *others: tarfile.TarInfo) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode, format=tarfile.GNU_FORMAT) as file:  # type: ignore[call-overload]
        for other in others:
            file.addfile(other)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def tarred_gz(members: Members) -> bytes:
    return tarred(members, "w:gz")


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """A tar member that is no file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


PACKERS: dict[str, Callable[[Members], bytes]] = {".zip": zipped, ".tar": tarred, ".tar.gz": tarred_gz}

CATALOGUE = Catalogue()

any_archive = pytest.mark.parametrize("suffix", PACKERS)


def in_each_archive(members: Members) -> Members:
    """A zip, a tar and a gzipped tar of the same members, under names that say nothing."""
    return {f"download {number}": pack(members) for number, pack in enumerate(PACKERS.values())}


def balance_of(objects: Members, folder: Path, limit: int = LIMIT) -> Balance:
    with open_store(folder / "store", write=True, catalogue=CATALOGUE) as store:
        return ingest(store, [MemorySource(objects)], datetime(2026, 10, 2), IngestOptions(limit)).balance


def read_all(data: bytes) -> list[Any]:
    return list(read_archive(SourceObject("memory:/x", "x", len(data), ""), io.BytesIO(data), LIMIT))


# Reading


def test_the_members_of_archives_are_read_as_files_are(tmp_path: Path) -> None:
    packed = {f"{i}{suffix}": {f"{i}.json": trail_file(record(f"e{i}"))} for i, suffix in enumerate(PACKERS)}
    write_tree(tmp_path / "logs", {name: PACKERS[name[1:]](members) for name, members in packed.items()})
    code, answer = run("analyze", tmp_path / "logs", out=tmp_path)
    assert code == 0
    assert answer["balance"]["files"]["ingested"] == answer["balance"]["records"]["kept"] == 3


def test_an_archive_is_known_by_its_content(tmp_path: Path) -> None:
    balance = balance_of(in_each_archive(MEMBERS), tmp_path)
    assert (balance.files.ingested, balance.records.seen) == (6, 6)


def test_an_archive_may_come_through_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(zipped(MEMBERS))))
    code, answer = run("analyze", "-", out=tmp_path)
    assert (code, answer["balance"]["records"]["kept"]) == (0, 2)


@any_archive
def test_the_key_of_a_member_tells_its_account(suffix: str, tmp_path: Path) -> None:
    source = MemorySource({"x": PACKERS[suffix]({key("123456789012"): trail_file(record())})})
    with open_store(tmp_path / "store", write=True, catalogue=CATALOGUE) as store:
        ingest(store, [source], datetime(2026, 10, 2))
        assert store.folder_accounts() == {"123456789012"}


def doubled(suffix: str) -> bytes:
    """An archive with two members of one name."""
    if suffix == ".zip":
        twins = zipped({"same_1.json": trail_file(record("e1")), "same_2.json": trail_file(record("e2"))})
        return twins.replace(b"same_2", b"same_1")
    size = 512 + -(-len(trail_file(record("e1"))) // 512) * 512
    first, second = (tarred({"same.json": trail_file(record(one))}) for one in ("e1", "e2"))
    joined = first[:size] + second
    return joined if suffix == ".tar" else gzip.compress(joined)


def test_members_of_the_same_name_are_all_read(tmp_path: Path) -> None:
    balance = balance_of({suffix: doubled(suffix) for suffix in PACKERS}, tmp_path)
    assert (balance.files.ingested, balance.records.seen, balance.records.kept) == (6, 6, 2)


def test_an_empty_archive_stops_nothing(tmp_path: Path) -> None:
    balance = balance_of({**in_each_archive({}), "good.json": trail_file(record())}, tmp_path)
    assert balance.records.kept == 1


def test_a_bad_member_costs_no_other(tmp_path: Path) -> None:
    members = {"bad.json": b'{"Records":[', "notes.txt": b"hello", **MEMBERS}
    balance = balance_of(in_each_archive(members), tmp_path)
    assert balance.files_rejected == {"truncated_json": 3}
    assert balance.files_skipped == {"not_cloudtrail": 3}
    assert balance.records.seen == 6


@any_archive
def test_a_member_whose_name_is_not_utf8_stops_nothing(suffix: str, tmp_path: Path) -> None:
    if suffix == ".zip":
        packed = zipped({"café.json": MEMBERS["a.json"]}).replace("é".encode(), b"\xff\xfe")
    else:
        packed = PACKERS[suffix]({"caf\udce9.json": MEMBERS["a.json"]})
    write_tree(tmp_path, {"x": packed, "good.json": [record("e2")]})
    code, answer = run("analyze", tmp_path / "x", tmp_path / "good.json", out=tmp_path)
    files, records = answer["balance"]["files"], answer["balance"]["records"]
    assert (code, records["kept"]) == (4 if files["rejected"] else 0, files["ingested"])
    assert files["seen"] == 2


# Rerun


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_an_unchanged_archive_is_not_read_again_and_its_members_are_counted(suffix: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {f"logs{suffix}": PACKERS[suffix](MEMBERS)})
    command = ("analyze", tmp_path / f"logs{suffix}", "--store", tmp_path / "store")
    run(*command, out=tmp_path)
    code, answer = run(*command, out=tmp_path)
    assert code == 0
    assert (answer["balance"]["files"]["seen"], answer["balance"]["files"]["unchanged"]) == (2, 2)
    assert answer["balance"]["records"]["seen"] == 0


def test_an_unchanged_archive_is_not_even_opened(tmp_path: Path) -> None:
    opened: list[str] = []

    class Watched(MemorySource):
        def open(self, item: SourceObject) -> Any:
            opened.append(item.name)
            return super().open(item)

    source = Watched({"x.zip": zipped(MEMBERS)}, versions={"x.zip": "1"})
    with open_store(tmp_path / "store", write=True, catalogue=CATALOGUE) as store:
        for _ in range(2):
            balance = ingest(store, [source], datetime(2026, 10, 2)).balance
    assert (opened, source.reads) == (["x.zip"], ["x.zip"])
    assert balance.files.unchanged == 2


def test_an_archive_that_was_packed_anew_adds_what_is_new_in_it(tmp_path: Path) -> None:
    write_tree(tmp_path, {"x.zip": zipped(MEMBERS)})
    command = ("analyze", tmp_path / "x.zip", "--store", tmp_path / "store")
    run(*command, out=tmp_path)
    write_tree(tmp_path, {"x.zip": zipped({**MEMBERS, "c.json": trail_file(record("e3"))})})
    _, answer = run(*command, out=tmp_path)
    assert answer["balance"]["records"]["kept"] == 1


def test_members_of_the_same_name_are_counted_in_a_rerun_too(tmp_path: Path) -> None:
    write_tree(tmp_path, {"x.tar": doubled(".tar")})
    command = ("analyze", tmp_path / "x.tar", "--store", tmp_path / "store")
    first, second = (run(*command, out=tmp_path)[1]["balance"]["files"] for _ in range(2))
    assert (first["ingested"], second["unchanged"]) == (2, 2)


# Damage


def test_a_damaged_zip_is_rejected_and_the_other_files_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tree(tmp_path / "logs", {"x.zip": zipped(MEMBERS)[:-30], "good.json": [record("e3")]})
    code, answer = run("analyze", tmp_path / "logs", out=tmp_path)
    line = capsys.readouterr().err.splitlines()[0]
    assert "x.zip: rejected: damaged archive (" in line
    assert line.endswith("; pack or fetch it again")
    assert (code, answer["balance"]["records"]["kept"]) == (4, 1)


def test_a_damaged_member_of_a_zip_costs_no_other(tmp_path: Path) -> None:
    packed = bytearray(zipped(MEMBERS))
    packed[60] ^= 0xFF
    balance = balance_of({"x.zip": bytes(packed)}, tmp_path)
    assert balance.files_rejected == {"damaged_archive": 1}
    assert balance.records.kept == 1


COMPRESSIONS = {
    "stored": 0,
    "deflated": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


def test_a_zip_is_read_in_every_compression(tmp_path: Path) -> None:
    zips = {f"{name}.zip": zipped(MEMBERS, method) for name, method in COMPRESSIONS.items()}
    assert balance_of(zips, tmp_path).records.seen == 2 * len(COMPRESSIONS)


PACKED: dict[str, Callable[[Members], bytes]] = {
    **{f"{name} zip": partial(zipped, compression=method) for name, method in COMPRESSIONS.items()},
    "tar": tarred,
    "tar.gz": tarred_gz,
}


@pytest.mark.parametrize("kind", PACKED)
def test_damage_anywhere_in_an_archive_raises_nothing(kind: str) -> None:
    whole = PACKED[kind]({f"{name}é.json": MEMBERS["a.json"] for name in "abc"})
    chance = random.Random(kind)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        read_all(bytes(damaged[: chance.choice([len(damaged), chance.randrange(len(damaged))])]))


def test_a_truncated_tar_gz_is_rejected_and_the_other_files_are_read(tmp_path: Path) -> None:
    chance = random.Random(5)
    members = {f"{i}.json": trail_file(record(f"e{i}", userAgent=chance.randbytes(2000).hex())) for i in range(6)}
    packed = tarred_gz(members)
    parts = {f"{part}.tar.gz": packed[: len(packed) * part // 100] for part in (30, 60, 90)}
    balance = balance_of({**parts, "good.json": trail_file(record("good"))}, tmp_path)
    assert balance.files_rejected in ({"damaged_archive": 3}, {"truncated_gzip": 3})
    assert 0 < balance.records.kept < 7


def test_a_tar_that_ends_anywhere_before_its_end_mark_is_rejected(tmp_path: Path) -> None:
    packed = tarred(MEMBERS)
    second = 512 + -(-len(MEMBERS["a.json"]) // 512) * 512
    lengths = (700, second, second + 100, second + 512)
    balance = balance_of({f"{length}.tar": packed[:length] for length in lengths}, tmp_path)
    assert balance.files_rejected == {"damaged_archive": len(lengths)}


def test_a_damaged_archive_is_tried_again_when_it_was_mended(tmp_path: Path) -> None:
    write_tree(tmp_path, {"x.zip": zipped(MEMBERS)[:-30]})
    command = ("analyze", tmp_path / "x.zip", "--store", tmp_path / "store")
    assert run(*command, out=tmp_path)[0] == 4
    write_tree(tmp_path, {"x.zip": zipped(MEMBERS)})
    code, answer = run(*command, out=tmp_path)
    assert (code, answer["balance"]["records"]["kept"]) == (0, 2)


def test_an_archive_that_cannot_be_opened_any_more_is_rejected(tmp_path: Path) -> None:
    class Vanishing(MemorySource):
        def open(self, item: SourceObject) -> Any:
            raise FileNotFoundError(2, "No such file or directory", item.name)

    source = Vanishing({"x.zip": zipped(MEMBERS), "good.json": trail_file(record())})
    with open_store(tmp_path / "store", write=True, catalogue=CATALOGUE) as store:
        balance = ingest(store, [source], datetime(2026, 10, 2)).balance
    assert (balance.files.rejected, balance.records.kept) == (1, 1)


# What is not unpacked


def encrypted(packed: bytes) -> bytes:
    """A zip whose members all say that they are encrypted."""
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = packed.find(mark)
        while start >= 0:
            flags = struct.unpack_from("<H", packed, start + at)[0] | 1
            packed = packed[: start + at] + struct.pack("<H", flags) + packed[start + at + 2 :]
            start = packed.find(mark, start + 4)
    return packed


def test_an_encrypted_zip_is_rejected_member_by_member(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(tmp_path, {"x.zip": encrypted(zipped(MEMBERS))})
    code, answer = run("analyze", tmp_path / "x.zip", out=tmp_path)
    line = capsys.readouterr().err.splitlines()[0]
    assert line.endswith("x.zip!/a.json: rejected: encrypted archive; unpack it first")
    assert (code, answer["balance"]["reasons"]["files_rejected"]) == (4, {"encrypted_archive": 2})


def test_archives_inside_an_archive_are_rejected_and_the_rest_is_read(tmp_path: Path) -> None:
    inner = {f"inner{kind}": pack(MEMBERS) for kind, pack in PACKERS.items()}
    balance = balance_of(in_each_archive({"a.json": MEMBERS["a.json"], **inner}), tmp_path)
    assert balance.files_rejected == {"nested_archive": 9}
    assert balance.records.seen == 3


def test_a_member_above_the_limit_is_rejected_and_the_rest_is_read(tmp_path: Path) -> None:
    balance = balance_of(in_each_archive({"bomb.json": bytes(3 * LIMIT), **MEMBERS}), tmp_path)
    assert balance.files_rejected == {"too_large": 3}
    assert balance.records.seen == 6


def test_a_gzipped_member_above_the_limit_is_rejected_and_the_rest_is_read(tmp_path: Path) -> None:
    members = {"bomb.json.gz": gzip.compress(bytes(3 * LIMIT)), **MEMBERS}
    balance = balance_of({"x": zipped(members)}, tmp_path)
    assert balance.files_rejected == {"too_large": 1}
    assert balance.records.kept == 2


def peak_of(data: bytes) -> tuple[list[Any], int]:
    """What is read of an archive, and the most memory that it took."""
    tracemalloc.start()
    found = read_all(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return found, peak


@pytest.mark.parametrize("compression", ["deflated", "bzip2"])
def test_a_member_that_swells_is_not_unpacked_beyond_the_limit(compression: str) -> None:
    (found,), peak = peak_of(zipped({"bomb.json": bytes(64 * LIMIT)}, COMPRESSIONS[compression]))
    assert found.reason == "too_large"
    assert peak < 24 * LIMIT


def test_a_damaged_member_in_bzip2_is_rejected() -> None:
    packed = bytearray(zipped(MEMBERS, zipfile.ZIP_BZIP2))
    packed[90] ^= 0xFF
    first, _ = read_all(bytes(packed))
    assert first.reason == "damaged_archive"


@pytest.mark.parametrize(
    "kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE]
)
def test_a_header_that_swells_is_not_read(kind: bytes) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = kind, 64 * LIMIT
    packed = gzip.compress(header.tobuf(format=tarfile.GNU_FORMAT) + bytes(64 * LIMIT), 1)
    (found,), peak = peak_of(packed)
    assert (found.reason, found.detail) == ("damaged_archive", f"a header of {64 * LIMIT} bytes")
    assert peak < 4 * LIMIT


def test_a_sparse_file_in_a_tar_is_not_unpacked() -> None:
    header = tarfile.TarInfo("a.json")
    header.type = tarfile.GNUTYPE_SPARSE
    (found,) = read_all(header.tobuf(format=tarfile.GNU_FORMAT) + b"1" * 2048 + bytes(1024))
    assert (found.reason, found.detail) == ("damaged_archive", "a sparse file")


def test_a_sparse_file_in_pax_form_is_not_unpacked() -> None:
    about = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
    header, member = tarfile.TarInfo("pax"), tarfile.TarInfo("a.json")
    header.type, header.size, member.size = tarfile.XHDTYPE, len(about), 8 * LIMIT
    head = header.tobuf(tarfile.USTAR_FORMAT) + about.ljust(512, b"\0") + member.tobuf(tarfile.USTAR_FORMAT)
    (found,), peak = peak_of(gzip.compress(head + b"4000000\n" + b"1\n" * 4 * LIMIT, 1))
    assert (found.reason, found.detail) == ("damaged_archive", "a sparse file")
    assert peak < 4 * LIMIT


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_a_long_name_of_a_member_tells_its_account_and_an_endless_one_does_not(
    pack: Callable[[Members], bytes],
) -> None:
    names = ["x" * 3000 + "/" + key(), "x" * 9000 + "/" + key()]
    members = [item for item, _ in read_all(pack(dict.fromkeys(names, b"{}")))]
    assert [item.log_key is not None for item in members] == [True, False]


def test_an_archive_may_be_larger_than_the_limit_for_a_document(tmp_path: Path) -> None:
    members = {f"{i}.json": trail_file(record(f"e{i}")) + b" " * 700_000 for i in range(3)}
    balance = balance_of(in_each_archive(members), tmp_path)
    assert (balance.files.ingested, balance.files.rejected) == (9, 0)


SPECIALS = (
    special("link.json", tarfile.SYMTYPE, "/etc/passwd"),
    special("hard.json", tarfile.LNKTYPE, "../../etc/passwd"),
    special("device.json", tarfile.CHRTYPE),
    special("disk.json", tarfile.BLKTYPE),
    special("pipe.json", tarfile.FIFOTYPE),
)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_links_and_devices_in_a_tar_are_rejected_and_the_rest_is_read(mode: str, tmp_path: Path) -> None:
    balance = balance_of({"x": tarred(MEMBERS, mode, *SPECIALS)}, tmp_path)
    assert balance.files_rejected == {"not_a_file": len(SPECIALS)}
    assert balance.records.kept == 2


def test_directories_in_an_archive_are_no_members(tmp_path: Path) -> None:
    balance = balance_of({"x": tarred(MEMBERS, "w", special("deep", tarfile.DIRTYPE))}, tmp_path)
    assert balance.files.seen == 2


EVIL = ("../../evil.json", "/tmp/evil.json", "..\\..\\evil.json", "C:\\evil.json", "a/../../../evil.json")  # noqa: S108


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every path below a folder with its mode and content."""
    found = {}
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        found[str(path)] = (mode, path.read_bytes() if stat.S_ISREG(mode) else b"")
    return found


@any_archive
def test_nothing_is_written_outside_the_store_whatever_an_archive_says(suffix: str, tmp_path: Path) -> None:
    members = {name: trail_file(record(f"e{i}")) for i, name in enumerate(EVIL)}
    links = (special("out", tarfile.SYMTYPE, str(tmp_path)), *SPECIALS)
    mode = {".tar": "w", ".tar.gz": "w:gz"}.get(suffix)
    through_a_link = {"out/evil.json": trail_file(record("extra"))}
    packed = tarred({**members, **through_a_link}, mode, *links) if mode else zipped(members)
    write_tree(tmp_path / "a" / "b" / "logs", {f"x{suffix}": packed})
    before = snapshot(tmp_path)
    store = tmp_path / "a" / "b" / "store"
    _, answer = run("analyze", tmp_path / "a" / "b" / "logs", "--store", store, out=tmp_path)
    after = {path: content for path, content in snapshot(tmp_path).items() if not path.startswith(str(store))}
    del after[str(tmp_path / "answer.json")]
    assert after == before
    assert answer["balance"]["records"]["kept"] == len(EVIL) + (mode is not None)
    assert not Path("/tmp/evil.json").exists()  # noqa: S108
    assert not [path for path in store.rglob("*") if "evil" in path.name]
