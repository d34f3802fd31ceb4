"""Files and directories of this machine, and standard input."""

import io
import os
import stat
from collections.abc import Iterator
from typing import IO, Any

from analyzer.sources.source import Listed, Lost, SourceObject, Unreadable, readable

_CHUNK = 64 * 1024


class LocalSource:
    """A file, or all files below a directory in the order of their paths; links are followed, loops are not."""

    def __init__(self, path: str, read_limit: int) -> None:
        """`read_limit`: largest file in bytes that is read at once."""
        self._path = path
        self._read_limit = read_limit
        self._refused: set[str] = set()

    @property
    def root(self) -> str:
        """The URI of what is listed."""
        return _uri(self._path)

    def has_listed(self, uri: str) -> bool:
        """Whether a folder that an earlier run could not list could be listed now."""
        is_below = uri == self.root or uri.startswith(f"{self.root.rstrip('/')}/")
        return is_below and uri not in self._refused and os.path.isdir(uri)

    def list(self) -> Iterator[Listed]:
        """The file itself, or the files below the directory."""
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            yield self._unreadable(self._path, "missing", "no such file or directory")
        except OSError as error:
            yield self._unreadable(self._path, "unreadable", error.strerror or str(error))
        else:
            if stat.S_ISDIR(status.st_mode):
                yield from self._walk(self._path, ((status.st_dev, status.st_ino),))
            else:
                yield self._listed(self._path, status, is_named=True)

    def _walk(self, folder: str, above: tuple[tuple[int, int], ...]) -> Iterator[Listed]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield self._unreadable(folder, "unreadable", error.strerror or str(error))
            return
        for entry in entries:
            try:
                status = entry.stat()
            except OSError as error:
                is_loop = entry.is_symlink() and not isinstance(error, FileNotFoundError | PermissionError)
                reason = "symlink_loop" if is_loop else "unreadable"
                yield self._unreadable(entry.path, reason, error.strerror or str(error))
                continue
            if not stat.S_ISDIR(status.st_mode):
                yield self._listed(entry.path, status, is_named=False)
            elif (status.st_dev, status.st_ino) in above:
                yield self._unreadable(entry.path, "symlink_loop", "leads back to a directory above it")
            else:
                yield from self._walk(entry.path, (*above, (status.st_dev, status.st_ino)))

    def _listed(self, path: str, status: os.stat_result, *, is_named: bool) -> Listed:
        if not stat.S_ISREG(status.st_mode) and not (is_named and stat.S_ISFIFO(status.st_mode)):
            return self._unreadable(path, "not_a_file", "neither a file nor a directory")
        return SourceObject(
            uri=_uri(path), name=path, size=status.st_size, version=str(status.st_mtime_ns), is_named=is_named
        )

    def _unreadable(self, path: str, reason: str, detail: str) -> Unreadable:
        uri = _uri(path)
        self._refused.add(uri)
        return Unreadable(uri, path, reason, detail)

    def read(self, item: SourceObject) -> bytes | Unreadable:
        """All bytes of a file; one that changes meanwhile is not taken."""
        try:
            with open(item.name, "rb", buffering=0) as file:
                data = _read_up_to(file, self._read_limit + 1, item.size + 1)
                status = os.fstat(file.fileno())
        except OSError as error:
            return Unreadable(item.uri, item.name, "unreadable", error.strerror or str(error))
        if len(data) > self._read_limit:
            return Unreadable(item.uri, item.name, "too_large", f"more than {self._read_limit} bytes")
        if not _is_as_listed(status, item) or (stat.S_ISREG(status.st_mode) and len(data) != item.size):
            return _changed(item)
        return data

    def open(self, item: SourceObject) -> IO[bytes]:
        """The file as a stream; reading raises Lost when that fails or the file changes meanwhile."""
        return io.BufferedReader(_ListedFile(open(item.name, "rb", buffering=0), item))


class _ListedFile(io.RawIOBase):
    """A file that has to stay as it was listed while it is read."""

    def __init__(self, file: io.FileIO, item: SourceObject) -> None:
        self._file = file
        self._item = item

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int | None:
        try:
            count = self._file.readinto(buffer)
            status = os.fstat(self._file.fileno())
        except OSError as error:
            detail = error.strerror or str(error)
            raise Lost(Unreadable(self._item.uri, self._item.name, "unreadable", detail)) from None
        if not _is_as_listed(status, self._item):
            raise Lost(_changed(self._item))
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def _is_as_listed(status: os.stat_result, item: SourceObject) -> bool:
    is_same = (status.st_size, str(status.st_mtime_ns)) == (item.size, item.version)
    return is_same or stat.S_ISFIFO(status.st_mode)


def _changed(item: SourceObject) -> Unreadable:
    return Unreadable(item.uri, item.name, "changed_while_read", "it grew or was written meanwhile")


class StandardInput:
    """What is piped in, as one object named `-`."""

    def __init__(self, stream: IO[bytes], read_limit: int) -> None:
        self._stream = stream
        self._read_limit = read_limit
        self._data: bytes | None = None

    def list(self) -> Iterator[Listed]:
        """One object; its bytes are not read before they are asked for."""
        yield SourceObject(uri="stdin:", name="-", size=0, version="", is_named=True)

    def read(self, item: SourceObject) -> bytes | Unreadable:
        """Everything up to the end of the input."""
        if self._data is None:
            self._data = _read_up_to(self._stream, self._read_limit + 1, _CHUNK)
        if len(self._data) > self._read_limit:
            return Unreadable(item.uri, item.name, "too_large", f"more than {self._read_limit} bytes")
        return self._data

    def open(self, item: SourceObject) -> IO[bytes]:
        """The input as a seekable stream."""
        return io.BytesIO(self._data or b"")


def _read_up_to(file: IO[bytes] | io.FileIO, limit: int, expected: int) -> bytes:
    """Everything up to the end or the limit. `expected` bytes are asked for first: a buffer has that size."""
    parts: list[bytes] = []
    left = limit
    while left > 0 and (part := file.read(min(left, max(expected, _CHUNK)))):
        parts.append(part)
        left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _uri(path: str) -> str:
    return readable(os.path.abspath(path))
