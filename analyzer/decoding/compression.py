"""Bytes of a file to bytes of a document, with a ceiling on what a few bytes may swell to."""

import io
import re

from isal import igzip, igzip_lib, isal_zlib

from analyzer.decoding.outcome import Reading, rejected

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_TAR_CHECKSUM = slice(148, 156)
_OCTAL = re.compile(rb"[0-7]+")
GZIP_DAMAGE: tuple[type[Exception], ...] = (igzip_lib.IsalError, isal_zlib.error)  # type: ignore[assignment]
_STREAM_DAMAGE: tuple[type[Exception], ...] = (*GZIP_DAMAGE, OSError)
_MEMBERS_AT_ONCE = 8
_GZIP_WINDOW = 31  # zlib's way of asking for a gzip header and trailer


def gunzip(data: bytes, limit: int) -> bytes | Reading:
    """Decompress a gzip file of one or more members, at most `limit` bytes; a Reading says why not."""
    parts: list[bytes] = []
    size = 0
    rest = data
    while rest.startswith(GZIP_MAGIC):
        if len(parts) == _MEMBERS_AT_ONCE:
            return _gunzip_many(parts, rest, limit - size)
        member = isal_zlib.decompressobj(wbits=_GZIP_WINDOW)
        try:
            part = member.decompress(rest, limit - size + 1)
        except GZIP_DAMAGE as error:
            return rejected("damaged_gzip", str(error))
        size += len(part)
        if size > limit:
            return rejected("too_large", f"more than {limit} bytes when decompressed")
        if not member.eof:
            return rejected("truncated_gzip")
        parts.append(part)
        rest = member.unused_data
    if rest.strip(b"\0"):
        return rejected("damaged_gzip", "bytes follow its end")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _gunzip_many(parts: list[bytes], rest: bytes, left: int) -> bytes | Reading:
    """The many members that follow the first few; a stream does not copy the rest for each of them."""
    try:
        content = igzip.IGzipFile(fileobj=io.BytesIO(rest)).read(left + 1)  # type: ignore[no-untyped-call]
    except EOFError:
        return rejected("truncated_gzip")
    except _STREAM_DAMAGE as error:
        return rejected("damaged_gzip", str(error))
    if len(content) > left:
        return rejected("too_large", "more than the limit when decompressed")
    return b"".join([*parts, content])


def uncompressed(data: bytes, limit: int) -> bytes | Reading:
    """The document that bytes hold, at most `limit` bytes; a Reading says why there is none.

    An archive is no document: `nested_archive`, for it can only be met where a document is expected.
    """
    if data.startswith(ZIP_MAGIC) or is_tar(data):
        return rejected("nested_archive")
    if not data.startswith(GZIP_MAGIC):
        return data
    content = gunzip(data, limit)
    head = _head(data) if isinstance(content, Reading) and content.reason == "too_large" else content
    return rejected("nested_archive") if isinstance(head, bytes) and is_tar(head) else content


def is_archive(head: bytes) -> bool:
    """Whether a file that begins with these bytes (64 KiB are enough) is a zip, tar or gzipped tar archive."""
    return head.startswith(ZIP_MAGIC) or is_tar(_head(head) if head.startswith(GZIP_MAGIC) else head)


def is_tar(head: bytes) -> bool:
    """Whether bytes are the beginning of a tar archive."""
    if head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + len(_TAR_MAGIC)] != _TAR_MAGIC:
        return False
    # The mark may stand in a text too: a header's checksum counts its own eight bytes as spaces.
    checksum = head[_TAR_CHECKSUM].strip(b" \0")
    counted = sum(head[:512]) - sum(head[_TAR_CHECKSUM]) + 8 * ord(" ")
    return _OCTAL.fullmatch(checksum) is not None and int(checksum, 8) == counted


def _head(data: bytes) -> bytes:
    """The first bytes of what a gzip file holds, or nothing when it is damaged."""
    try:
        head: bytes = isal_zlib.decompressobj(wbits=_GZIP_WINDOW).decompress(data[:65536], 512)
    except GZIP_DAMAGE:
        return b""
    return head
