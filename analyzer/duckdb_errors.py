"""What DuckDB's errors mean to a person."""

import duckdb


def first_line(error: Exception) -> str:
    """The part of the message that fits one line."""
    return str(error).strip().partition("\n")[0]


def is_interrupt(error: Exception) -> bool:
    """Whether DuckDB stopped because of Ctrl-C, which it reports in several ways."""
    return isinstance(error, duckdb.InterruptException) or (
        isinstance(error, duckdb.Error | RuntimeError)
        and any(word in str(error) for word in ("Query interrupted", "KeyboardInterrupt", "INTERRUPT"))
    )
