"""What one commit of a store writes, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from analyzer.cloudtrail import EVENTS
from analyzer.ledger import SourceRow


@dataclass(slots=True)
class Batch:
    """What one commit writes: documents, and their events with `source_id` = index into `sources`."""

    sources: list[SourceRow] = field(default_factory=list)
    events: list[pa.Table] = field(default_factory=list)
    archives: list[tuple[str, int, str]] = field(default_factory=list)
    sound: list[str] = field(default_factory=list)
    """URIs of archives that could be read now; what was said of them as a whole before is over."""
    nbytes: int = 0
    """Memory held by the events and by what documents say."""

    def add(self, sources: Sequence[SourceRow], events: pa.Table) -> None:
        """Add a group of documents; `source_id` in `events` is the index into this group."""
        if len(events):
            column = events.schema.get_field_index("source_id")
            shifted = pc.add(events.column(column), len(self.sources))
            self.events.append(events.set_column(column, EVENTS.field("source_id"), shifted))
            self.nbytes += events.nbytes
        self.sources.extend(sources)
        self.nbytes += sum(row.nbytes for row in sources)

    def __bool__(self) -> bool:
        return bool(self.sources or self.archives)


@dataclass(frozen=True, slots=True)
class Committed:
    """Records of a batch that were new and that were in the store already."""

    kept: int
    duplicate: int
