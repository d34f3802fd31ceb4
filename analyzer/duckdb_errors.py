"""What DuckDB's errors mean to a person."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb


def first_line(error: Exception) -> str:
    """The part of the message that fits one line."""
    return str(error).strip().partition("\n")[0]


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C inside DuckDB, which reports it in several ways, be the KeyboardInterrupt that it is."""
    try:
        yield
    except (duckdb.Error, RuntimeError) as error:
        if _is_interrupt(error):
            raise KeyboardInterrupt from None
        raise


def _is_interrupt(error: Exception) -> bool:
    return isinstance(error, duckdb.InterruptException) or any(
        word in str(error) for word in ("Query interrupted", "KeyboardInterrupt", "INTERRUPT")
    )
