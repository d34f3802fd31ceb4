"""What DuckDB's errors mean to a person."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb


def first_line(error: Exception) -> str:
    """The part of the message that fits one line."""
    return str(error).strip().partition("\n")[0]


_OF_MACHINE = tuple(
    os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EMFILE)
)


def is_of_machine(error: Exception) -> bool:
    """Whether the disk was full, failing or not to be written: nothing that the database is to blame for."""
    return any(words in str(error) for words in _OF_MACHINE)


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was short, however DuckDB says it."""
    return isinstance(error, duckdb.OutOfMemoryException) or any(
        words in str(error) for words in ("Out of Memory", "bad allocation", "bad_alloc", "Allocation failure")
    )


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
