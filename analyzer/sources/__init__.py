"""Where bytes are: local files and archives, standard input, and memory."""

from analyzer.sources.archive import read_archive
from analyzer.sources.local import LocalSource, StandardInput
from analyzer.sources.memory import MemorySource
from analyzer.sources.source import (
    Content,
    Contents,
    Listed,
    Lost,
    SlowSource,
    Source,
    SourceObject,
    Unreadable,
    begin_reading,
)

__all__ = [
    "Content",
    "Contents",
    "Listed",
    "LocalSource",
    "Lost",
    "MemorySource",
    "SlowSource",
    "Source",
    "SourceObject",
    "StandardInput",
    "Unreadable",
    "begin_reading",
    "read_archive",
]
