"""The protocol between ingest and the places where bytes are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Protocol, runtime_checkable

from analyzer.decoding import SIGNATURE_SUFFIX
from analyzer.log_key import LogKey, parse_log_key

LOG_SUFFIXES = (".json", ".gz", ".jsonl", ".ndjson", ".zip", ".tar", ".tgz", ".csv", ".log")
"""Names that promise a log: what cannot be read there is rejected, elsewhere it is skipped."""


def readable(name: str) -> str:
    """A name as text; bytes of it that are not UTF-8 are written out (`\\xe9`)."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class SourceObject:
    """One thing that holds bytes, as it was listed.

    `uri` is its identity in the ledger; `size` (bytes) and `version` (modification time or ETag) tell whether
    it has changed since it was read. `name` is how the user knows it.
    """

    uri: str
    name: str
    size: int
    version: str
    is_named: bool = False
    """Whether the user named it; then its form may not be doubted on account of its name."""

    @property
    def is_log_name(self) -> bool:
        """Whether something that is no log at this place has to be rejected."""
        return self.is_named or self.name.lower().endswith(LOG_SUFFIXES)

    @property
    def is_digest_signature(self) -> bool:
        """Whether it lies beside a digest and is named as the file that holds its signature."""
        return self.name.endswith(SIGNATURE_SUFFIX) and (key := self.log_key) is not None and key.is_digest

    @property
    def log_key(self) -> LogKey | None:
        """Account, region and day, when the key is laid out as CloudTrail does."""
        return parse_log_key(self.uri)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that was listed but gives no bytes: `reason` is one of `outcome.REMEDIES`."""

    uri: str
    name: str
    reason: str
    detail: str = ""


Listed = SourceObject | Unreadable


@dataclass(frozen=True, slots=True)
class Content:
    """What an object gave: its bytes, and the signature that S3 keeps beside those of a digest file (hex)."""

    data: bytes
    signature: str | None = None


Contents = Callable[[], Sequence[Content | Unreadable]]
"""Waits for a reading that has begun; gives an answer for each object, in the order they were asked for."""


class Lost(Exception):
    """The bytes of an opened object stopped coming: not damage to it, but a failure on the way to it."""

    def __init__(self, entry: Unreadable) -> None:
        """`entry`: which object, and why."""
        super().__init__(entry.reason)
        self.entry = entry


class Source(Protocol):
    """A place where bytes are."""

    def list(self) -> Iterator[Listed]:
        """Everything in it, in a stable order."""

    def read(self, item: SourceObject) -> bytes | Unreadable:
        """All bytes of one object. Called from several threads at once."""

    def open(self, item: SourceObject) -> IO[bytes]:
        """The bytes of one object as a seekable stream, for archives. Raises OSError; reading may raise Lost."""


@runtime_checkable
class DistantSource(Source, Protocol):
    """A source whose objects take long to come, and come many at a time."""

    def read_ahead(self, items: Sequence[SourceObject]) -> Contents:
        """Begin to read objects and return at once."""


@runtime_checkable
class SlowSource(DistantSource, Protocol):
    """A distant source each of whose objects may take minutes: what has come should be kept before the next."""

    is_slow: bool
    """True."""


def begin_reading(source: Source, items: Sequence[SourceObject]) -> Contents:
    """Read objects: those of a distant source are on their way when this returns, others come when waited for."""
    if isinstance(source, DistantSource):
        return source.read_ahead(items)

    def one(item: SourceObject) -> Content | Unreadable:
        data = source.read(item)
        return data if isinstance(data, Unreadable) else Content(data)

    return lambda: [one(item) for item in items]
