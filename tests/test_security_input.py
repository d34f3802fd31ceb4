"""Archives and compressed files that swell: whatever a few bytes say they hold, memory stays near the limit."""

import bz2
import gzip
import lzma
import struct
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable
from functools import cache, partial

import pytest

LIMIT = 1024 * 1024
ALLOWED = 60 * LIMIT
SWOLLEN = 200 * LIMIT
"""Bytes that each bomb holds, or says that it holds."""

_ZEROS = bytes(LIMIT)

READ = """
import io, resource, sys
from pathlib import Path
from analyzer.decoding import Document, decode_documents
from analyzer.decoding.compression import is_archive
from analyzer.sources import SourceObject, read_archive

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

limit = int(sys.argv[1])
decode_documents([Document(b"{}")], limit)
for path in sys.argv[2:]:
    data, before = Path(path).read_bytes(), peak()
    if is_archive(data):
        end, *_ = list(read_archive(SourceObject("x", "x", len(data), ""), io.BytesIO(data), limit))
    else:
        (end,) = decode_documents([Document(data)], limit).readings
    print(end.reason, peak() - before)
"""


def deflated(data: bytes) -> bytes:
    """A piece of a deflate stream that may be repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)


def gzipped(head: bytes, piece: bytes) -> bytes:
    """A gzip file of a head and so many pieces as make it swell, without a good end."""
    body = deflated(head) + deflated(piece) * (SWOLLEN // len(piece))
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + body + b"\x03\0" + bytes(8)


def header(kind: bytes, size: int) -> bytes:
    """The head of a tar member."""
    info = tarfile.TarInfo("x.json")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def swelling_tar(kind: bytes) -> bytes:
    """A gzipped tar archive of one member, or of one header of some kind."""
    return gzipped(header(kind, SWOLLEN), _ZEROS)


def holes() -> bytes:
    """A file with a map of holes in blocks of their own, each of which promises another."""
    first = bytearray(header(tarfile.GNUTYPE_SPARSE, 512))
    first[482] = 1
    first[148:156] = b" " * 8
    first[148:156] = b"%06o\0 " % sum(first)
    block = (b"%011o\0" % 1 * 2) * 21 + b"\1"
    return gzipped(bytes(first), block.ljust(512, b"\0") * 2048)


def listed_holes() -> bytes:
    """A file whose content begins with a list of holes without an end."""
    info = tarfile.TarInfo("x.json")
    info.size = SWOLLEN
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(2**50)}
    return gzipped(info.tobuf(tarfile.PAX_FORMAT) + b"1000000000\n", b"0\n" * (LIMIT // 2))


def zip_of(method: int, packed: bytes, size: int, flags: int = 0) -> bytes:
    """A zip of one member that says `size`."""
    common = struct.pack("<HHHHHIIIHH", 46, flags, method, 0, 33, 0, len(packed), size, 6, 0)
    local = b"PK\3\4" + common + b"x.json" + packed
    central = b"PK\1\2" + struct.pack("<H", 46) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + b"x.json"
    return local + central + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local), 0)


def bzip2() -> bytes:
    packer = bz2.BZ2Compressor()
    return b"".join(packer.compress(_ZEROS) for _ in range(SWOLLEN // LIMIT)) + packer.flush()


@cache
def lzma_stream() -> bytes:
    packer = lzma.LZMACompressor(lzma.FORMAT_ALONE, preset=0)
    return b"".join(packer.compress(_ZEROS) for _ in range(SWOLLEN // LIMIT)) + packer.flush()


def lzma_member(properties: bytes | None = None) -> bytes:
    """An LZMA member of a zip; `properties` may promise another dictionary."""
    stream = lzma_stream()
    return b"\x09\x14\x05\0" + (properties or stream[:5]) + stream[13:]


LONG = {
    "tar.gz with a long name": tarfile.GNUTYPE_LONGNAME,
    "tar.gz with attributes": tarfile.XHDTYPE,
    "tar.gz with attributes for all": tarfile.XGLTYPE,
}
BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "gzip": (lambda: gzipped(b"", _ZEROS), "too_large"),
    "gzip of many members": (lambda: gzip.compress(_ZEROS) * (SWOLLEN // LIMIT), "too_large"),
    "tar.gz": (partial(swelling_tar, tarfile.REGTYPE), "too_large"),
    "tar.gz with a long name": (
        lambda: gzipped(header(tarfile.GNUTYPE_LONGNAME, SWOLLEN), _ZEROS),
        "damaged_archive",
    ),
    "tar.gz with attributes": (lambda: gzipped(header(tarfile.XHDTYPE, SWOLLEN), _ZEROS), "damaged_archive"),
    "tar.gz with attributes for all": (
        lambda: gzipped(header(tarfile.XGLTYPE, SWOLLEN), _ZEROS),
        "damaged_archive",
    ),
    "tar.gz with blocks of holes": (holes, "damaged_archive"),
    "tar.gz with a list of holes": (listed_holes, "damaged_archive"),
    "zip": (lambda: zip_of(8, deflated(_ZEROS) * (SWOLLEN // LIMIT), SWOLLEN), "too_large"),
    "zip that says it is small": (lambda: zip_of(8, deflated(_ZEROS) * (SWOLLEN // LIMIT), 10), "damaged_archive"),
    "zip that says it is large": (lambda: zip_of(8, deflated(b"{}"), 2**32 - 2), "damaged_archive"),
    "zip of bzip2": (lambda: zip_of(12, bzip2(), 10), "too_large"),
    "zip of lzma": (lambda: zip_of(14, lzma_member(), 10, flags=2), "too_large"),
    "zip of lzma with a large dictionary": (
        lambda: zip_of(14, lzma_member(b"\x5d\xff\xff\xff\xff"), 10, flags=2),
        "damaged_archive",
    ),
    "zip of a method that does not exist": (lambda: zip_of(77, b"x", 10), "damaged_archive"),
}


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    """What reading each bomb ended in, and by how many bytes it raised the peak of the process."""
    folder = tmp_path_factory.mktemp("bombs")
    paths = [folder / str(number) for number in range(len(BOMBS))]
    for path, (make, _) in zip(paths, BOMBS.values(), strict=True):
        path.write_bytes(make())
    command = [sys.executable, "-c", READ, str(LIMIT), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    ends = [line.split() for line in done.stdout.splitlines()]
    return {name: (reason, int(growth)) for name, (reason, growth) in zip(BOMBS, ends, strict=True)}


@pytest.mark.parametrize("name", BOMBS)
def test_what_swells_is_rejected_and_memory_stays_near_the_limit(
    grown: dict[str, tuple[str, int]], name: str
) -> None:
    reason, growth = grown[name]
    assert reason == BOMBS[name][1]
    assert growth < ALLOWED
