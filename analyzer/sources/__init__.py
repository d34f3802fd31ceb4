"""Where bytes are: local files and archives, standard input, and memory."""

from analyzer.sources.archive import read_archive
from analyzer.sources.local import LocalSource, StandardInput
from analyzer.sources.memory import MemorySource
from analyzer.sources.source import Listed, Source, SourceObject, Unreadable

__all__ = [
    "Listed",
    "LocalSource",
    "MemorySource",
    "Source",
    "SourceObject",
    "StandardInput",
    "Unreadable",
    "read_archive",
]
