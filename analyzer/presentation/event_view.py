"""One event: the stored row, and the raw record behind it."""

import json
from collections.abc import Mapping
from typing import Any

from analyzer.presentation.output import Answer, Table
from analyzer.presentation.safe_text import plain
from analyzer.window import utc_text


def event_answer(event: Mapping[str, Any], source: Mapping[str, Any], raw: Any) -> Answer:
    """The stored columns that are filled, the document they came from, and the record as it lies there."""
    stored = {name: _value(value) for name, value in event.items()}
    rows = [(name, value) for name, value in stored.items() if value is not None]
    if raw is None:
        lines: tuple[str, ...] = ("The raw record is not at its source any more, or the source has changed.",)
    else:
        lines = ("Raw record, secrets removed:", *json.dumps(raw, indent=2, ensure_ascii=False).splitlines())
    return Answer(
        data={"event": stored, "source": {"uri": source["uri"], "sha256": source["sha256"]}, "raw": raw},
        table=Table(("column", "value"), rows),
        headline=(f"Read from {plain(source['uri'])}",),
        notes=lines,
    )


def _value(value: Any) -> Any:
    return utc_text(value) if hasattr(value, "isoformat") else value
