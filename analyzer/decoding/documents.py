"""Documents in, events out: the fast way where it is exact, the lenient way for the rest."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from analyzer.cloudtrail import EVENTS
from analyzer.decoding.compression import uncompressed
from analyzer.decoding.events import to_events
from analyzer.decoding.lenient import LenientDocument, read_document
from analyzer.decoding.outcome import Outcome, Reading, settle_whole_file
from analyzer.decoding.statements import SIGNATURE_BOUND, DigestSignature, Statement, read_signature
from analyzer.decoding.trail_files import Refused, looks_like_trail_file, parse_trail_files
from analyzer.log_key import LogKey


@dataclass(frozen=True, slots=True)
class Document:
    """One document as it lies in its source, perhaps gzipped.

    `is_log_name`: whether its name promises a log, so that anything else in it is rejected and not skipped.
    `is_signature`: whether its name says that it holds the signature of a digest. `signature`: what its source
    keeps beside a digest.
    """

    data: bytes
    is_log_name: bool = True
    key: LogKey | None = None
    is_signature: bool = False
    signature: str | None = None

    @property
    def is_delivered_log(self) -> bool:
        """Whether it lies where CloudTrail delivers log files; then it counts as one whatever is in it."""
        return self.key is not None and self.key.is_log_file


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a group of documents holds.

    `events` has the schema `cloudtrail.EVENTS`; its `source_id` is the index of the document in the group.
    `sha256` is that of the uncompressed content, as CloudTrail's digests state it; empty when there is none.
    `statements`: what each document says about logs.
    """

    readings: Sequence[Reading]
    sha256: Sequence[str]
    sizes: Sequence[int]
    statements: Sequence[Sequence[Statement]]
    events: pa.Table


@dataclass(slots=True)
class _Parsed:
    """Records of a few documents, by the index of each document in the group."""

    indexes: list[int]
    records: pa.StructArray
    parents: pa.Array


def decode_documents(documents: Sequence[Document], limit: int) -> Decoded:
    """Decode a group of documents; `limit` is the ceiling in bytes for one document when decompressed."""
    contents = [uncompressed(document.data, limit) for document in documents]
    readings: list[Reading] = [
        content if isinstance(content, Reading) else Reading(Outcome.INGESTED) for content in contents
    ]
    sha256 = [hashlib.sha256(c).hexdigest() if isinstance(c, bytes) else "" for c in contents]
    positions: list[list[str] | None] = [None] * len(documents)
    parts: list[_Parsed] = []
    readable = {i: c for i, c in enumerate(contents) if isinstance(c, bytes)}
    statements: list[Sequence[Statement]] = [()] * len(documents)
    for index in [i for i in readable if documents[i].is_signature]:
        readings[index], signature = read_signature(readable.pop(index))
        statements[index] = (signature,) if signature else ()
    fast = [i for i, content in readable.items() if looks_like_trail_file(content)]
    refused = _parse_fast(fast, readable, parts)
    for part in parts:
        for index, count in zip(part.indexes, _counts(part), strict=True):
            readings[index].seen = count
    for index in sorted(refused + [i for i in readable if i not in set(fast)]):
        document = documents[index]
        lenient = read_document(readable[index], limit, is_log_name=document.is_log_name, key=document.key)
        readings[index] = lenient.reading
        statements[index] = lenient.statements
        if document.signature:
            statements[index] = [*lenient.statements, DigestSignature(document.signature[:SIGNATURE_BOUND])]
        positions[index] = lenient.positions
        _add_lenient(lenient, index, parts)
    key_accounts = [document.key.account_id if document.key else None for document in documents]
    events = _events(parts, readings, positions, key_accounts)
    for index in fast:
        if not readings[index].seen and index not in refused:
            readings[index].note("no_records", "")
    for document, reading in zip(documents, readings, strict=True):
        if not document.is_delivered_log:
            settle_whole_file(reading)
    sizes = [len(c) if isinstance(c, bytes) else 0 for c in contents]
    return Decoded(readings, sha256, sizes, statements, events)


def _parse_fast(indexes: list[int], contents: dict[int, bytes], parts: list[_Parsed]) -> list[int]:
    """Parse all at once, or one by one when that is refused; returns the documents refused alone."""
    if not indexes:
        return []
    try:
        records, parents = parse_trail_files([contents[index] for index in indexes])
    except Refused:
        if len(indexes) == 1:
            return indexes
        return [i for index in indexes for i in _parse_fast([index], contents, parts)]
    parts.append(_Parsed(indexes, records, parents))
    return []


def _counts(part: _Parsed) -> Iterable[int]:
    counts = {entry["values"].as_py(): entry["counts"].as_py() for entry in part.parents.value_counts()}
    return [counts.get(position, 0) for position in range(len(part.indexes))]


def _add_lenient(document: LenientDocument, index: int, parts: list[_Parsed]) -> None:
    if document.records:
        parents = pa.array([0] * len(document.records), pa.int32())
        parts.append(_Parsed([index], document.to_arrow(), parents))


def _events(
    parts: list[_Parsed],
    readings: list[Reading],
    positions: list[list[str] | None],
    key_accounts: list[str | None],
) -> pa.Table:
    tables = []
    for part in parts:
        part_readings = [readings[index] for index in part.indexes]
        table = to_events(
            part.records,
            part.parents,
            part_readings,
            [key_accounts[index] for index in part.indexes],
            [positions[index] for index in part.indexes],
        )
        indexes = pa.array(part.indexes, pa.int64())
        column = table.schema.get_field_index("source_id")
        source_ids = indexes.take(table.column("source_id").combine_chunks())
        tables.append(table.set_column(column, EVENTS.field("source_id"), source_ids))
    if not tables:
        return EVENTS.empty_table()
    events = pa.concat_tables(tables)
    return events.sort_by("source_id") if len(tables) > 1 else events
