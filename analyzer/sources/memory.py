"""A source in memory: the twin of a folder or a bucket, for tests and for callers who have the bytes."""

import io
from collections.abc import Iterator, Mapping
from typing import IO

from analyzer.sources.source import Listed, SourceObject, Unreadable


class MemorySource:
    """Objects by key. A key stands for an S3 key or a relative path."""

    def __init__(self, objects: Mapping[str, bytes], versions: Mapping[str, str] | None = None) -> None:
        self.objects = dict(objects)
        self.versions = dict(versions or {})
        self.reads: list[str] = []

    def list(self) -> Iterator[Listed]:
        """All objects by key."""
        for key in sorted(self.objects):
            yield SourceObject(f"memory:/{key}", key, len(self.objects[key]), self.versions.get(key, ""))

    def read(self, item: SourceObject) -> bytes | Unreadable:
        """The object's bytes."""
        self.reads.append(item.name)
        if item.name not in self.objects:
            return Unreadable(item.uri, item.name, "missing", "gone since it was listed")
        return self.objects[item.name]

    def open(self, item: SourceObject) -> IO[bytes]:
        """The object as a stream."""
        return io.BytesIO(self.objects[item.name])
