"""Zip and tar archives: told by their content, read member by member, nothing ever unpacked to disk."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, cast

from isal import igzip

from analyzer.decoding.compression import GZIP_DAMAGE, GZIP_MAGIC, ZIP_MAGIC
from analyzer.sources.source import SourceObject, Unreadable

MEMBER_MARK = "!/"
"""Between an archive's URI and the name of a member."""

_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError)
_DAMAGE: tuple[type[Exception], ...] = (*_BROKEN, *GZIP_DAMAGE)


def read_archive(
    archive: SourceObject, stream: IO[bytes], limit: int
) -> Iterator[tuple[SourceObject, bytes] | Unreadable]:
    """The members of an archive in their order, each with its bytes, at most `limit` each.

    A member that cannot be read is an Unreadable and the others follow; damage to the archive itself is a
    last Unreadable with the archive's own name.
    """
    head = stream.read(512)
    stream.seek(0)
    try:
        if head.startswith(ZIP_MAGIC):
            yield from _read_zip(archive, stream, limit)
        elif head.startswith(GZIP_MAGIC):
            plain = igzip.IGzipFile(fileobj=stream, mode="rb")  # type: ignore[no-untyped-call]
            yield from _read_tar(archive, cast(IO[bytes], plain), limit)
        else:
            yield from _read_tar(archive, stream, limit)
    except _DAMAGE as error:
        yield Unreadable(archive.uri, archive.name, "damaged_archive", str(error) or type(error).__name__)


def _read_zip(
    archive: SourceObject, stream: IO[bytes], limit: int
) -> Iterator[tuple[SourceObject, bytes] | Unreadable]:
    with zipfile.ZipFile(stream) as file:
        for info in file.infolist():
            if info.is_dir():
                continue
            member = _member(archive, info.filename, info.file_size)
            if info.flag_bits & 1:
                yield Unreadable(member.uri, member.name, "encrypted_archive")
                continue
            try:
                with file.open(info) as content:
                    data = content.read(limit + 1)
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
                yield Unreadable(member.uri, member.name, "damaged_archive", str(error))
                continue
            yield _checked(member, data, limit)


def _read_tar(
    archive: SourceObject, stream: IO[bytes], limit: int
) -> Iterator[tuple[SourceObject, bytes] | Unreadable]:
    with tarfile.open(fileobj=stream, mode="r|") as file:
        for info in file:
            if info.isdir():
                continue
            member = _member(archive, info.name, info.size)
            content = file.extractfile(info) if info.isreg() else None
            if content is None:
                yield Unreadable(member.uri, member.name, "not_a_file", "a link or a device in the archive")
                continue
            data = content.read(limit + 1)
            if len(data) < info.size <= limit:
                raise EOFError("its end is missing")
            yield _checked(member, data, limit)


def _member(archive: SourceObject, name: str, size: int) -> SourceObject:
    return SourceObject(
        uri=f"{archive.uri}{MEMBER_MARK}{name}",
        name=f"{archive.name}{MEMBER_MARK}{name}",
        size=size,
        version=archive.version,
    )


def _checked(member: SourceObject, data: bytes, limit: int) -> tuple[SourceObject, bytes] | Unreadable:
    if len(data) > limit:
        return Unreadable(member.uri, member.name, "too_large", f"more than {limit} bytes")
    return member, data


def read_member(archive: SourceObject, stream: IO[bytes], uri: str, limit: int) -> bytes | None:
    """The bytes of one member by its URI, or None when it is not there any more."""
    for entry in read_archive(archive, stream, limit):
        if not isinstance(entry, Unreadable) and entry[0].uri == uri:
            return entry[1]
    return None
