"""From a row of the ledger back to the bytes it was made from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analyzer.sources.archive import read_member
from analyzer.sources.source import SourceObject


def read_again(row: Mapping[str, Any], limit: int) -> bytes | None:
    """The bytes of a document by its ledger row, or None when they are not there any more.

    `limit`: ceiling in bytes for one member of an archive.
    """
    uri, archive_uri = str(row["uri"]), row["archive_uri"]
    try:
        if archive_uri is None:
            return Path(uri).read_bytes()
        archive = SourceObject(str(archive_uri), str(archive_uri), 0, "")
        with open(str(archive_uri), "rb") as stream:
            return read_member(archive, stream, uri, limit)
    except (OSError, ValueError):
        return None
