"""Zip and tar archives: told by their content, read member by member, nothing ever unpacked to disk."""

import bz2
import copy
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import IO, Self, cast

from isal import igzip

from analyzer.decoding.compression import GZIP_DAMAGE, GZIP_MAGIC, ZIP_MAGIC
from analyzer.sources.source import SourceObject, Unreadable, readable

MEMBER_MARK = "!/"
"""Between an archive's URI and the name of a member."""

_DAMAGE: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    IndexError,
    OSError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    *GZIP_DAMAGE,
)
"""Everything that the readers of archives raise over bytes that are none of theirs."""


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
    names: Counter[str] = Counter()
    with zipfile.ZipFile(stream) as file:
        for info in file.infolist():
            if info.filename.endswith("/"):
                continue
            member = _member(archive, info.filename, info.file_size, names)
            if info.flag_bits & 1:
                yield Unreadable(member.uri, member.name, "encrypted_archive")
                continue
            try:
                data = _unzipped(file, info, limit)
            except _DAMAGE as error:
                yield Unreadable(member.uri, member.name, "damaged_archive", str(error))
                continue
            yield _checked(member, data, limit)


def _unzipped(file: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    """The bytes of a member, at most `limit` + 1 of them."""
    if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with file.open(info) as content:
            return content.read(limit + 1)
    # For every other method `zipfile` decompresses at once what it reads, and a few bytes of bzip2 are gigabytes.
    packed = copy.copy(info)
    packed.compress_type, packed.file_size = zipfile.ZIP_STORED, info.compress_size
    del packed.CRC
    with file.open(packed) as content:
        data = content.read(limit + 1)
    if info.compress_type == zipfile.ZIP_BZIP2:
        data = bz2.BZ2Decompressor().decompress(data, limit + 1)
    elif info.compress_type == zipfile.ZIP_LZMA:
        data = _unpacked_lzma(data, info, limit)
    else:
        raise NotImplementedError(f"compression method {info.compress_type}")
    if len(data) <= limit and (len(data), zlib.crc32(data)) != (info.file_size, info.CRC):
        raise zipfile.BadZipFile("its checksum or size is wrong")
    return data


def _unpacked_lzma(data: bytes, info: zipfile.ZipInfo, limit: int) -> bytes:
    """LZMA as a zip holds it: two bytes of version, two of the length of the properties, these, the stream."""
    properties, start = data[4:9], 4 + struct.unpack_from("<H", data, 2)[0]
    size = _UNKNOWN_SIZE if info.flag_bits & _HAS_END_MARK else info.file_size
    alone = properties + struct.pack("<Q", size) + data[start:]
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=limit + _LZMA_STATE)
    return decompressor.decompress(alone, limit + 1)


_HAS_END_MARK = 2
_UNKNOWN_SIZE = 2**64 - 1
_LZMA_STATE = 64 * 1024 * 1024
"""Bytes that a decompressor may need besides its dictionary; 64 MiB is the dictionary of the strongest preset."""


def _read_tar(
    archive: SourceObject, stream: IO[bytes], limit: int
) -> Iterator[tuple[SourceObject, bytes] | Unreadable]:
    names: Counter[str] = Counter()
    ending = _Ending(stream)
    with tarfile.open(fileobj=cast(IO[bytes], ending), mode="r|", tarinfo=_Header) as file:
        for info in file:
            if info.isdir():
                continue
            member = _member(archive, info.name, info.size, names)
            content = file.extractfile(info) if info.isreg() else None
            if content is None:
                yield Unreadable(member.uri, member.name, "not_a_file", "a link or a device in the archive")
                continue
            data = content.read(limit + 1)
            if len(data) < info.size <= limit:
                raise EOFError("its end is missing")
            yield _checked(member, data, limit)
    if not ending.is_marked:
        raise EOFError("its end is missing")


class _Header(tarfile.TarInfo):
    """A header that does not make `tarfile` take more into memory than a name and some attributes need."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header. Raises ReadError for one that announces a long extension of it."""
        header = super().frombuf(buf, encoding, errors)
        if header.type in _EXTENSIONS and not 0 <= header.size <= _LONGEST_EXTENSION:
            raise tarfile.ReadError(f"a header of {header.size} bytes")
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("a sparse file")
        return header

    def _proc_gnusparse_10(self, *_: object) -> None:
        """`tarfile` comes here for a sparse file in pax form, whose map has no bound either."""
        raise tarfile.ReadError("a sparse file")


_EXTENSIONS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
_LONGEST_EXTENSION = 16 * 1024


class _Ending:
    """A stream that remembers its last block: a tar archive ends in blocks of zeros, a truncated one does not."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._last = b""

    def read(self, size: int) -> bytes:
        """The next bytes."""
        data = self._stream.read(size)
        self._last = (self._last + data)[-_TAR_BLOCK:]
        return data

    @property
    def is_marked(self) -> bool:
        """Whether the last block read is one of zeros."""
        return self._last == bytes(_TAR_BLOCK)


_TAR_BLOCK = 512


def _member(archive: SourceObject, name: str, size: int, names: Counter[str]) -> SourceObject:
    """A member by its name; the second of one name gets a number, as both are read."""
    names[name] += 1
    number = f"#{names[name]}" if names[name] > 1 else ""
    place = f"{MEMBER_MARK}{readable(name)}{number}"
    return SourceObject(archive.uri + place, archive.name + place, size, archive.version)


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
