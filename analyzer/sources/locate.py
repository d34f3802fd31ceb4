"""From a row of the ledger back to the bytes it was made from."""

import os
import stat
from collections.abc import Mapping
from typing import IO, Any

from analyzer.sources.archive import read_member
from analyzer.sources.source import SourceObject


def read_again(row: Mapping[str, Any], limit: int) -> bytes | None:
    """The bytes of a document by its ledger row, or None when they are not there any more.

    `limit`: ceiling in bytes for a file, and for one member of an archive.
    """
    uri, archive_uri = str(row["uri"]), row["archive_uri"]
    try:
        with _opened(uri if archive_uri is None else str(archive_uri)) as stream:
            if archive_uri is not None:
                archive = SourceObject(str(archive_uri), str(archive_uri), 0, "")
                return read_member(archive, stream, uri, limit)
            data = stream.read(limit + 1)
            return data if len(data) <= limit else None
    except (OSError, ValueError):
        return None


def _opened(path: str) -> IO[bytes]:
    """A plain file. The ledger may be a stranger's and name a device or a pipe without end. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path}: not a plain file")
    return open(handle, "rb")
