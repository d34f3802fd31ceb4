"""Log files in an S3 bucket: found by the layout of their keys, read many at a time, never written."""

import io
import re
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, partial
from typing import IO, TYPE_CHECKING, TypeVar

from analyzer.errors import SourceError, UsageError
from analyzer.log_key import LogKey
from analyzer.sources.s3_access import Bucket, Fetched, Folders, Found, S3Access, connect
from analyzer.sources.s3_failures import Failure, Patience, Persistence, WrongLength
from analyzer.sources.s3_layout import (
    SKIPPED_FOLDERS,
    TRAILS_FOLDER,
    Extent,
    Listing,
    Plan,
    SkippedFolder,
    Wanted,
    leads_into_a_trail,
    survey,
)
from analyzer.sources.source import (
    LOG_SUFFIXES,
    Content,
    Contents,
    Listed,
    Lost,
    SourceObject,
    Unreadable,
)

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SCHEME = "s3://"
_URI = re.compile(r"s3://([a-zA-Z0-9._-]{3,255})(?:/(.*))?", re.DOTALL)
_RANGE = 4 * 1024 * 1024
_SIGNATURE = "signature"

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class S3Options:
    """How hard to ask."""

    concurrency: int = 128
    """Requests at a time."""
    bytes_in_flight: int = 64 * 1024 * 1024
    """Bytes asked for at a time; a larger object comes alone."""
    patience: Patience = field(default_factory=Patience)


def parse_s3_uri(uri: str) -> tuple[str, str]:
    """Bucket and key or prefix of `s3://bucket/prefix`; characters stand for themselves. Raises UsageError."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise UsageError(f"{uri} names no bucket; write s3://BUCKET or s3://BUCKET/PREFIX")
    return match[1], match[2] or ""


class S3Source:
    """The CloudTrail files in a bucket, below a prefix of it, or one object.

    While it lists it fills `skipped_folders` (what was left out without looking into it) and `extents` (the
    region folders, and the delivery days of each, that were listed to their end).
    """

    def __init__(
        self,
        uri: str,
        wanted: Wanted | None = None,
        access: S3Access | None = None,
        options: S3Options | None = None,
    ) -> None:
        """Nothing is asked before something is listed or read. Raises UsageError for a malformed URI."""
        self._bucket_name, self._prefix = parse_s3_uri(uri)
        self._wanted = wanted or Wanted()
        self._access = access or S3Access()
        self._options = options or S3Options()
        self._persistence = Persistence(self._options.patience, self._options.concurrency)
        self._room = _Room(self._options.bytes_in_flight)
        self.skipped_folders: list[SkippedFolder] = []
        self.extents: list[Extent] = []
        self._course = _Course()

    @property
    def root(self) -> str:
        """The bucket's own URI, ending in a slash: what stands in front of keys and folders."""
        return self._uri("")

    @property
    def wanted(self) -> Wanted:
        """Which objects are asked for."""
        return self._wanted

    def settle(self, settled: Mapping[str, date]) -> None:
        """Leave out delivery days that cannot have changed: region folder -> first day that can have."""
        self._wanted = replace(self._wanted, settled=settled)

    def listed_folders(self) -> list[tuple[str, date | None, date | None]]:
        """Region folders (URI) that were listed to their end, with the first and last day that is known now."""
        folders = []
        for extent in self.extents:
            # Days before a settled one are known from the listing that settled them.
            first = self._wanted.since if extent.folder in self._wanted.settled else extent.first
            folders.append((f"{self.root}{extent.folder}", first, extent.last))
        return folders

    def has_listed(self, uri: str) -> bool:
        """Whether a folder that an earlier run could not list was asked for now, and all of it came."""
        folder = uri.removeprefix(self.root)
        if folder in self._course.refused:
            return False
        return folder in self._course.answered or any(
            folder.startswith(listing.prefix) and listing.after < folder for listing in self._course.listed
        )

    def remarks(self) -> list[str]:
        """What was left out without having been looked at, a line for each kind."""
        prefixes: dict[str, list[str]] = {}
        for folder in self.skipped_folders:
            prefixes.setdefault(folder.why, []).append(folder.prefix)
        return [
            f"{self.root}{found[0]}{f' and {len(found) - 1} more folders' if found[1:] else ''}: not read: {why}"
            for why, found in prefixes.items()
        ]

    # Listing

    def list(self) -> Iterator[Listed]:
        """The wanted objects, trail by trail, region by region, in the order of their keys.

        Raises SourceError when the bucket cannot be asked at all.
        """
        self.skipped_folders, self.extents, self._course = [], [], _Course()
        if self._reached is None:
            yield self._unreadable(self._prefix, Failure("missing", "no bucket of that name"))
            return
        named = self._named_object()
        if isinstance(named, Failure):
            yield self._unreadable(self._prefix, named)
        elif named is not None:
            yield self._source_object(named, is_named=True)
        else:
            yield from self._below(self._prefix if self._prefix[-1:] in ("", "/") else f"{self._prefix}/")

    def _named_object(self) -> Found | Failure | None:
        if not self._prefix.lower().endswith(LOG_SUFFIXES):
            return None
        return self._persistence.ask(partial(self._bucket.head, self._prefix))

    def _below(self, prefix: str) -> Iterator[Listed]:
        course = self._course
        plan = yield from self._surveyed(prefix)
        self.skipped_folders += plan.skipped
        if not plan.whole:
            self.skipped_folders += [SkippedFolder(folder, "not_searched") for folder in course.unsearched]
        for listing, (objects, failure) in self._in_order(self._objects, plan.listings):
            course.has_met_anything |= bool(objects) or failure is not None
            yield from self._wanted_of(objects)
            if failure is None:
                course.answered.add(listing.prefix)
                course.listed.add(listing)
            else:
                course.refused.add(listing.prefix)
                yield self._unreadable(listing.prefix, failure)
        self.extents += [extent for extent in plan.extents if course.listed.issuperset(extent.listings)]
        if course.has_met_anything:
            course.answered.add(self._prefix)
        elif not any(extent.first or extent.last for extent in plan.extents):
            course.refused.add(self._prefix)
            yield self._unreadable(self._prefix, Failure("missing", "no key begins with it"))

    def _surveyed(self, prefix: str) -> Generator[Listed, None, Plan]:
        """Carry the survey's questions to the bucket and the answers back; what cannot be asked is yielded."""
        course = self._course
        conversation = survey(prefix, self._wanted)
        names: dict[str, Sequence[str]] | None = None
        while True:
            try:
                asked = next(conversation) if names is None else conversation.send(names)
            except StopIteration as end:
                plan: Plan = end.value
                return plan
            names = {}
            for folder, answer in self._in_order(self._folders, asked):
                if isinstance(answer, Failure):
                    course.has_met_anything = True
                    course.refused.add(folder)
                    yield self._unreadable(folder, answer)
                else:
                    course.has_met_anything |= bool(answer.names)
                    course.answered.add(folder)
                    names[folder] = answer.names
                    if not answer.are_all:
                        course.unsearched.append(folder)

    def _folders(self, prefix: str) -> Folders | Failure:
        """Folders in a prefix; outside of trails, where any number of other things may be, only the first."""
        if leads_into_a_trail(prefix):
            return self._persistence.ask(partial(self._bucket.folders, prefix))
        answer = self._persistence.ask(partial(self._bucket.some_folders, prefix))
        if isinstance(answer, Failure) or answer.are_all or TRAILS_FOLDER in answer.names:
            return answer
        trails = self._persistence.ask(partial(self._bucket.folders, f"{prefix}{TRAILS_FOLDER}/"))
        is_there = isinstance(trails, Folders) and bool(trails.names)
        return Folders([*answer.names, TRAILS_FOLDER], are_all=False) if is_there else answer

    def _objects(self, listing: Listing) -> tuple[Sequence[Found], Failure | None]:
        """All objects of a listing, and why they are not all if they are not.

        Each page is a request of its own that begins after the last key so far: S3 lists in the order of
        keys (ListObjectsV2, general purpose buckets), so that a page that fails costs that page only.
        """
        objects: list[Found] = []
        after = listing.after
        while True:
            page = self._persistence.ask(partial(self._bucket.page, listing.prefix, after))
            if isinstance(page, Failure):
                return objects, page
            objects += page.objects
            if page.is_last:
                return objects, None
            if page.objects[-1].key <= after:
                return objects, Failure("server_error", "the listing does not go on after the last key")
            after = page.objects[-1].key

    def _wanted_of(self, objects: Iterable[Found]) -> Iterator[SourceObject]:
        for found in objects:
            is_folder_mark = not found.size and not found.key.lower().endswith(LOG_SUFFIXES)
            item = self._source_object(found)
            key = item.log_key
            if key is not None and key.folder in SKIPPED_FOLDERS:
                self._note_skipped(found.key, key)
            elif not is_folder_mark and self._wanted.has(key):
                yield item

    def _note_skipped(self, key: str, log_key: LogKey) -> None:
        """An object outside of the layout whose name says that it is of a kind that is not read."""
        folder = SkippedFolder(key.rpartition("/")[0] + "/", log_key.folder)
        if folder not in self.skipped_folders[-1:]:
            self.skipped_folders.append(folder)

    def _in_order(self, work: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[tuple[Item, Answer]]:
        """Do work for many items at a time; answers come in the order of the items."""
        running: deque[tuple[Item, Future[Answer]]] = deque()
        for item in items:
            running.append((item, self._pool.submit(work, item)))
            if len(running) >= self._options.concurrency:
                first, future = running.popleft()
                yield first, future.result()
        for first, future in running:
            yield first, future.result()

    # Reading

    def read(self, item: SourceObject) -> bytes | Unreadable:
        """All bytes of one object, exactly those that were listed."""
        content = self._content(item)
        return content if isinstance(content, Unreadable) else content.data

    def read_ahead(self, items: Sequence[SourceObject]) -> Contents:
        """Begin to read objects. Memory for them is the caller's to bound: all of them come, taken or not."""
        futures = [self._pool.submit(self._content, item) for item in items]
        return lambda: [future.result() for future in futures]

    def open(self, item: SourceObject) -> IO[bytes]:
        """An object as a stream that asks for its bytes as they are needed. Reading may raise Lost."""
        return io.BufferedReader(_Stream(self, item), _RANGE)

    def read_span(self, item: SourceObject, start: int, end: int) -> bytes:
        """Bytes of an object from start to end (excluded). Raises Lost."""
        answer = self._fetch(item, end - start, (start, end))
        if isinstance(answer, Failure):
            raise Lost(Unreadable(item.uri, item.name, answer.reason, answer.detail))
        return answer.data

    def _content(self, item: SourceObject) -> Content | Unreadable:
        answer = self._fetch(item, item.size)
        if isinstance(answer, Failure):
            return Unreadable(item.uri, item.name, answer.reason, answer.detail)
        key = item.log_key
        is_digest = key is not None and key.is_digest
        return Content(answer.data, answer.metadata.get(_SIGNATURE) if is_digest else None)

    def _fetch(self, item: SourceObject, size: int, span: tuple[int, int] | None = None) -> Fetched | Failure:
        def once() -> Fetched:
            with self._room.taken(size):
                fetched = self._bucket.get(self._key(item), item.version, span)
            # S3 checks the ETag; a length that it did not announce is damage on the way.
            if len(fetched.data) != size:
                raise WrongLength(len(fetched.data), size)
            return fetched

        return self._persistence.ask(once)

    # The bucket

    @cached_property
    def _reached(self) -> Bucket | None:
        return connect(self._bucket_name, self._access)

    @property
    def _bucket(self) -> Bucket:
        if self._reached is None:
            raise SourceError(f"{SCHEME}{self._bucket_name}: no bucket of that name")
        return self._reached

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._options.concurrency, thread_name_prefix="s3")

    def _uri(self, key: str) -> str:
        return f"{SCHEME}{self._bucket_name}/{key}"

    def _key(self, item: SourceObject) -> str:
        return item.uri.removeprefix(self.root)

    def _source_object(self, found: Found, *, is_named: bool = False) -> SourceObject:
        uri = self._uri(found.key)
        return SourceObject(uri, uri, found.size, found.etag, is_named)

    def _unreadable(self, key: str, failure: Failure) -> Unreadable:
        uri = self._uri(key)
        return Unreadable(uri, uri, failure.reason, failure.detail)


@dataclass(slots=True)
class _Course:
    """How a listing goes."""

    has_met_anything: bool = False
    """Whether there is a folder or an object at all, or something that could not be asked for."""
    unsearched: list[str] = field(default_factory=list)
    """Prefixes outside of trails that hold too much to be looked through."""
    answered: set[str] = field(default_factory=set)
    """Prefixes of which a question was answered; of one in `refused`, another was not."""
    refused: set[str] = field(default_factory=set)
    listed: set[Listing] = field(default_factory=set)
    """What was listed to its end."""


class _Room:
    """A bound on the bytes that are asked for at a time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Wait until there is room for so many bytes; what is larger than all of it waits to be alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + size <= self._limit)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()


class _Stream(io.RawIOBase):
    """An object that is read piece by piece, wherever its reader goes."""

    def __init__(self, source: S3Source, item: SourceObject) -> None:
        self._source = source
        self._item = item
        self._position = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to another place; nothing is asked for before it is read."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._item.size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill a buffer, or as much of it as there is."""
        view = memoryview(buffer)
        end = min(self._position + len(view), self._item.size)
        if end <= self._position:
            return 0
        data = self._source.read_span(self._item, self._position, end)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)
