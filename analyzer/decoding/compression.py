"""Bytes of a file to bytes of a document, with a ceiling on what a few bytes may swell to."""

from isal import igzip_lib, isal_zlib

from analyzer.decoding.outcome import Reading, rejected

GZIP_MAGIC = b"\x1f\x8b"
GZIP_DAMAGE: tuple[type[Exception], ...] = (igzip_lib.IsalError, isal_zlib.error)  # type: ignore[assignment]
_GZIP_WINDOW = 31  # zlib's way of asking for a gzip header and trailer


def gunzip(data: bytes, limit: int) -> bytes | Reading:
    """Decompress a gzip file of one or more members, at most `limit` bytes; a Reading says why not."""
    parts: list[bytes] = []
    size = 0
    rest = data
    while rest.startswith(GZIP_MAGIC):
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


def gunzip_head(data: bytes, length: int = 512) -> bytes:
    """The first bytes of what a gzip file holds, or nothing when it is damaged."""
    try:
        head: bytes = isal_zlib.decompressobj(wbits=_GZIP_WINDOW).decompress(data, length)
    except GZIP_DAMAGE:
        return b""
    return head
